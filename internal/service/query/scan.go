package query

import (
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
)

// wantScan queues a standing query for a scan. One that has a scan, or waits
// for one, is not queued again.
func (s *Service) wantScan(q *standing) {
	if q.scan != nil || q.queued {
		return
	}
	q.queued = true
	s.queue = append(s.queue, q)
}

func (s *Service) startScans() {
	for len(s.queue) > 0 && s.scanning < s.opt.Scans {
		q := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		q.queued = false
		if !q.unused() {
			s.start(q)
		}
	}
}

func (s *Service) start(q *standing) {
	s.metrics.scans.Inc()
	s.scanning++
	q.waiting = append(q.waiting, q.later...)
	q.later = nil
	n := s.engine.Lanes()
	q.scan = &scan{standing: q, window: newWindow(q.plan), places: make([]engine.Place, n), left: n}
	for lane := range n {
		s.ask(q.scan, lane)
	}
}

func (s *Service) ask(sc *scan, lane int) {
	p := sc.standing.plan
	now := s.clock.Now().UnixMilli()
	s.engine.Scan(engine.ScanRequest{
		Map: p.mapName, Lane: lane, From: sc.places[lane], Budget: s.opt.SliceRows,
		Keep: func(key, state string) bool { return p.row(key, state, now) != nil },
		Scan: sc, To: s.inbox,
	})
}

// slice takes what a lane has found.
func (s *Service) slice(sl engine.Slice) {
	sc, ok := sl.Scan.(*scan)
	if !ok || sc.standing.scan != sc {
		return // given up meanwhile
	}
	q := sc.standing
	if sl.Err != nil {
		// The lane cannot answer now. The place is kept and asked for again with
		// the next sweep.
		s.stalled = append(s.stalled, stalledSlice{sc, sl.Lane})
		return
	}
	now := s.clock.Now().UnixMilli()
	for i := range sl.Rows {
		r := &sl.Rows[i]
		sc.window.set(r.Key, q.plan.row(r.Key, r.State, now), nil)
	}
	sc.places[sl.Lane] = sl.Next
	if !sl.Next.Done {
		s.ask(sc, sl.Lane)
		return
	}
	if sc.left--; sc.left == 0 {
		s.finish(q)
	}
}

// stalledSlice is a part of a scan whose lane could not answer.
type stalledSlice struct {
	scan *scan
	lane int
}

// Sweep asks again where a lane could not answer. It is called about once a
// second.
func (s *Service) Sweep() {
	s.commands.Push(command{sweep: true})
}

func (s *Service) retryStalled() {
	stalled := s.stalled
	s.stalled = nil
	for _, st := range stalled {
		if st.scan.standing.scan == st.scan {
			s.ask(st.scan, st.lane)
		}
	}
}

// finish makes the scanned window the live one, unless it has run short
// meanwhile: those who listen get the difference, those who wait get their
// answer.
func (s *Service) finish(q *standing) {
	sc := q.scan
	q.scan = nil
	s.scanning--
	if sc.window.short() {
		// Removals have used up what was found, and no answer is ever partial.
		s.wantScan(q)
		return
	}
	if q.filling {
		s.updates = sc.window.compareShown(q.shown, s.updates[:0])
		q.filling, q.shown = false, nil
		s.sendUpdates(q, s.updates)
	}
	q.window = sc.window
	waiting := q.waiting
	q.waiting = nil
	for _, sub := range waiting {
		s.answer(sub)
		if q.plan.groups == nil {
			q.subs = append(q.subs, sub)
		}
	}
	if q.plan.groups != nil {
		q.window = nil // answered; there is nothing to keep
		return
	}
	if len(q.later) > 0 {
		s.wantScan(q)
	}
}

// cancelScan gives up the scan of a query that nobody asks any more.
func (s *Service) cancelScan(q *standing) {
	if q.scan != nil {
		q.scan = nil
		s.scanning--
	}
}

// gap scans everything again: changes were lost. What clients have been shown
// is compared with the new result.
func (s *Service) gap() {
	s.metrics.gaps.Inc()
	for _, name := range slices.Sorted(maps.Keys(s.maps)) {
		m := s.maps[name]
		for _, q := range m.order {
			if q.window != nil && !q.filling {
				q.filling, q.shown = true, append([]*row(nil), q.window.shown()...)
			}
			s.cancelScan(q)
			s.wantScan(q)
		}
		for _, st := range m.followers {
			st.caller.Out.Close(errGap)
		}
	}
}

// change tells everyone concerned of one change.
func (s *Service) change(c *change.Record) {
	m := s.maps[c.Map]
	if m == nil {
		return
	}
	now := s.clock.Now().UnixMilli()
	s.tellFollowers(m, c, now)
	if c.Kind != change.KindLWW {
		return
	}
	for _, q := range m.order {
		ups, short := q.apply(s.engine, c.Key, c.KeyHash, c.After, now, s.updates[:0])
		s.updates = ups
		if short {
			s.wantScan(q)
		}
		s.sendUpdates(q, ups)
	}
}
