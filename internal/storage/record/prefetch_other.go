//go:build !amd64 && !arm64

package record

// prefetch does nothing where there is no instruction for it: a lookup finds out
// by itself.
func prefetch([]byte) {}

func prefetchAt(*page) {}
