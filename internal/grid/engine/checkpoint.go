package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
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
	// other work: what bounds the stall of a write. One row always fits. Defaults
	// 512 and 1 MiB.
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
		o.SliceRows = 512
	}
	if o.SliceBytes == 0 {
		o.SliceBytes = 1 << 20
	}
	return o
}

// Checkpointer writes what has changed to the store, so that the log behind it
// can be dropped.
//
// A checkpoint begins by asking each lane how far its log goes and which keys
// are dirty: that position is what the checkpoint will reach. The lanes then
// hand over the states of these keys in slices, between their other work. A
// state handed over later may be newer than the position; it carries the
// sequence number that wrote it, and replay skips what it covers. A slice is
// released like any read, after what it saw is durable, so the store never holds
// a state whose append could still fail. When all slices are in, rows and mark
// are written as one, and only then may the log be dropped up to the mark.
//
// A store that fails keeps the rows waiting: the checkpoint is tried again, no
// other begins, and a log that has grown to its bound stops admission.
type Checkpointer struct {
	engine *Engine
	opt    CheckpointOptions
	clock  clock.Clock
	bell   actor.Bell
	ctx    context.Context

	next  time.Time
	ended time.Time // the last checkpoint
	done  log.LSN   // what it reached
	run   *run      // the checkpoint under way, nil between them

	mu      sync.Mutex
	arrived []*share
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

// Run steps the checkpointer until ctx ends, at least once a second.
func (c *Checkpointer) Run(ctx context.Context) {
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

// Request asks for a checkpoint now; done gets the outcome of the next one that
// begins after the call.
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

// run is one checkpoint under way.
type run struct {
	mark    backing.Mark
	kept    backing.Mark // what the store says is durable once the rows are written
	rows    []backing.Write
	left    int // lanes that have not handed over everything
	started bool
	retry   []*share // to be asked again at again
	again   time.Time
	waiting []func(error)
}

// retryAfter is how long a lane that could not answer, or a store that failed,
// is left alone.
const retryAfter = 100 * time.Millisecond

// Step implements actor.Actor.
func (c *Checkpointer) Step() bool {
	if c.run == nil {
		return c.maybeBegin()
	}
	if (c.run.left == 0 || len(c.run.retry) > 0) && c.clock.Now().Before(c.run.again) {
		return false
	}
	if c.run.left == 0 {
		return c.finish()
	}
	for _, s := range c.run.retry {
		c.engine.submit(s.lane, s)
	}
	c.run.retry = nil
	c.mu.Lock()
	arrived := c.arrived
	c.arrived = nil
	c.mu.Unlock()
	for _, s := range arrived {
		c.take(s)
	}
	return len(arrived) > 0
}

func (c *Checkpointer) maybeBegin() bool {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	gate := c.engine.opt.Gate
	awaited := gate != nil && gate.wants(c.done)
	if len(c.waiting) == 0 && !awaited && c.engine.log.Retained() < c.opt.LogBytes && now.Before(c.next) && !c.pressed(now) {
		return false
	}
	c.run = &run{
		mark: backing.Mark{Partitions: map[partition.ID]backing.Pos{}},
		left: len(c.engine.lanes), waiting: c.waiting,
	}
	c.waiting = nil
	c.next = now.Add(c.opt.Every)
	for i := range c.engine.lanes {
		c.run.retry = append(c.run.retry, &share{to: c, lane: i, budget: c.opt.SliceRows})
	}
	return true
}

// pressed reports whether memory asks for a checkpoint. While writers need not
// wait for it, it does not follow the last one at once: it costs more than its
// rows.
func (c *Checkpointer) pressed(now time.Time) bool {
	return c.engine.pressure.Load() && (c.engine.overBudget() || now.Sub(c.ended) >= pressedAfter)
}

const pressedAfter = 250 * time.Millisecond

// take adds what a lane has handed over, and asks it for more.
func (c *Checkpointer) take(s *share) {
	r := c.run
	if s.failed {
		r.retry = append(r.retry, s)
		r.again = c.clock.Now().Add(retryAfter)
		return
	}
	r.rows = append(r.rows, s.rows...)
	s.rows = nil
	if len(s.dirty) > 0 {
		c.engine.submit(s.lane, s)
		return
	}
	if lsn := uint64(s.lsn); !r.started || lsn < r.mark.LSN {
		r.mark.LSN, r.started = lsn, true
	}
	maps.Copy(r.mark.Partitions, s.reached)
	r.left--
}

// finish writes the checkpoint. While the store fails the checkpoint stays and
// is tried again.
func (c *Checkpointer) finish() bool {
	r := c.run
	err := c.write(r)
	c.mu.Lock()
	c.stats.LastError = err
	if err != nil {
		c.stats.Failures++
	} else {
		c.stats.Checkpoints++
		c.stats.Rows += uint64(len(r.rows))
	}
	c.mu.Unlock()
	for _, done := range r.waiting {
		done(err)
	}
	r.waiting = nil
	if err != nil {
		r.again = c.clock.Now().Add(retryAfter)
		if c.engine.stuck.Swap(&err) == nil {
			c.engine.Credit.wakeAll() // to be turned away
		}
		return false
	}
	c.engine.stuck.Store(nil)
	c.run, c.done, c.ended = nil, log.LSN(r.mark.LSN), c.clock.Now()
	c.engine.pressure.Store(false)
	for i := range c.engine.lanes {
		c.engine.submit(i, &kept{mark: r.kept})
	}
	c.engine.Credit.wakeAll()
	return true
}

func (c *Checkpointer) write(r *run) error {
	// A key may have been handed over twice, when its partition was loaded again
	// meanwhile or when it changed between two slices; the later state counts, and
	// that may be that it is gone.
	slices.SortFunc(r.rows, func(a, b backing.Write) int {
		if n := a.Key.Compare(b.Key); n != 0 {
			return n
		}
		if n := cmp.Compare(b.Seq, a.Seq); n != 0 || a.Delete == b.Delete {
			return n
		}
		if a.Delete {
			return -1 // nothing removes a key and writes it again under one number
		}
		return +1
	})
	r.rows = slices.CompactFunc(r.rows, func(a, b backing.Write) bool { return a.Key == b.Key })
	// The end of the log that the lanes saw may have failed in the meantime; after
	// a crash the log would go on before it, and a later mark would go backwards.
	r.mark.LSN = min(r.mark.LSN, uint64(c.engine.log.Durable()))
	if mistake.DropReadableLog {
		_ = c.engine.log.DropBefore(log.LSN(r.mark.LSN))
	}
	// A log that ended with frames that failed, or that a power cut took back, ends
	// before them when it is opened again. It goes on beyond, so nothing lies
	// between its end and the last mark.
	last, err := c.engine.store.Mark(c.ctx)
	if err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	r.mark.LSN = max(r.mark.LSN, last.LSN)
	if err := c.engine.store.Apply(c.ctx, slices.Values(r.rows), r.mark); err != nil {
		return fmt.Errorf("write a checkpoint of %d rows: %w", len(r.rows), err)
	}
	// Only what the store says is durable permits dropping log (LOG-DROP).
	mark, err := c.engine.store.Mark(c.ctx)
	if err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	r.kept = mark
	if err := c.engine.log.DropBefore(log.LSN(mark.LSN)); err != nil {
		return fmt.Errorf("drop the log before %d: %w", mark.LSN, err)
	}
	return nil
}

// share is the part of one lane in a checkpoint; it visits the lane as often as
// it takes to hand over everything that was dirty at its first visit.
type share struct {
	read
	to     *Checkpointer
	lane   int
	budget int

	begun   bool // the first visit was released
	lsn     log.LSN
	reached map[partition.ID]backing.Pos
	dirty   []remaining

	rows   []backing.Write // of the last visit
	failed bool            // the last visit was
}

// remaining counts the keys of one partition that are still to be collected.
type remaining struct {
	id    partition.ID
	n     int
	loads int
}

// Step implements lane.Task.
func (s *share) Step(v *lane.View) {
	begun := s.to.clock.Now()
	s.collect(v)
	took := s.to.clock.Now().Sub(begun)
	s.to.mu.Lock()
	s.to.stats.LongestSlice = max(s.to.stats.LongestSlice, took)
	s.to.mu.Unlock()
	if s.to.opt.OnSlice != nil {
		s.to.opt.OnSlice(took)
	}
}

// collectAtOnce is how many rows are collected before their bytes are counted.
const collectAtOnce = 32

func (s *share) collect(v *lane.View) {
	if s.failed {
		s.undo(v)
	}
	if !s.begun {
		s.begin(v)
	}
	budget, bytes := s.budget, s.to.opt.SliceBytes
	for budget > 0 && bytes > 0 && len(s.dirty) > 0 {
		d := &s.dirty[0]
		r := v.Replica(d.id)
		if r.Loads() != d.loads {
			// Loaded again since the last visit: what was dirty is dirty once more,
			// in another order.
			d.n, d.loads = r.Dirty(), r.Loads()
		}
		n, had := min(d.n, budget, collectAtOnce), len(s.rows)
		s.rows = r.Collect(s.rows, n)
		budget -= n
		for i := range s.rows[had:] {
			bytes -= len(s.rows[had+i].State)
		}
		if d.n -= n; d.n == 0 {
			s.dirty = s.dirty[1:]
		}
	}
}

// begin fixes what the checkpoint reaches on this lane: everything that the lane
// has appended so far is before the end of the log, and dirty.
func (s *share) begin(v *lane.View) {
	s.lsn = v.LogEnd()
	s.reached = map[partition.ID]backing.Pos{}
	s.dirty = nil
	v.Replicas(func(r *records.Replica) bool {
		if r.Seq() > 0 {
			s.reached[r.ID] = backing.Pos{Epoch: r.Epoch, Seq: r.Seq()}
		}
		if r.Dirty() > 0 {
			s.dirty = append(s.dirty, remaining{r.ID, r.Dirty(), r.Loads()})
		}
		return true
	})
}

// undo gives back the rows of a visit that was not released: what they hold may
// have failed, and they are dirty still.
func (s *share) undo(v *lane.View) {
	s.failed = false
	var again []partition.ID
	for i := range s.rows {
		id := s.rows[i].Partition
		v.Replica(id).Redirty(&s.rows[i])
		if !slices.Contains(again, id) {
			again = append(again, id)
		}
	}
	s.rows = nil
	for _, id := range again {
		// They queue up behind everything else that is dirty now.
		s.dirty = slices.DeleteFunc(s.dirty, func(d remaining) bool { return d.id == id })
		r := v.Replica(id)
		s.dirty = append(s.dirty, remaining{id, r.Dirty(), r.Loads()})
	}
}

// Release implements lane.Task.
func (s *share) Release(err error) {
	s.failed = err != nil
	s.begun = s.begun || err == nil
	c := s.to
	c.mu.Lock()
	c.arrived = append(c.arrived, s)
	c.mu.Unlock()
	c.bell.Ring()
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
