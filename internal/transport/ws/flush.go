package ws

import (
	"runtime"
	"sync"
)

// flushers write for connections that have something to send, a few at a time.
// A goroutine for each of a thousand subscribers of one change would stand in the
// way of the next change; and most writes fit into the socket's buffer and need
// not wait. A write that would have to wait goes on in a goroutine of its own.
//
// There is no goroutine while nothing is to be sent.
type flushers struct {
	most int

	mu      sync.Mutex
	waiting []*conn // from next on
	next    int
	running int
}

func newFlushers() *flushers { return &flushers{most: runtime.GOMAXPROCS(0)} }

// push has c written, after those that were pushed before.
func (f *flushers) push(c *conn) {
	f.mu.Lock()
	f.waiting = append(f.waiting, c)
	start := f.running < f.most
	if start {
		f.running++
	}
	f.mu.Unlock()
	if start {
		go f.run() //arch:goroutine every connection waits in serve for its own turn
	}
}

func (f *flushers) run() {
	for c := f.pop(); c != nil; c = f.pop() {
		c.write()
	}
}

// pop returns the next connection; nil ends the caller.
func (f *flushers) pop() *conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == len(f.waiting) {
		f.running--
		f.waiting, f.next = f.waiting[:0], 0
		if cap(f.waiting) > keepFrames {
			f.waiting = nil
		}
		return nil
	}
	c := f.waiting[f.next]
	f.waiting[f.next] = nil
	f.next++
	return c
}
