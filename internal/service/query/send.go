package query

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// errGap ends a session that follows a map some of whose changes were lost:
// it comes back and synchronises.
var errGap = &service.CloseError{Code: wire.CloseTryAgainLater, Reason: "changes were missed; reconnect and synchronise"}

// answer sends the QUERY_RESP of a subscription, which listens from then on. If
// much waits to be sent to its session already, it is answered later.
func (s *Service) answer(sub *subscription) {
	q := sub.standing
	s.flush(q) // the answer has it
	q.subs.add(sub)
	s.noteTotal(q)
	if sub.session.caller.Out.Behind() {
		s.lag(sub)
		return
	}
	if sub.since.epoch != 0 && s.resume(sub) {
		return
	}
	sub.since = position{}
	at := 0
	if sub.positions {
		at = 1
	}
	if q.answers[at] == nil {
		shared := wire.Share(s.response(q, sub))
		q.answers[at] = &shared
		s.answered = append(s.answered, q)
	}
	a := q.answers[at]
	sub.send(service.Frame{Head: a.AppendHead(nil, sub.id), Body: a.Tail, Asked: true})
}

// response is the whole result, as it stands.
func (s *Service) response(q *standing, sub *subscription) *wire.QueryResp {
	resp := s.summary(q, sub)
	for _, r := range q.live.window.shown() {
		resp.Results = append(resp.Results, wire.QueryRow{Key: r.key, Value: q.plan.project(r.value)})
	}
	return resp
}

// summary is a response without rows.
func (s *Service) summary(q *standing, sub *subscription) *wire.QueryResp {
	resp := &wire.QueryResp{QueryID: sub.id, CursorStatus: sub.cursor.wire(), HasMore: q.live.window.more()}
	if rows := q.live.window.shown(); resp.HasMore && len(rows) > 0 {
		resp.NextCursor = q.plan.writeCursor(rows[len(rows)-1], s.clock.Now())
	}
	if q.plan.total {
		resp.TotalCount = wire.Some(q.live.rows())
		if resp.TotalCount.Value != q.counted {
			q.counted = -1 // from here on there is somebody who knows another one
		}
	}
	if sub.positions {
		resp.Position = s.maps[q.plan.mapName].history.now().text(q.plan)
	}
	return resp
}

// resume sends what a subscription has missed since the position that it has. It
// reports false if that is not known any more.
func (s *Service) resume(sub *subscription) bool {
	q := sub.standing
	h := &s.maps[q.plan.mapName].history
	events, ok := h.since(sub.since)
	if !ok {
		return false
	}
	ups, ok := q.missed(s.engine.Kinds().Of(q.plan.mapName), events)
	if !ok {
		return false
	}
	resp := s.summary(q, sub)
	resp.Resumed = true
	if len(ups) > 0 {
		resp.Position = sub.since.text(q.plan)
	}
	sub.send(service.Frame{Head: wire.Append(nil, resp), Asked: true})
	for i, u := range ups {
		m := q.plan.message(u)
		m.QueryID, m.Position = sub.id, resp.Position
		if i == len(ups)-1 {
			m.Position = h.now().text(q.plan)
		}
		sub.send(service.Frame{Head: wire.Append(nil, m), Asked: true})
	}
	sub.since = position{}
	s.metrics.resumed.Inc()
	return true
}

// message is an update on the wire.
func (p *plan) message(u update) *wire.QueryUpdate {
	m := &wire.QueryUpdate{Key: u.row.key}
	switch u.kind {
	case enter:
		m.ChangeType, m.Value = wire.ChangeEnter, p.project(u.row.value)
	case replace:
		m.ChangeType, m.Value = wire.ChangeUpdate, p.project(u.row.value)
	case leave:
		m.ChangeType = wire.ChangeLeave
	}
	return m
}

// pending is an update that has not been sent yet.
type pending struct {
	message *wire.QueryUpdate
	at      position // of who has it
}

// maxPending bounds the changes whose updates wait for one another.
const maxPending = 64

// sendUpdates has all subscribers of a query told what has changed since a
// position, together with what else changes in this step. Only the last update
// has the position behind the change: who has not received all of them is still
// before it.
func (s *Service) sendUpdates(q *standing, ups []update, from position) {
	if len(ups) == 0 || len(q.subs.subs) == 0 {
		return
	}
	if len(q.pending) == 0 {
		q.before = from
		s.pending = append(s.pending, q)
	}
	for _, u := range ups {
		q.pending = append(q.pending, pending{q.plan.message(u), from})
	}
	q.pending[len(q.pending)-1].at = s.maps[q.plan.mapName].history.now()
}

