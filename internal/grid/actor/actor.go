// Package actor runs step-driven state machines.
//
// Everything in the grid that reacts to the world (lanes, the log's committer,
// the checkpointer, services that follow the feed) is a machine with a Step
// that never waits. In a server each has one goroutine around it, which is Run;
// in the simulator a seeded scheduler calls the same Steps from one goroutine.
package actor

import "context"

// Actor is a step-driven machine. One caller at a time drives it.
type Actor interface {
	// Step does a bounded amount of the work that is there and reports whether
	// there was any. It does not wait for others; it may do I/O that belongs to
	// the actor alone.
	Step() (worked bool)

	// Wake delivers a value after work arrived while none was there. It has room
	// for one value, so no wake-up is lost.
	Wake() <-chan struct{}
}

// Run steps a until ctx ends. What is left undone then stays undone: whoever
// needs an orderly end drains the actor before ending ctx.
func Run(ctx context.Context, a Actor) {
	for {
		for a.Step() {
			if ctx.Err() != nil {
				return
			}
		}
		select {
		case <-a.Wake():
		case <-ctx.Done():
			return
		}
	}
}

// Bell is a wake-up with room for one. The zero Bell is not usable; see NewBell.
type Bell chan struct{}

// NewBell makes a bell.
func NewBell() Bell { return make(Bell, 1) }

// Ring wakes the owner up, now or when it next looks. It never blocks.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}
