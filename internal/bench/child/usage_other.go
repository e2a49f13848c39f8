//go:build !unix

package child

// cpuSeconds is not known here.
func cpuSeconds() float64 { return 0 }

// cpuWait is not known here.
func cpuWait() float64 { return 0 }

// resident is not known here.
func resident() uint64 { return 0 }
