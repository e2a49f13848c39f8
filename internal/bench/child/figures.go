package child

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Figures are what a process says about itself. Counts are since its start.
type Figures struct {
	CPUSeconds float64 `json:"cpu_seconds"` // user and system
	CPUWait    float64 `json:"cpu_wait"`    // seconds for which threads were ready and had no processor; 0 where the system does not tell
	Mallocs    uint64  `json:"mallocs"`
	AllocBytes uint64  `json:"alloc_bytes"`
	GCCycles   uint64  `json:"gc_cycles"`
	HeapInUse  uint64  `json:"heap_in_use_bytes"` // spans with at least one object
	Stacks     uint64  `json:"stack_bytes"`
	RSS        uint64  `json:"rss_bytes"` // 0 where the system does not tell
	Goroutines int     `json:"goroutines"`
}

// Take returns the figures of this process. It stops nothing.
func Take() Figures {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:objects"},
		{Name: "/gc/heap/tiny/allocs:objects"},
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	n := func(i int) uint64 { return samples[i].Value.Uint64() }
	return Figures{
		CPUSeconds: cpuSeconds(),
		CPUWait:    cpuWait(),
		Mallocs:    n(0) + n(1),
		AllocBytes: n(2),
		GCCycles:   n(3),
		HeapInUse:  n(4) + n(5),
		Stacks:     n(6),
		RSS:        resident(),
		Goroutines: runtime.NumGoroutine(),
	}
}

// Collect is Take after a garbage collection that also gives memory back to the
// system, so that what is counted is in use.
func Collect() Figures {
	runtime.GC() // frees what pools held
	debug.FreeOSMemory()
	return Take()
}
