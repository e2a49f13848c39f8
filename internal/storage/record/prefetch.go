//go:build amd64 || arm64

package record

import "unsafe"

// prefetch has the processor fetch b into its caches, without waiting for it.
func prefetch(b []byte) { prefetchLines(unsafe.SliceData(b), len(b)) }

// prefetchAt is prefetch for what a page is in its directory.
func prefetchAt(p *page) { prefetchLines((*byte)(unsafe.Pointer(p)), pageStruct) }

// prefetchLines is prefetch for n bytes, one line at least. It reads nothing, so p
// may be any pointer.
//
//go:noescape
func prefetchLines(p *byte, n int)
