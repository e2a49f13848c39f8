package engine

import (
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/mistake"
)

// sweepSlots is how many records a lane ends, or tombstones it reclaims, between
// two groups of other work.
const sweepSlots = 256

// Sweep lets every lane end the records whose time is over and reclaim the
// tombstones that may be forgotten. It is called every 100 ms and returns at
// once. confirmed is the time, in milliseconds since the Unix epoch, up to which
// every device that matters has confirmed the removals of tags.
func (e *Engine) Sweep(confirmed int64) {
	if mistake.ReclaimUnconfirmed {
		confirmed = e.clock.Sys()
	}
	for i := range e.sweeps {
		s := &e.sweeps[i]
		if !s.busy.CompareAndSwap(false, true) {
			continue
		}
		s.engine, s.lane, s.confirmed = e, i, confirmed
		e.submit(i, s)
	}
}

// sweep is the task of one lane. At most one is under way.
type sweep struct {
	engine    *Engine
	lane      int
	confirmed int64
	more      bool

	busy atomic.Bool
}

// Writes implements lane.Task.
func (s *sweep) Writes() bool { return true }

// Step implements lane.Task.
func (s *sweep) Step(v *lane.View) { s.more = v.Sweep(s.confirmed, sweepSlots) }

// Release implements lane.Task. What is left over is done behind the work that
// has come meanwhile.
func (s *sweep) Release(err error) {
	if err == nil && s.more {
		s.engine.submit(s.lane, s)
		return
	}
	s.busy.Store(false)
}
