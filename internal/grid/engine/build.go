package engine

import (
	"errors"

	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// An index is built by a pass over the records of each lane, in slices between
// the lane's other work. The place of the pass is the lane's: a change of a key
// that the pass is behind goes into the index at once, a change of another is
// left to the pass.

// begin makes the index known and has every lane build its part.
func (x *Indexes) begin(d index.Definition, atStart bool) {
	b := &indexBuild{IndexInfo: IndexInfo{Definition: d, AtStart: atStart}, lanes: make([]laneBuild, len(x.engine.lanes))}
	x.mu.Lock()
	if x.find(d) != nil {
		x.mu.Unlock()
		return
	}
	x.byMap[d.Map] = append(x.byMap[d.Map], b)
	x.mu.Unlock()
	left := NewGather(len(x.engine.lanes), func(error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		b.Done = true
	})
	for n := range x.engine.lanes {
		x.submit(n, func(v *lane.View) {
			v.Shared().AddIndex(d)
			x.progress(b, n, func(l *laneBuild) { l.total = count(v, d.Map) })
		}, func() { x.slice(b, n, Place{}, left) })
	}
}

// count is how many records a lane has of a map, as far as they are in memory.
func count(v *lane.View, mapName string) (n int) {
	m := v.Shared().Find(mapName)
	if m == nil {
		return 0
	}
	v.Replicas(func(r *records.Replica) bool {
		if t := r.Table(m); t != nil {
			n += t.Len()
		}
		return true
	})
	return n
}

// slice puts the next records of a lane into its index.
func (x *Indexes) slice(b *indexBuild, n int, from Place, left *Gather) {
	seen := 0
	t := &passRead{}
	var on *records.LaneIndex
	t.before = func(v *lane.View) { on, seen = v.Shared().Index(b.Definition), 0 }
	t.req = ScanRequest{Map: b.Map, Lane: n, From: from, Budget: x.engine.opt.IndexRows, Keep: func(key, state string) bool {
		if seen++; on != nil {
			on.IndexState(key, state)
		}
		return false
	}}
	t.after = func(next Place) {
		if on == nil {
			return
		}
		if on.Covered = next.Covers; next.Done {
			on.Covered = nil
		}
		x.progress(b, n, func(l *laneBuild) {
			l.processed += seen
			l.total = max(l.total, l.processed)
			l.entries, l.bytes = on.Len(), on.Bytes()
		})
	}
	t.release = func(_ []Row, next Place, err error) {
		switch {
		case x.dropped(b):
		case err != nil:
			// What was put in stays; the same records come again.
			x.later(func() { x.slice(b, n, from, left) })
		case next.Done:
			left.Done(nil)
		default:
			x.slice(b, n, next, left)
		}
	}
	x.engine.submit(n, t)
}

func (x *Indexes) progress(b *indexBuild, n int, fn func(*laneBuild)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	fn(&b.lanes[n])
}

func (x *Indexes) dropped(b *indexBuild) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return b.gone
}

// submit runs call on a lane, and then what follows; it tries until it can.
func (x *Indexes) submit(n int, call func(*lane.View), then func()) {
	x.engine.submit(n, &laneCall{call: call, done: func(err error) {
		if err != nil {
			x.later(func() { x.submit(n, call, then) })
			return
		}
		then()
	}})
}

// laneCall runs a function on a lane.
type laneCall struct {
	read
	call func(*lane.View)
	done func(error)
}

// Step implements lane.Task.
func (c *laneCall) Step(v *lane.View) { c.call(v) }

// Release implements lane.Task.
func (c *laneCall) Release(err error) {
	if c.done != nil {
		c.done(err)
	}
}

// passRead is a slice of a scan whose rows and place stay here. before and after
// run on the lane, around the reading.
type passRead struct {
	scanRead
	before  func(v *lane.View)
	after   func(next Place)
	release func(rows []Row, next Place, err error)
}

// Step implements lane.Task.
func (p *passRead) Step(v *lane.View) {
	if p.before != nil {
		p.before(v)
	}
	p.scanRead.Step(v)
	if p.after != nil && p.err == nil && !v.Waits() {
		p.after(p.next)
	}
}

// Release implements lane.Task.
func (p *passRead) Release(err error) {
	p.pins.drop()
	p.release(p.rows, p.next, errors.Join(err, unread(p.err)))
}
