package log

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// Log is an open log; see the package comment.
type Log struct {
	fs    vfs.FS
	dir   string
	clock clock.Clock
	opt   Options
	zeros []byte // Options.ZeroAhead of them
	id    uint64

	// pending has a token when there may be something for Step.
	pending chan struct{}

	// Readable without mu, written under it.
	durable    atomic.Uint64
	generation atomic.Uint64
	healthy    atomic.Bool
	retained   atomic.Int64

	// step is held by Step, Recover and Close; also while they write. It guards
	// current and is taken before mu.
	step    sync.Mutex
	current *active // nil after a failure

	// dropping is held by DropBefore, also while it removes files. It guards
	// unsynced, away and kept, and is taken before mu.
	dropping sync.Mutex
	unsynced bool    // a segment was removed and the directory not synced since
	away     []spare // renamed meanwhile
	kept     []hold  // of the consumers, as they are on disk

	// seeking is held by Seek, also while it reads files. It guards the indexes
	// of the segments and is taken before mu.
	seeking sync.Mutex

	// mu guards what follows. Nothing is called and no I/O is done under it.
	mu        sync.Mutex
	state     state
	cause     error // of the last failure
	gather    group // what Step takes next
	spare     []byte
	scratch   [28]byte
	next      LSN        // where the next frame may stand
	end       LSN        // last LSN handed out
	segments  []*segment // oldest first, never empty
	spares    []spare
	dropped   LSN // greatest position given to DropBefore
	consumers []*Consumer
	failures  failures
	stats     Stats
	watchers  []func()
}

// state is what the log accepts.
type state uint8

const (
	open state = iota
	failed
	closed
)

// Identity is drawn when a log is begun and stays with it: LSNs of two logs with
// different identities have nothing to do with each other.
func (l *Log) Identity() uint64 { return l.id }

// Generation is under which appends are accepted; it grows with every failure.
// It starts at 1 with each Open.
func (l *Log) Generation() uint64 { return l.generation.Load() }

// Durable is the LSN up to which all frames that were not failed are durable.
// It may be beyond the LSN of a frame that failed: see DurableAt.
func (l *Log) Durable() LSN { return LSN(l.durable.Load()) }

// DurableAt is the LSN up to which the frames appended under generation gen are
// durable. It no longer changes once gen is not the current generation: what was
// appended under gen beyond it is lost.
func (l *Log) DurableAt(gen uint64) LSN {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures.durableAt(gen, LSN(l.durable.Load()))
}

// End is the last LSN handed out, whatever became of it. After Open it is
// Durable.
func (l *Log) End() LSN {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Healthy reports whether appends are accepted: neither failed nor closed.
func (l *Log) Healthy() bool { return l.healthy.Load() }

// Problem is why the log takes no appends, nil while it does.
func (l *Log) Problem() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusalLocked()
}

// Retained is how many bytes of durable frames a Replay would read that begins
// at the last position given to DropBefore.
func (l *Log) Retained() int64 { return l.retained.Load() }

// Bytes is how many bytes of durable frames lie beyond lsn.
func (l *Log) Bytes(lsn LSN) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytesLocked(lsn)
}

// Pending delivers a value after Append has given Step something to do. It has
// room for one: a receiver that then steps until there is nothing left misses
// nothing.
func (l *Log) Pending() <-chan struct{} { return l.pending }

// Subscribe has fn called after Durable or Generation has changed and when the
// log is healthy again, by whoever called Step or Recover. fn must not block.
func (l *Log) Subscribe(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A copy, since notify reads the slice without the lock.
	l.watchers = append(l.watchers[:len(l.watchers):len(l.watchers)], fn)
}

func (l *Log) notify() {
	l.mu.Lock()
	watchers := l.watchers
	l.mu.Unlock()
	for _, fn := range watchers {
		fn()
	}
}

// Close releases the open file. Frames that no Step has written are lost, so Run
// flushes before it returns; afterwards appends, steps and drops are refused.
// The places of the consumers are written. A second Close does nothing.
func (l *Log) Close() error {
	l.step.Lock()
	defer l.step.Unlock()
	l.dropping.Lock()
	defer l.dropping.Unlock()
	l.mu.Lock()
	was := l.state
	l.state = closed
	l.healthy.Store(false)
	l.gather.buf = nil
	l.mu.Unlock()
	if was == closed {
		return nil
	}
	_, err := l.keepPlaces(0)
	if l.current != nil {
		err = errors.Join(err, l.current.file.Close())
		l.current = nil
	}
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// refusalLocked is why the log accepts nothing, or nil.
func (l *Log) refusalLocked() error {
	switch l.state {
	case failed:
		return fmt.Errorf("%w: %w", ErrUnavailable, l.cause)
	case closed:
		return ErrClosed
	default:
		return nil
	}
}

// measureLocked brings the retained bytes up to date.
func (l *Log) measureLocked() {
	l.retained.Store(l.bytesLocked(l.dropped))
}

// failures remembers where generations ended.
type failures struct {
	first uint64 // generation of ends[0]
	ends  []LSN  // durable LSN at the end of each; the one after is current
}

// failuresKept is how many generations are remembered. A caller so far behind
// is told that nothing is durable.
const failuresKept = 1024

func (f *failures) add(end LSN) {
	if len(f.ends) == failuresKept {
		f.ends = append(f.ends[:0], f.ends[1:]...)
		f.first++
	}
	f.ends = append(f.ends, end)
}

func (f *failures) durableAt(gen uint64, current LSN) LSN {
	switch {
	case gen < f.first:
		return 0
	case gen-f.first < uint64(len(f.ends)):
		return f.ends[gen-f.first]
	case gen-f.first == uint64(len(f.ends)):
		return current
	default:
		return 0 // a generation that has not begun
	}
}
