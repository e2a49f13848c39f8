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

// answer sends the QUERY_RESP of a subscription.
func (s *Service) answer(sub *subscription) {
	q := sub.standing
	resp := &wire.QueryResp{QueryID: sub.id, CursorStatus: sub.cursor.wire()}
	if kind := s.engine.Kinds().Of(q.plan.mapName); kind != change.KindNone && kind != change.KindLWW {
		resp.Code = wire.CodeNotImplemented.Name()
		resp.Error = "queries over this kind of map are not supported yet"
	}
	if q.plan.groups != nil {
		rows, err := q.plan.groups.rows(q.window)
		if resp.Results = rows; err != nil {
			resp.Error, resp.Code = err.Error(), service.CodeOf(err).Name()
		}
		sub.caller.Send(resp)
		return
	}
	rows := q.window.shown()
	for _, r := range rows {
		resp.Results = append(resp.Results, wire.QueryRow{Key: r.key, Value: q.plan.project(r.value)})
	}
	if resp.HasMore = q.window.more(); resp.HasMore && len(rows) > 0 {
		resp.NextCursor = q.plan.writeCursor(rows[len(rows)-1], s.clock.Now())
	}
	sub.caller.Send(resp)
}

func (p *plan) project(v value.Raw) value.Raw {
	if len(p.fields) == 0 {
		return v
	}
	return value.Project(v, p.fields)
}

// sendUpdates tells all subscribers of a query what has changed. What they have
// in common is encoded once.
func (s *Service) sendUpdates(q *standing, ups []update) {
	if len(q.subs) == 0 {
		return
	}
	for _, u := range ups {
		m := &wire.QueryUpdate{Key: u.row.key}
		switch u.kind {
		case enter:
			m.ChangeType, m.Value = wire.ChangeEnter, q.plan.project(u.row.value)
		case replace:
			m.ChangeType, m.Value = wire.ChangeUpdate, q.plan.project(u.row.value)
		case leave:
			m.ChangeType = wire.ChangeLeave
		}
		shared := wire.Share(m)
		for _, sub := range q.subs {
			head := shared.AppendHead(make([]byte, 0, 96), sub.id)
			sub.caller.Out.Send(service.Frame{Head: head, Body: shared.Tail})
		}
		s.metrics.updates.Add(float64(len(q.subs)))
	}
}

// tellFollowers sends SERVER_EVENT to everyone who replicates the map: those
// who follow it, and those with a query without projection that matches the
// record before or after the change. The writer is told only when it needs it;
// see needsEcho.
func (s *Service) tellFollowers(m *mapState, c *change.Record, now int64) {
	s.event++
	key := recentKey(c)
	var frame service.Frame
	tell := func(st *sessionState) {
		if st.told == s.event || st.caller.ID == c.Author.Session && !st.needsEcho(c, key, now) {
			return
		}
		st.told = s.event
		if frame.Body == nil {
			e := event(c)
			if e == nil {
				return
			}
			frame.Body = wire.Append(nil, e)
		}
		st.recent.add(key, now)
		st.caller.Out.Send(frame)
		s.metrics.updates.Inc()
	}
	for _, st := range m.followers {
		tell(st)
	}
	for _, q := range m.order {
		if len(q.plan.fields) > 0 || !q.concerned(c, now) {
			continue
		}
		for _, sub := range q.subs {
			tell(s.sessions[sub.caller.ID])
		}
	}
}

// needsEcho reports whether a writer has to hear of its own write. A client that
// receives an event adopts its record when it holds the same value, even under a
// later timestamp of its own (protocol 01 §3.2). So after its record was
// re-stamped it must hear of that before anything that follows, and after an
// event that may have crossed its write it must be told what the server holds.
func (st *sessionState) needsEcho(c *change.Record, key uint64, now int64) bool {
	return c.Kind == change.KindLWW && (!c.Original.IsZero() || st.recent.has(key, now))
}

// concerned reports whether a change is of interest to those who ask q: it
// matches the record before or after. A query for everything also covers maps of
// other kinds.
func (q *standing) concerned(c *change.Record, now int64) bool {
	if q.plan.match == nil {
		return true
	}
	// What was there before may be over by now: that is why it changes.
	return c.Kind == change.KindLWW && (q.plan.matches(c.Key, c.After, now) || q.plan.matches(c.Key, c.Before, 0))
}

// event is the SERVER_EVENT of a change; nil for kinds that have none.
func event(c *change.Record) *wire.ServerEvent {
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
