package query

import (
	"fmt"
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/service"
)

func (s *Service) session(c *service.Caller) *sessionState {
	st := s.sessions[c.ID]
	if st == nil {
		st = &sessionState{caller: c, subs: map[string]*subscription{}}
		s.sessions[c.ID] = st
	}
	return st
}

func (s *Service) mapState(name string) *mapState {
	m := s.maps[name]
	if m == nil {
		m = &mapState{name: name, byText: map[string]*condition{}, bySame: map[string]*standing{}}
		m.history.begin(s.nextEpoch())
		s.maps[name] = m
		s.engine.Kinds().Watch(name)
	}
	m.idle = 0
	return m
}

// add makes the subscription of a QUERY_SUB, replacing one of the same id.
func (s *Service) add(cmd *command) {
	st := s.session(cmd.caller)
	s.unsubscribe(st, cmd.id)
	if len(st.subs) >= s.opt.SessionQueries {
		cmd.caller.Send(refusal(cmd.id, cursorNone, &service.Error{
			Code: wire.CodeTooLarge,
			Text: fmt.Sprintf("a session may hold %d queries; unsubscribe from one", s.opt.SessionQueries),
		}))
		return
	}
	m := s.mapState(cmd.plan.mapName)
	m.resumable = m.resumable || cmd.positions
	q := m.bySame[cmd.plan.same]
	if q == nil {
		q = s.stand(m, cmd.plan)
	}
	sub := &subscription{
		session: st, id: cmd.id, standing: q, cursor: cmd.cursor,
		positions: cmd.positions, since: cmd.since, head: headOf(cmd.id, cmd.positions),
	}
	q.users++
	st.subs[sub.id] = sub
	s.metrics.subscriptions.Inc()
	switch {
	case q.scan != nil:
		// The pass may be behind what this session has just written.
		q.later.add(sub)
	case q.live != nil && !q.filling && mistake.QuerySkipsFence:
		s.answer(sub)
	case q.live != nil:
		s.fence(sub)
	default:
		q.waiting.add(sub)
		s.wantRows(q)
	}
}

// stand makes a standing query.
func (s *Service) stand(m *mapState, p *plan) *standing {
	p.mapName = m.name // one text for all; nobody else has the plan yet
	cond := m.byText[p.condition]
	if cond == nil {
		s.made++
		cond = &condition{plan: p, at: s.made, place: len(m.conditions)}
		cond.standings = cond.one[:0]
		cond.entry = m.index.Add(p.node, cond)
		m.byText[p.condition] = cond
		m.conditions = append(m.conditions, cond)
	}
	q := &standing{plan: p, cond: cond, at: len(m.standings), of: len(cond.standings), counted: -1}
	cond.standings = append(cond.standings, q)
	m.bySame[p.same] = q
	m.standings = append(m.standings, q)
	s.metrics.standings.Inc()
	return q
}

func (s *Service) unsubscribe(st *sessionState, id string) {
	sub := st.subs[id]
	if sub == nil {
		return
	}
	delete(st.subs, id)
	s.metrics.subscriptions.Dec()
	sub.leave()
	q := sub.standing
	if q.users--; q.users == 0 {
		s.fall(q)
	}
}

// fall forgets a standing query that nobody asks any more.
func (s *Service) fall(q *standing) {
	m := s.maps[q.plan.mapName]
	delete(m.bySame, q.plan.same)
	m.standings = drop(m.standings, q.at, func(moved *standing, at int) { moved.at = at })
	cond := q.cond
	cond.standings = drop(cond.standings, q.of, func(moved *standing, of int) { moved.of = of })
	if len(cond.standings) == 0 {
		m.index.Remove(cond.entry)
		delete(m.byText, q.plan.condition)
		m.conditions = drop(m.conditions, cond.place, func(moved *condition, place int) { moved.place = place })
	} else if cond.plan == q.plan {
		cond.plan = cond.standings[0].plan
	}
	s.metrics.standings.Dec()
	s.cancelPass(q)
	s.tidy(m)
}

func (s *Service) follow(cmd *command) {
	st := s.session(cmd.caller)
	if _, ok := st.follows[cmd.follow]; ok || len(st.follows) >= s.opt.SessionQueries {
		return
	}
	if st.follows == nil {
		st.follows = map[string]struct{}{}
	}
	name := string([]byte(cmd.follow))
	st.follows[name] = struct{}{}
	m := s.mapState(name)
	m.followers = append(m.followers, st)
}

func (s *Service) forget(session uint64) {
	st := s.sessions[session]
	if st == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(st.subs)) {
		s.unsubscribe(st, id)
	}
	for name := range st.follows {
		m := s.maps[name]
		if at := slices.Index(m.followers, st); at >= 0 {
			m.followers = drop(m.followers, at, func(*sessionState, int) {})
		}
		s.tidy(m)
	}
	delete(s.sessions, session)
}

// tidy lets go of a map that nobody asks about: at once, or after a time if
// somebody may come back to it.
func (s *Service) tidy(m *mapState) {
	if len(m.standings) > 0 || len(m.followers) > 0 {
		return
	}
	if m.resumable {
		m.idle = s.clock.Now().UnixMilli()
		return
	}
	s.drop(m)
}

func (s *Service) drop(m *mapState) {
	delete(s.maps, m.name)
	s.engine.Kinds().Unwatch(m.name)
	s.queue = slices.DeleteFunc(s.queue, func(other *mapState) bool { return other == m })
}

// forgetMaps drops the maps that nobody has come back to, and of too many those
// that were left first.
func (s *Service) forgetMaps() {
	var idle []*mapState
	now := s.clock.Now().UnixMilli()
	for _, m := range s.maps {
		switch {
		case m.idle == 0:
		case now-m.idle >= s.opt.HistoryTime.Milliseconds():
			s.drop(m)
		default:
			idle = append(idle, m)
		}
	}
	if n := len(idle) - s.opt.HistoryMaps; n > 0 {
		slices.SortFunc(idle, func(a, b *mapState) int { return int(a.idle - b.idle) })
		for _, m := range idle[:n] {
			s.drop(m)
		}
	}
}
