package log

import (
	"sync"
	"sync/atomic"
)

// Appender is what a node writes its changes to: a Log, or a Null.
type Appender interface {
	Append(gen uint64, payloads ...[]byte) (LSN, error)
	Generation() uint64
	Durable() LSN
	DurableAt(gen uint64) LSN
	End() LSN
	Healthy() bool
	Problem() error
	Retained() int64
	Subscribe(fn func())
	Replay(from LSN, fn func(lsn LSN, payload []byte) error) error
	DropBefore(lsn LSN) error
}

var (
	_ Appender = (*Log)(nil)
	_ Appender = (*Null)(nil)
)

// Null is the log of a node that keeps nothing. What is appended counts as
// durable at once and is gone. It never fails; its one generation is 1, and its
// LSNs begin anew with each process. The zero value is ready for use.
type Null struct {
	end atomic.Uint64

	mu       sync.Mutex
	watchers []func()
}

// IsNull reports whether lg keeps nothing, so that nothing is ever on disk.
func IsNull(lg any) bool {
	_, ok := lg.(*Null)
	return ok
}

// Append hands out the next LSN and calls the subscribers. It refuses what a Log
// would always refuse.
func (n *Null) Append(gen uint64, payloads ...[]byte) (LSN, error) {
	size, err := sizeOf(payloads)
	if err != nil {
		return 0, err
	}
	if gen != n.Generation() {
		return 0, ErrStale
	}
	end := n.end.Add(uint64(size))
	n.mu.Lock()
	watchers := n.watchers
	n.mu.Unlock()
	for _, fn := range watchers {
		fn()
	}
	return LSN(end), nil
}

// Generation is 1.
func (n *Null) Generation() uint64 { return 1 }

// Durable is End.
func (n *Null) Durable() LSN { return n.End() }

// DurableAt is End under the one generation there is.
func (n *Null) DurableAt(gen uint64) LSN {
	if gen != n.Generation() {
		return 0
	}
	return n.End()
}

// End is the last LSN handed out.
func (n *Null) End() LSN { return LSN(n.end.Load()) }

// Healthy is true.
func (n *Null) Healthy() bool { return true }

// Problem is nil.
func (n *Null) Problem() error { return nil }

// Retained is 0.
func (n *Null) Retained() int64 { return 0 }

// Subscribe has fn called after every Append, by whoever appends. fn must not
// block.
func (n *Null) Subscribe(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watchers = append(n.watchers[:len(n.watchers):len(n.watchers)], fn)
}

// Replay yields nothing.
func (n *Null) Replay(LSN, func(LSN, []byte) error) error { return nil }

// DropBefore does nothing.
func (n *Null) DropBefore(LSN) error { return nil }
