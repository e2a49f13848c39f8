//go:build amd64 || arm64

package record

import "unsafe"

// prefetch has the processor fetch b into its caches, without waiting for it.
func prefetch(b []byte) { prefetchLines(unsafe.SliceData(b), len(b)) }

// prefetchLines is prefetch for n bytes, one line at least. It reads nothing, so p
// may be any pointer.
//
//go:noescape
func prefetchLines(p *byte, n int)
