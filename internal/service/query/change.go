package query

import (
	"cmp"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// change tells everyone concerned of one change, which is looked at now.
func (s *Service) change(r *change.Record, now int64) {
	m := s.maps[r.Map]
	if m == nil || r.Verb == change.Forget {
		return // no document changes when tombstones are forgotten
	}
	if m.index.Len() > 0 || m.resumable {
		s.changed.load(r, now)
	}
	from := m.history.now()
	if m.resumable {
		m.history.add(r.Key, s.changed.before.state, s.changed.after.state)
		m.history.trim(s.opt.HistoryEvents, s.opt.HistoryBytes)
	}
	hits := s.find(m)
	s.tellFollowers(m, r, hits, now)
	for _, cond := range hits {
		s.changed.was, s.changed.is = cond.was, cond.is
		for _, q := range cond.standings {
			ups, short := q.apply(s.engine, &s.changed, from, s.updates[:0])
			s.updates = ups
			switch {
			case short:
				s.wantRows(q)
			case q.live != nil && q.live.failed() != nil:
				s.failing = append(s.failing, q)
			default:
				s.sendUpdates(q, ups, from)
				s.noteTotal(q)
			}
		}
	}
	for _, q := range s.failing {
		s.end(q, q.live.failed())
	}
	clear(s.failing)
	s.failing = s.failing[:0]
}

// find returns the conditions of a map that hold for the changed record before
// or after, and the one that holds for everything, in the order in which they
// were made.
func (s *Service) find(m *mapState) []*condition {
	s.event++
	s.hits = s.hits[:0]
	if m.index.Len() == 0 {
		return nil
	}
	c := &s.changed
	if all := m.byText[""]; all != nil {
		s.hit(all) // also where there was nothing and is nothing
	}
	if c.vague() {
		for _, cond := range m.conditions {
			s.hit(cond)
		}
	} else {
		before := c.before.doc.Full
		if mistake.QueryForgetsBefore {
			before = nil
		}
		m.index.VisitChange(c.key, before, c.after.doc.Full, s.visit)
	}
	s.hits = slices.DeleteFunc(s.hits, func(cond *condition) bool {
		cond.was = c.before.doc.There && cond.plan.match.Match(c.key, c.before.doc.Full)
		cond.is = c.after.doc.There && cond.plan.match.Match(c.key, c.after.doc.Full)
		return !cond.was && !cond.is && !c.vague() && cond.plan.node != nil
	})
	slices.SortFunc(s.hits, func(a, b *condition) int { return cmp.Compare(a.at, b.at) })
	return s.hits
}

// hit takes a condition among those found, once.
func (s *Service) hit(cond *condition) bool {
	if cond.event != s.event {
		cond.event = s.event
		s.hits = append(s.hits, cond)
	}
	return true
}

// noteTotal has those who count told the total, once for all changes of a step.
func (s *Service) noteTotal(q *standing) {
	if q.recount && len(q.subs.subs) > 0 {
		q.recount = false
		s.totals = append(s.totals, q)
	}
}

// end ends a query that cannot be answered any longer, for all who ask it.
func (s *Service) end(q *standing, why *service.Error) {
	for _, l := range []*list{&q.subs, &q.waiting, &q.later} {
		for _, sub := range slices.Clone(l.subs) {
			s.unsubscribe(sub.session, sub.id)
			sub.session.caller.Send(refusal(sub.id, cursorNone, why))
		}
	}
}
