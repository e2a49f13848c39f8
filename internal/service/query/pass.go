package query

import (
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/conditions"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// pass reads a whole map once, for all standing queries that want it.
type pass struct {
	m       *mapState
	index   conditions.Index[*wanted] // not changed once the pass has begun
	members []*standing
	users   int  // of members, those that still want it
	over    bool // done, or nobody wants it
	places  []engine.Place
	left    int // lanes that are not done
	now     int64
	rows    uint64 // seen so far
	looked  int    // records, wanted or not
}

// wanted is a condition with those of its standing queries that are in a pass.
type wanted struct {
	plan      *plan
	standings []*standing
	row       uint64 // the last one that it was found for
}

// wantPass queues a standing query for a pass. One that has a scan, or waits for
// one, is not queued again.
func (s *Service) wantPass(q *standing) {
	if q.scan != nil || q.queued {
		return
	}
	q.queued = true
	m := s.maps[q.plan.mapName]
	if len(m.want) == 0 {
		s.queue = append(s.queue, m)
	}
	m.want = append(m.want, q)
}

func (s *Service) startPasses() {
	for len(s.queue) > 0 && s.passes < s.opt.Scans {
		m := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.start(m)
	}
}

// start begins the pass that the queries of a map want.
func (s *Service) start(m *mapState) {
	n := s.engine.Lanes()
	p := &pass{m: m, places: make([]engine.Place, n), left: n, now: s.clock.Now().UnixMilli()}
	found := map[*condition]*wanted{}
	for _, q := range m.want {
		q.queued = false
		if q.users == 0 {
			continue
		}
		for _, sub := range q.later.take() {
			q.waiting.add(sub)
		}
		q.scan = &scan{pass: p, result: newResult(q.plan, q.fills, p.now)}
		p.members = append(p.members, q)
		w := found[q.cond]
		if w == nil {
			w = &wanted{plan: q.plan}
			found[q.cond] = w
			p.index.Add(q.plan.node, w)
		}
		w.standings = append(w.standings, q)
	}
	clear(m.want)
	if m.want = m.want[:0]; len(p.members) == 0 {
		return
	}
	s.metrics.scans.Inc()
	s.passes++
	p.users = len(p.members)
	for lane := range n {
		s.ask(p, lane)
	}
}

// ask asks a lane for the next slice. Slices are shorter where more queries look
// at each record.
func (s *Service) ask(p *pass, lane int) {
	var kind change.Kind // the map may get it while the pass is under way
	s.engine.Scan(engine.ScanRequest{
		Map: p.m.name, Lane: lane, From: p.places[lane], Budget: max(1, s.opt.SliceRows/(1+len(p.members)/64)),
		Keep: func(key, state string) bool {
			if kind == change.KindNone {
				kind = s.engine.Kinds().Of(p.m.name)
			}
			doc := document.Of(kind, state, p.now)
			return doc.There && !p.index.Visit(key, doc.Full, func(w *wanted) bool { return !w.plan.match.Match(key, doc.Full) })
		},
		Scan: p, To: s.inbox,
	})
}

// slice takes what a lane has found.
func (s *Service) slice(sl engine.Slice) {
	if e, ok := sl.Scan.(*explaining); ok {
		s.explainedSlice(e, &sl)
		return
	}
	p, ok := sl.Scan.(*pass)
	if !ok || p.over {
		return // given up meanwhile
	}
	if sl.Err != nil {
		// The lane cannot answer now. The place is kept and asked for again with
		// the next sweep.
		s.stalled = append(s.stalled, stalledSlice{p, sl.Lane})
		return
	}
	kind := s.engine.Kinds().Of(p.m.name)
	for i := range sl.Rows {
		p.admit(kind, &sl.Rows[i])
	}
	p.looked += sl.Looked
	p.places[sl.Lane] = sl.Next
	if !sl.Next.Done {
		s.ask(p, sl.Lane)
		return
	}
	if p.left--; p.left > 0 {
		return
	}
	s.endPass(p)
	s.saw(p)
	for _, q := range p.members {
		if q.scan != nil && q.scan.pass == p {
			s.finish(q)
		}
	}
}

// admit adds a record to every result that it belongs to.
func (p *pass) admit(kind change.Kind, r *engine.Row) {
	doc := document.Of(kind, r.State, p.now)
	if !doc.There {
		return
	}
	p.rows++
	p.index.Visit(r.Key, doc.Full, func(w *wanted) bool {
		if w.row == p.rows {
			return true
		}
		if w.row = p.rows; !w.plan.match.Match(r.Key, doc.Full) {
			return true
		}
		for _, q := range w.standings {
			if q.scan != nil && q.scan.pass == p {
				q.scan.result.admit(r.Key, r.State, &doc)
			}
		}
		return true
	})
}

// stalledSlice is a part of a pass whose lane could not answer.
type stalledSlice struct {
	pass *pass
	lane int
}

func (s *Service) retryStalled() {
	stalled := s.stalled
	s.stalled = nil
	for _, st := range stalled {
		if !st.pass.over {
			s.ask(st.pass, st.lane)
		}
	}
}

// finish makes the scanned result the live one, unless its window has run short
// meanwhile: those who listen get the difference, those who wait get their
// answer.
func (s *Service) finish(q *standing) {
	r := q.scan.result
	q.scan = nil
	r.complete()
	if r.window.short() {
		// Removals have used up what was found, and no answer is ever partial.
		q.fills++
		s.wantRows(q)
		return
	}
	if failed := r.failed(); failed != nil {
		s.end(q, failed)
		return
	}
	s.replace(q, r)
	for _, sub := range q.waiting.take() {
		s.answer(sub)
	}
	for _, sub := range q.later.take() {
		s.fence(sub)
	}
}

// replace puts another result in the place of the live one and tells those who
// listen the difference.
func (s *Service) replace(q *standing, r *result) {
	h := &s.maps[q.plan.mapName].history
	before, from := q.shown, q.from
	if !q.filling {
		if from = h.now(); q.live != nil {
			before = q.live.window.shown()
		}
	}
	if len(q.subs.subs) > 0 {
		s.updates = r.window.compareShown(before, s.updates[:0])
		for _, u := range s.updates {
			if u.kind == leave && !q.filling && q.plan.groups == nil {
				// It has expired: no change of the map says so.
				h.add(u.row.key, u.row.state, "")
			}
		}
	}
	q.filling, q.shown, q.live = false, nil, r
	q.answers = [2]*wire.FanOut{}
	q.recount = q.plan.total
	s.noteTotal(q)
	if len(q.subs.subs) > 0 {
		s.sendUpdates(q, s.updates, from)
	}
}

// cancelPass gives up the scan of a query that nobody asks any more, or that
// begins again.
func (s *Service) cancelPass(q *standing) {
	if q.scan == nil {
		return
	}
	p, k := q.scan.pass, q.scan.seek
	q.scan = nil
	if k != nil {
		s.endSeek(k)
		return
	}
	if p.users--; p.users == 0 && !p.over {
		s.endPass(p)
	}
}

func (s *Service) endPass(p *pass) {
	p.over = true
	s.passes--
}

// gap answers everything again: changes were lost. What clients have been shown
// is compared with the new result.
func (s *Service) gap() {
	s.metrics.gaps.Inc()
	for _, name := range slices.Sorted(maps.Keys(s.maps)) {
		m := s.maps[name]
		m.history.begin(s.nextEpoch())
		for _, q := range m.standings {
			if q.live != nil && !q.filling {
				q.filling, q.shown = true, append([]*row(nil), q.live.window.shown()...)
			}
			q.from = position{} // nowhere in the new epoch
			s.cancelPass(q)
			s.wantRows(q)
		}
		for _, st := range m.followers {
			st.caller.Out.Close(errGap)
		}
	}
	s.loseFences()
	for e := range s.explains {
		s.explainNext(e, 0, false, service.ErrBusy)
	}
}
