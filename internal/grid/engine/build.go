package engine

import (
	"errors"
	"time"

	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// An index is built by a pass over the records of each lane, in slices between
// the lane's other work, each as long as sliceTime at most and with a break behind
// it. The place of the pass is the lane's: a change of a key
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
		}, func() { x.slice(&building{b: b, lane: n, rows: min(firstRows, x.engine.opt.IndexRows), left: left}) })
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

// building is the building of one lane's part of an index.
type building struct {
	b    *indexBuild
	lane int
	from Place
	rows int // of the next slice, at most
	left *Gather
}

const (
	// sliceTime is how long a slice should take: what a write behind it waits for.
	sliceTime = time.Millisecond

	// firstRows are the records of the first slice, when nobody knows yet how long
	// one takes.
	firstRows = 32
)

// rowsFor is how many records the next slice may have, after so many took a time:
// as many as take sliceTime, most at most, and no more than twice as many as
// before, because the time may have been a lucky one.
func rowsFor(rows int, took time.Duration, most int) int {
	next := 2 * rows
	if took > 0 {
		next = int(min(int64(next), int64(rows)*int64(sliceTime)/int64(took)))
	}
	return min(max(next, 1), most)
}

// slice puts the next records of a lane into its index.
func (x *Indexes) slice(w *building) {
	seen := 0
	t := &passRead{}
	var on *records.LaneIndex
	var began time.Time
	var took time.Duration
	t.before = func(v *lane.View) {
		on, seen, began = v.Shared().Index(w.b.Definition), 0, x.engine.wall.Now()
	}
	t.req = ScanRequest{Map: w.b.Map, Lane: w.lane, From: w.from, Budget: w.rows, Keep: func(key, state string) bool {
		if seen++; on != nil {
			on.IndexState(key, state)
		}
		return false
	}}
	t.after = func(next Place) {
		took = x.engine.wall.Now().Sub(began)
		if on == nil {
			return
		}
		if on.Covered = next.Covers; next.Done {
			on.Covered = nil
		}
		x.progress(w.b, w.lane, func(l *laneBuild) {
			l.processed += seen
			l.total = max(l.total, l.processed)
			l.entries, l.bytes = on.Len(), on.Bytes()
		})
	}
	t.release = func(_ []Row, next Place, err error) {
		switch {
		case x.dropped(w.b):
		case err != nil:
			// What was put in stays; the same records come again.
			x.later(func() { x.slice(w) })
		case next.Done:
			w.left.Done(nil)
		default:
			w.from, w.rows = next, rowsFor(w.rows, took, x.engine.opt.IndexRows)
			x.engine.Breaks.take(took, func() { x.slice(w) })
		}
	}
	x.engine.submit(w.lane, t)
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
	p.look(v)
	if p.after != nil && p.err == nil && !v.Waits() {
		p.after(p.next)
	}
}

// Release implements lane.Task.
func (p *passRead) Release(err error) {
	p.pins.drop()
	p.release(p.rows, p.next, errors.Join(err, unread(p.err)))
}
