package engine

import (
	"errors"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// Level is how far an operation has come.
type Level uint8

// The levels that a single node tells apart.
const (
	// Merged: the owner has applied the operation.
	Merged Level = iota

	// Durable: the operation is in the synced log, and behind the gate if the
	// engine has one.
	Durable
)

// Batch is a group of operations that one caller waits for together. Operations
// run in order per key.
type Batch struct {
	Ops []records.Op

	// Results holds the outcome of each operation once Done is called without
	// an error.
	Results []records.Result

	// Until is the level that Done waits for.
	Until Level

	// Done is called once, on a lane or by whoever opens the gate. An error matches lane.ErrUnavailable or
	// records.ErrBusy: it is transient, and any of the operations may or may not
	// have happened.
	Done func(b *Batch, err error)

	left   atomic.Int32
	err    atomic.Pointer[error]
	engine *Engine
	onDisk atomic.Bool // held at the gate
}

// OnDisk reports whether a batch that waits for Durable, and is not done, is
// durable on this node and waits for the store behind it.
func (b *Batch) OnDisk() bool { return b.onDisk.Load() }

// part is the share of one lane in a batch. It outlives a batch that does not
// wait for durability, so it is never reused.
type part struct {
	batch *Batch
	lane  int
	lanes int
	early bool

	rest []int // operations that wait for the store
	next int   // the first operation that was not tried
}

// Do submits a batch for which the caller has reserved room.
func (e *Engine) Do(b *Batch) {
	b.Results = append(b.Results[:0], make([]records.Result, len(b.Ops))...)
	parts := make([]part, 0, len(e.lanes))
	for n := range e.lanes {
		for i := range b.Ops {
			if e.laneOf(b.Ops[i].Hash) == n {
				parts = append(parts, part{batch: b, lane: n, lanes: len(e.lanes)})
				break
			}
		}
	}
	b.engine = e
	b.onDisk.Store(false)
	b.err.Store(nil)
	b.left.Store(int32(len(parts)))
	if len(parts) == 0 {
		b.Done(b, nil)
		return
	}
	for i := range parts {
		p := &parts[i]
		if !e.lanes[p.lane].Submit(p) {
			p.Release(lane.ErrUnavailable)
		}
	}
}

func (e *Engine) laneOf(hash uint32) int { return int(partition.Of(hash)) % len(e.lanes) }

// Writes implements lane.Task.
func (p *part) Writes() bool { return true }

// Step implements lane.Task.
func (p *part) Step(v *lane.View) {
	b := p.batch
	if !p.doRest(v) {
		return
	}
	p.goOn(v)
	if b.Until == Merged && len(p.rest) == 0 && p.next == len(b.Ops) {
		p.early = true
		b.finish()
	}
}

// doRest carries out the operations that have what they waited for. It reports
// false when their group has no room for all of them: one at least is done then.
func (p *part) doRest(v *lane.View) bool {
	again := p.rest
	p.rest = p.rest[:0]
	worked := false
	for n, i := range again {
		if worked && v.Full() {
			p.rest = append(p.rest, again[n:]...)
			v.Pause()
			return false
		}
		p.do(v, i)
		worked = worked || p.batch.Results[i].Status != records.Asks
	}
	return true
}

// goOn carries out the operations of the lane that were not tried, as many as
// their group has room for, and one at least: a few bytes may remove a large
// record.
func (p *part) goOn(v *lane.View) {
	ops := p.batch.Ops
	worked := false
	var room [lane.Prefetched]int
	for at := p.next; at < len(ops); {
		mine := room[:0]
		for ; at < len(ops) && len(mine) < lane.Prefetched; at++ {
			if int(partition.Of(ops[at].Hash))%p.lanes == p.lane {
				mine = append(mine, at)
			}
		}
		v.Prefetch(ops, mine)
		for _, i := range mine {
			if worked && v.Full() {
				p.next = i
				v.Yield()
				return
			}
			p.do(v, i)
			worked = true
		}
		p.next = at
	}
}

// do carries out one operation, or puts it down for the next step.
func (p *part) do(v *lane.View, i int) {
	b := p.batch
	b.Results[i] = v.Do(&b.Ops[i])
	switch {
	case b.Results[i].Status == records.Asks:
		p.rest = append(p.rest, i)
	case errors.Is(b.Results[i].Err, records.ErrBusy):
		b.fail(records.ErrBusy)
	}
}

// Release implements lane.Task.
func (p *part) Release(err error) {
	if p.early {
		return
	}
	if err != nil {
		p.batch.fail(err)
	}
	p.batch.finish()
}

func (b *Batch) fail(err error) { b.err.CompareAndSwap(nil, &err) }

func (b *Batch) finish() {
	if b.left.Add(-1) != 0 {
		return
	}
	var err error
	if p := b.err.Load(); p != nil {
		err = *p
	}
	if gate := b.engine.opt.Gate; gate != nil && err == nil && b.Until == Durable && gate.hold(b, b.engine.log.Durable()) {
		return
	}
	b.Done(b, err)
}
