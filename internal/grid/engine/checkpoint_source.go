package engine

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// source is the part of one lane in a checkpoint.
type source struct {
	run  *run
	lane int

	// What the first visit found. Then the checkpointer puts the tables in order,
	// and afterwards they are the lane's.
	lsn     log.LSN
	reached map[partition.ID]backing.Pos
	reloads uint64
	tables  []*records.Unsaved
	next    int // the table that is collected

	// The checkpointer's.
	ready []*slice // released, in order
	at    int      // the row of the first that comes next
	ended bool     // nothing comes behind the last of ready
}

// ask sends a new slice to the lane.
func (src *source) ask() {
	r := src.run
	r.engine.submit(src.lane, &slice{from: src, rows: records.NewRows(r.opt.SliceBytes)})
}

// known reports whether head tells.
func (src *source) known() bool { return src.ended || src.head() != nil }

// head is the next row, nil when it has not come or there is none.
func (src *source) head() *backing.Write {
	if len(src.ready) == 0 {
		return nil
	}
	return &src.ready[0].rows.List[src.at]
}

// advance goes on to the row after head.
func (src *source) advance() {
	s := src.ready[0]
	if src.at++; src.at < len(s.rows.List) {
		return
	}
	src.at = 0
	src.ready = src.ready[1:]
	if !src.ended {
		src.run.engine.submit(src.lane, s)
	}
}

// visit collects the next rows. It fails when the lane has loaded partitions
// again since the first visit: other tables are dirty then.
func (src *source) visit(v *lane.View, rows *records.Rows) (ok, last bool) {
	if v.Stats().Reloads != src.reloads {
		return false, false
	}
	left := src.run.opt.SliceRows
	for ; src.next < len(src.tables); src.next++ {
		before := len(rows.List)
		more := src.tables[src.next].Collect(rows, left)
		left -= max(1, len(rows.List)-before) // a table costs something even if nothing comes of it
		if more || left <= 0 || rows.Full() {
			if !more {
				src.next++
			}
			break
		}
	}
	return true, src.next == len(src.tables)
}

// mark fixes what the checkpoint reaches on this lane: everything that the lane
// has appended so far is before the end of the log, and dirty.
func (src *source) mark(v *lane.View) {
	src.lsn = v.LogEnd()
	src.reached = map[partition.ID]backing.Pos{}
	src.reloads = v.Stats().Reloads
	v.Replicas(func(r *records.Replica) bool {
		if r.Seq() > 0 {
			src.reached[r.ID] = backing.Pos{Epoch: r.Epoch, Seq: r.Seq()}
		}
		return true
	})
	src.tables = v.Shared().TakeUnsaved()
}

// slice is one visit of a lane; the first one brings what the checkpoint reaches,
// the others rows.
type slice struct {
	read
	from *source
	rows *records.Rows

	marked bool // was the first
	last   bool // nothing comes behind it
	ok     bool // released, and the lane has loaded nothing again
}

// slicesAhead is how many slices of a lane are collected before the store takes
// them.
const slicesAhead = 2

// Step implements lane.Task.
func (s *slice) Step(v *lane.View) {
	c := s.from.run.Checkpointer
	begun := c.clock.Now()
	if s.from.reached == nil {
		s.from.mark(v)
		s.marked, s.ok = true, true
	} else {
		s.rows.Reset()
		s.marked = false
		s.ok, s.last = s.from.visit(v, s.rows)
	}
	took := c.clock.Now().Sub(begun)
	c.mu.Lock()
	c.stats.LongestSlice = max(c.stats.LongestSlice, took)
	c.mu.Unlock()
	if c.opt.OnSlice != nil {
		c.opt.OnSlice(took)
	}
}

// Release implements lane.Task.
func (s *slice) Release(err error) {
	s.ok = s.ok && err == nil
	s.from.run.deliver(s)
}

func (s *slice) arrive(r *run) {
	src := s.from
	switch {
	case src.run != r || r.failed:
		// Left over, or to be taken back.
	case !s.ok:
		r.abandon()
	case s.marked:
		r.reaches(src)
		slices.SortFunc(src.tables, (*records.Unsaved).Compare)
		r.engine.submit(src.lane, s)
		for range slicesAhead - 1 {
			src.ask()
		}
	case !src.ended:
		src.ended = s.last
		if len(s.rows.List) > 0 {
			src.ready = append(src.ready, s)
		} else if !s.last {
			r.engine.submit(src.lane, s)
		}
	}
}

// takeBack has a lane take back everything that it handed over in a checkpoint,
// between its other work. It comes behind all slices.
type takeBack struct {
	read
	from    *source
	next    int // the table that is taken back
	stepped bool
}

// Step implements lane.Task.
func (t *takeBack) Step(*lane.View) {
	if mistake.LoseWhatFailed {
		t.next = len(t.from.tables)
	}
	for left := t.from.run.opt.SliceRows; left > 0 && !t.done(); t.next++ {
		left -= t.from.tables[t.next].GiveBack()
	}
	t.stepped = true
}

func (t *takeBack) done() bool { return t.next == len(t.from.tables) }

// Release implements lane.Task.
func (t *takeBack) Release(error) { t.from.run.deliver(t) }

func (t *takeBack) arrive(r *run) {
	switch {
	case t.from.run != r:
	case !t.stepped: // the lane could not load its partitions
		r.again = append(r.again, t)
	case t.done():
		r.back--
	default:
		t.stepped = false
		r.engine.submit(t.from.lane, t)
	}
}