// flushAll sends what is pending.
func (s *Service) flushAll() {
	for _, q := range s.pending {
		s.flush(q)
	}
	clear(s.pending)
	s.pending = s.pending[:0]
	s.unsent = 0
}

// flush sends what is pending of a query: to each subscriber all of it at once.
// What they have in common is encoded once, with positions and without.
func (s *Service) flush(q *standing) {
	if len(q.pending) == 0 {
		return
	}
	frames := [2][]service.Frame{}
	for _, sub := range q.subs.subs {
		if sub.behind(s, q.before) {
			continue
		}
		at := 0
		if sub.positions {
			at = 1
		}
		if frames[at] == nil {
			s.frames[at] = q.encode(s.frames[at][:0], sub.positions)
			frames[at] = s.frames[at]
		}
		for i := range frames[at] {
			frames[at][i].Head = sub.head
		}
		sub.session.caller.Out.SendAll(frames[at])
	}
	s.metrics.updates.Add(float64(len(q.subs.subs) * len(q.pending)))
	clear(s.frames[0])
	clear(s.frames[1])
	clear(q.pending)
	q.pending = q.pending[:0]
	if cap(q.pending) > maxPending {
		q.pending = nil
	}
}

// encode appends the shared parts of what is pending.
func (q *standing) encode(dst []service.Frame, positions bool) []service.Frame {
	for _, p := range q.pending {
		if p.message.Position = ""; positions {
			p.message.Position = p.at.text(q.plan)
		}
		dst = append(dst, service.Frame{Body: wire.Share(p.message).Tail})
	}
	return dst
}

// sendTotals tells those who count the totals that have changed in this step.
func (s *Service) sendTotals() {
	for _, q := range s.totals {
		if q.live == nil || q.filling || q.live.rows() == q.counted {
			continue
		}
		q.counted = q.live.rows()
		shared := wire.Share(&wire.QueryTotal{TotalCount: q.counted})
		for _, sub := range q.subs.subs {
			if !sub.lagging {
				sub.send(service.Frame{Head: shared.AppendHead(nil, sub.id), Body: shared.Tail})
			}
		}
	}
	clear(s.totals)
	s.totals = s.totals[:0]
}

func (sub *subscription) send(f service.Frame) { sub.session.caller.Out.Send(f) }

// behind reports whether a subscriber is to be sent nothing, because it is slow
// or for as long as it has not caught up. It is before a position then.
func (sub *subscription) behind(s *Service, at position) bool {
	if sub.lagging {
		return true
	}
	if !sub.session.caller.Out.Behind() {
		return false
	}
	if sub.positions {
		sub.since = at
	}
	s.lag(sub)
	return true
}

// lag has a subscription answered when its session has caught up.
func (s *Service) lag(sub *subscription) {
	sub.lagging, sub.lagged = true, s.clock.Now().UnixMilli()
	s.metrics.lagged.Inc()
	s.wait(sub)
}

// wait keeps a subscription among those of its session that are behind, and has
// them looked at when the session is not any more.
func (s *Service) wait(sub *subscription) {
	st := sub.session
	if st.lagging = append(st.lagging, sub); !st.listed {
		st.listed = true
		s.lagging = append(s.lagging, st)
	}
	if !st.caller.Out.Behind() || !st.awaited.CompareAndSwap(false, true) {
		return
	}
	then := func() {
		st.awaited.Store(false)
		s.commands.Push(command{caller: st.caller, catchUp: true}) // if it has no room, the next sweep does it
	}
	if st.caller.Out.Drained(then) {
		then()
	}
}

// catchUpAll looks at all sessions that have been behind.
func (s *Service) catchUpAll() {
	lagging := s.lagging
	s.lagging = nil
	for _, st := range lagging {
		st.listed = false
		s.catchUp(st)
	}
}

