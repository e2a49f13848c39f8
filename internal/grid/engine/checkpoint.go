package engine

import (
	"context"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// CheckpointOptions are a checkpointer's choices. The zero value of every field
// means its default.
type CheckpointOptions struct {
	// LogBytes is the retained log at which a checkpoint begins. Default 64 MiB.
	LogBytes int64

	// Every is the longest time between checkpoints while there is something to
	// write. Default 30 s.
	Every time.Duration

	// SliceRows and SliceBytes are how much a lane hands over between two groups of
	// other work: what bounds the stall of a write, and, twice for each lane, the
	// memory of a checkpoint. One row always fits. Defaults 1024 and 256 KiB.
	SliceRows, SliceBytes int

	// OnSlice is told how long a lane was occupied by each slice. It may be called
	// by several lanes at a time and must not block.
	OnSlice func(took time.Duration)
}

func (o CheckpointOptions) withDefaults() CheckpointOptions {
	if o.LogBytes == 0 {
		o.LogBytes = 64 << 20
	}
	if o.Every == 0 {
		o.Every = 30 * time.Second
	}
	if o.SliceRows == 0 {
		o.SliceRows = 1024
	}
	if o.SliceBytes == 0 {
		o.SliceBytes = 256 << 10
	}
	return o
}

// Checkpointer writes what has changed to the store, so that the log behind it
// can be dropped.
//
// A checkpoint begins by asking each lane how far its log goes and which tables
// have dirty keys: that position is what the checkpoint will reach. The lanes then
// hand over the states of these keys, in the order of the store and in slices,
// between their other work; the store takes them as they come. A state handed over
// later may be newer than the position; it carries the sequence number that wrote
// it, and replay skips what it covers. A slice is released like any read, after
// what it saw is durable, so the store never holds a state whose append could
// still fail. Rows and mark become durable as one, and only then may the log be
// dropped up to the mark.
//
// When the store fails, or a lane whose log has failed loads partitions again, the
// lanes take back what they handed over, and another checkpoint begins a while
// later. A log that has grown to its bound meanwhile stops admission.
type Checkpointer struct {
	engine *Engine
	opt    CheckpointOptions
	clock  clock.Clock
	bell   actor.Bell
	ctx    context.Context

	next  time.Time     // when the next one is due
	ended time.Time     // the last checkpoint
	done  log.LSN       // what it reached
	pause time.Duration // after a failure; 0 when the last one did not fail
	run   *run          // the checkpoint under way, nil between them

	mu      sync.Mutex
	arrived []arrival
	waiting []func(error)
	stats   CheckpointStats
}

// CheckpointStats counts what a checkpointer has done.
type CheckpointStats struct {
	Checkpoints, Rows, Failures uint64
	LastError                   error

	// LongestSlice is the longest time that a lane was occupied at once.
	LongestSlice time.Duration
}

// The pause before a checkpoint that has failed is begun again, and its bound: it
// doubles from failure to failure.
const (
	minPause = 100 * time.Millisecond
	maxPause = 2 * time.Second
)

// NewCheckpointer makes the checkpointer of an engine. ctx ends the calls to the
// store.
func NewCheckpointer(ctx context.Context, e *Engine, wall clock.Clock, opt CheckpointOptions) *Checkpointer {
	c := &Checkpointer{engine: e, opt: opt.withDefaults(), clock: wall, bell: actor.NewBell(), ctx: ctx}
	if gate := e.opt.Gate; gate != nil {
		c.bell = gate.bell
	}
	c.next = wall.Now().Add(c.opt.Every)
	press := c.bell.Ring
	e.press.Store(&press)
	return c
}

// Wake implements actor.Actor.
func (c *Checkpointer) Wake() <-chan struct{} { return c.bell }

// Bell wakes the checkpointer up.
func (c *Checkpointer) Bell() actor.Bell { return c.bell }

// Run steps the checkpointer until ctx ends, at least once a second, and closes
// it.
func (c *Checkpointer) Run(ctx context.Context) {
	defer c.Close()
	t := c.clock.NewTimer(time.Second)
	defer t.Stop()
	for {
		for c.Step() {
			if ctx.Err() != nil {
				return
			}
		}
		select {
		case <-c.bell:
		case <-t.C():
			t.Reset(time.Second)
		case <-ctx.Done():
			return
		}
	}
}

// Close gives up the checkpoint under way. Whoever does not call Run calls Close
// after the last Step.
func (c *Checkpointer) Close() {
	if c.run != nil {
		c.run.stop()
	}
}

// Request asks for a checkpoint now; done gets the outcome of the next one that
// begins after the call and gets to the store.
func (c *Checkpointer) Request(done func(error)) {
	c.mu.Lock()
	c.waiting = append(c.waiting, done)
	c.mu.Unlock()
	c.bell.Ring()
}

// Stats reports what the checkpointer has done.
func (c *Checkpointer) Stats() CheckpointStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// arrival is a task that a lane is done with.
type arrival interface{ arrive(r *run) }

// deliver is called on a lane.
func (c *Checkpointer) deliver(a arrival) {
	c.mu.Lock()
	c.arrived = append(c.arrived, a)
	c.mu.Unlock()
	c.bell.Ring()
}

// Step implements actor.Actor.
func (c *Checkpointer) Step() bool {
	c.mu.Lock()
	arrived := c.arrived
	c.arrived = nil
	c.mu.Unlock()
	if c.run == nil {
		return c.maybeBegin() || len(arrived) > 0
	}
	for _, a := range arrived {
		a.arrive(c.run)
	}
	return c.proceed() || len(arrived) > 0
}

func (c *Checkpointer) maybeBegin() bool {
	now := c.clock.Now()
	if !c.due(now) {
		return false
	}
	c.mu.Lock()
	r := &run{Checkpointer: c, waiting: c.waiting}
	c.waiting = nil
	c.mu.Unlock()
	c.next = now.Add(c.opt.Every)
	c.run = r
	r.begin()
	return true
}

// due reports whether a checkpoint has to begin.
func (c *Checkpointer) due(now time.Time) bool {
	if c.pause > 0 {
		return !now.Before(c.next)
	}
	c.mu.Lock()
	requested := len(c.waiting) > 0
	c.mu.Unlock()
	gate := c.engine.opt.Gate
	return requested || gate != nil && gate.wants(c.done) || c.engine.log.Retained() >= c.opt.LogBytes ||
		!now.Before(c.next) || c.pressed(now)
}

// pressed reports whether memory asks for a checkpoint. While writers need not
// wait for it, it does not follow the last one at once: it costs more than its
// rows.
func (c *Checkpointer) pressed(now time.Time) bool {
	return c.engine.pressure.Load() && (c.engine.overBudget() || now.Sub(c.ended) >= pressedAfter)
}

const pressedAfter = 250 * time.Millisecond

// proceed lets the checkpoint under way come as far as it can.
func (c *Checkpointer) proceed() (worked bool) {
	r := c.run
	if r.failed {
		return c.retire(r)
	}
	over, worked := r.proceed()
	switch {
	case over && r.err != nil:
		c.fail(r)
	case over:
		c.succeed(r)
	}
	return worked
}

// succeed ends a checkpoint that is durable.
func (c *Checkpointer) succeed(r *run) {
	c.mu.Lock()
	c.stats.LastError = nil
	c.stats.Checkpoints++
	c.stats.Rows += r.rows
	c.mu.Unlock()
	c.engine.stuck.Store(nil)
	c.run, c.pause, c.done, c.ended = nil, 0, log.LSN(r.mark.LSN), c.clock.Now()
	c.engine.pressure.Store(false)
	for i := range c.engine.lanes {
		c.engine.submit(i, &kept{mark: r.kept})
	}
	c.engine.Credit.wakeAll()
	for _, done := range r.waiting {
		done(nil)
	}
}

// fail ends a checkpoint that the store did not take.
func (c *Checkpointer) fail(r *run) {
	c.mu.Lock()
	c.stats.LastError = r.err
	c.stats.Failures++
	c.mu.Unlock()
	for _, done := range r.waiting {
		done(r.err)
	}
	r.waiting = nil
	if c.engine.stuck.Swap(&r.err) == nil {
		c.engine.Credit.wakeAll() // to be turned away
	}
	r.abandon()
}

// retire forgets a checkpoint that has failed once the lanes have taken back what
// they handed over. Until then nothing may begin: its mark would cover keys that
// no lane calls dirty.
func (c *Checkpointer) retire(r *run) (worked bool) {
	if !r.takenBack() {
		return false
	}
	c.mu.Lock()
	c.waiting = append(r.waiting, c.waiting...)
	c.mu.Unlock()
	c.pause = min(max(2*c.pause, minPause), maxPause)
	c.run, c.next = nil, c.clock.Now().Add(c.pause)
	return true
}

// kept tells a lane what the store has durably, which may then leave memory.
type kept struct {
	read
	mark backing.Mark
}

// Step implements lane.Task.
func (k *kept) Step(v *lane.View) { v.Kept(k.mark) }

// Release implements lane.Task.
func (k *kept) Release(error) {}