// catchUp answers subscriptions of a session that were behind: with what they have
// missed if that is known, else with the result. A session that stays behind is
// closed.
func (s *Service) catchUp(st *sessionState) {
	now := s.clock.Now().UnixMilli()
	subs := st.lagging
	st.lagging = nil
	for _, sub := range subs {
		switch {
		case sub.in == nil:
			continue // unsubscribed meanwhile
		case !st.caller.Out.Behind() && !sub.standing.filling:
			sub.lagging, st.caughtUp = false, now
			s.answer(sub)
			continue
		case !st.caller.Out.Behind():
			sub.lagged = now // it waits for the result
		case now-max(sub.lagged, st.caughtUp) > s.opt.LagTimeout.Milliseconds():
			st.caller.Out.Close(errLag)
			continue
		}
		s.wait(sub)
	}
}

// errLag ends a session that does not take what it has asked for.
var errLag = &service.CloseError{Code: wire.CloseSlowConsumer, Reason: "updates are read too slowly; reconnect and resume"}

// tellFollowers sends SERVER_EVENT to everyone who replicates the map: those
// who follow it, and those with a query without projection whose condition holds
// for the record before or after the change. The writer is told only when it
// needs it; see needsEcho.
func (s *Service) tellFollowers(m *mapState, c *change.Record, hits []*condition, now int64) {
	var frame service.Frame
	var echo, known bool
	tell := func(st *sessionState) {
		if st.told == s.event {
			return
		}
		st.told = s.event
		if st.caller.ID == c.Author.Session {
			if !known {
				known, echo = true, s.needsEcho(c, now)
			}
			if !echo {
				return
			}
		}
		if frame.Body == nil {
			e := serverEvent(c)
			if e == nil {
				return
			}
			frame.Body = wire.Append(nil, e)
		}
		st.caller.Out.Send(frame)
		s.metrics.updates.Inc()
	}
	for _, st := range m.followers {
		tell(st)
	}
	for _, cond := range hits {
		for _, q := range cond.standings {
			if len(q.plan.fields) > 0 || q.plan.groups != nil || !cond.was && !cond.is && q.plan.node != nil {
				continue
			}
			for _, sub := range q.subs.subs {
				tell(sub.session)
			}
		}
	}
	if frame.Body != nil {
		s.echo.add(echoKey(c), c.Author.Session, now)
	}
}

// needsEcho reports whether a writer has to hear of its own write. A client that
// receives an event adopts its record when it holds the same value, even under a
// later timestamp of its own (protocol 01 §3.2). So after its record was
// re-stamped it must hear of that before anything that follows, and after an
// event that may have crossed its write it must be told what the server holds.
func (s *Service) needsEcho(c *change.Record, now int64) bool {
	return c.Kind == change.KindLWW && (!c.Original.IsZero() || s.echo.others(echoKey(c), c.Author.Session, now))
}

// serverEvent is the SERVER_EVENT of a change; nil for kinds that have none.
func serverEvent(c *change.Record) *wire.ServerEvent {
	e := &wire.ServerEvent{Timestamp: c.Arrival, Event: wire.Event{MapName: c.Map, Key: c.Key}}
	switch c.Verb {
	case change.Put, change.Remove:
		r, err := crdt.ParseLWW(c.After)
		if err != nil {
			return nil
		}
		e.EventType = wire.EventPut
		if r.Tombstone() {
			e.EventType = wire.EventRemove
		}
		e.Record = wire.Some(wire.LWWRecord{Value: r.Value, Timestamp: r.TS, TTL: r.TTL})
	case change.Add:
		for r := range crdt.ORState(c.After).Records() {
			e.EventType = wire.EventORAdd
			e.ORRecord = wire.Some(wire.ORRecord{Value: r.Value, Timestamp: r.TS, Tag: r.Tag, TTL: wire.Opt[int64]{Value: r.TTL, Set: r.HasTTL}})
		}
	case change.Drop:
		e.EventType, e.ORTag = wire.EventORRemove, c.Tag
	default:
		return nil
	}
	return e
}

// refusal is the answer to a query that cannot be answered.
func refusal(id string, cursor cursorStatus, why error) *wire.QueryResp {
	resp := &wire.QueryResp{QueryID: id, CursorStatus: cursor.wire()}
	if why != nil {
		resp.Error, resp.Code = why.Error(), service.CodeOf(why).Name()
	}
	return resp
}

// headOf is what comes before the shared part of every update of a subscription.
func headOf(id string, positions bool) []byte {
	m := &wire.QueryUpdate{Value: value.AppendNil(nil)}
	if positions {
		m.Position = "-"
	}
	shared := wire.Share(m)
	return shared.AppendHead(make([]byte, 0, 64+len(id)), id)
}
