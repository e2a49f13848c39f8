// Package counter keeps PN counters (protocol 02 §7): COUNTER_REQUEST and
// COUNTER_SYNC. A counter is a record of the grid like any other, so it is
// durable, and its updates reach subscribers after they are.
package counter

import (
	"fmt"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// SessionCounters is the most counters that one session may subscribe to.
const SessionCounters = 1000

// inboxLimit is the most changes that wait to be told.
const inboxLimit = 1 << 16

// Service keeps the subscriptions to counters. It is an actor that follows the
// feed.
type Service struct {
	engine *engine.Engine
	bell   actor.Bell
	inbox  *feed.Inbox
	gaps   prometheus.Counter

	mu       sync.Mutex
	subs     map[string][]*service.Caller
	sessions map[uint64]map[string]struct{}
}

// New makes the service. It joins the feed, so it must be made before the first
// operation.
func New(e *engine.Engine, fd *feed.Feed, reg prometheus.Registerer) *Service {
	s := &Service{
		engine: e, bell: actor.NewBell(),
		subs: map[string][]*service.Caller{}, sessions: map[uint64]map[string]struct{}{},
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "topgun_counter_gaps_total", Help: "Times the counter service fell behind and read its counters again.",
		}),
	}
	reg.MustRegister(s.gaps)
	s.inbox = fd.Follow(inboxLimit, s.bell)
	return s
}

// Handles implements service.Service.
func (s *Service) Handles() []wire.Type {
	return []wire.Type{wire.TypeCounterRequest, wire.TypeCounterSync}
}

// Handle implements service.Service.
func (s *Service) Handle(c *service.Caller, m wire.Message, size int) error {
	switch m := m.(type) {
	case *wire.CounterRequest:
		return s.request(c, m)
	case *wire.CounterSync:
		return s.sync(c, m, size)
	}
	return nil
}

func (s *Service) request(c *service.Caller, m *wire.CounterRequest) error {
	if err := s.subscribe(c, m.Type(), m.Name); err != nil {
		return err
	}
	s.read(m.Name, func(st wire.CounterState, err error) {
		if err != nil {
			c.Send((&service.Error{Code: service.CodeOf(err), Type: m.Type(), Request: m.Name}).Message())
			return
		}
		c.Send(&wire.CounterResponse{Name: m.Name, State: st})
	})
	return nil
}

// sync merges the client's state. The feed tells all subscribers, the sender
// among them; when nothing changed, only the sender is told what there is.
func (s *Service) sync(c *service.Caller, m *wire.CounterSync, size int) error {
	if err := s.engine.Admit(1, size, c.Wake); err != nil {
		return service.Turned(err, m.Type(), m.Name)
	}
	state, err := s.admit(c, m)
	if err != nil {
		s.engine.Credit.Return(1, size)
		return err
	}
	b := &engine.Batch{Until: engine.Durable}
	b.Ops = []records.Op{{
		Verb: change.Merge, Kind: change.KindCounter, Map: records.CounterMap,
		Key: m.Name, Hash: hash.Key(m.Name), Counter: state, Author: c.Author,
	}}
	b.Done = func(b *engine.Batch, err error) {
		s.engine.Credit.Return(1, size)
		switch {
		case err == nil && b.Results[0].Err != nil:
			err = b.Results[0].Err
			fallthrough
		case err != nil:
			c.Send((&service.Error{Code: service.CodeOf(err), Text: err.Error(), Type: m.Type(), Request: m.Name}).Message())
		case b.Results[0].Status == records.Unchanged:
			s.tell(m.Name, []*service.Caller{c})
		}
	}
	s.engine.Do(b)
	return nil
}

// admit checks a COUNTER_SYNC and subscribes its sender.
func (s *Service) admit(c *service.Caller, m *wire.CounterSync) (crdt.CounterState, error) {
	pos, neg := numbers(m.State.Positive), numbers(m.State.Negative)
	state, err := crdt.AppendCounter(nil, pos, neg)
	if err != nil {
		return "", &service.Error{Code: wire.CodeInvalidField, Text: err.Error(), Type: m.Type(), Request: m.Name}
	}
	return crdt.CounterState(state), s.subscribe(c, m.Type(), m.Name)
}

func numbers(m wire.NumberMap) map[string]float64 {
	out := make(map[string]float64, len(m))
	for _, e := range m {
		out[e.Name] = e.Value
	}
	return out
}

func (s *Service) subscribe(c *service.Caller, t wire.Type, name string) error {
	if err := service.CheckName(t, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.sessions[c.ID]
	if _, ok := mine[name]; ok {
		return nil
	}
	if len(mine) >= SessionCounters {
		return &service.Error{
			Code: wire.CodeForbidden, Type: t, Request: name,
			Text: fmt.Sprintf("a session may use %d counters; open another connection", SessionCounters),
		}
	}
	if mine == nil {
		mine = map[string]struct{}{}
		s.sessions[c.ID] = mine
	}
	name = strings.Clone(name)
	mine[name] = struct{}{}
	s.subs[name] = append(s.subs[name], c)
	return nil
}

// Leave implements service.Service.
func (s *Service) Leave(c *service.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.sessions[c.ID] {
		list := s.subs[name]
		for i := range list {
			if list[i].ID == c.ID {
				// The old slice may be in use by a send; it is not changed.
				s.subs[name] = append(append([]*service.Caller(nil), list[:i]...), list[i+1:]...)
				break
			}
		}
		if len(s.subs[name]) == 0 {
			delete(s.subs, name)
		}
	}
	delete(s.sessions, c.ID)
}

// Wake implements actor.Actor.
func (s *Service) Wake() <-chan struct{} { return s.bell }

// Step implements actor.Actor.
func (s *Service) Step() bool {
	items := s.inbox.Take()
	for i := range items {
		if items[i].Gap {
			s.gaps.Inc()
			s.tellAll()
		}
		for j := range items[i].Changes {
			if c := &items[i].Changes[j]; c.Map == records.CounterMap {
				send(c.Key, stateOf(crdt.CounterState(c.After)), s.subscribers(c.Key))
			}
		}
	}
	return len(items) > 0
}

func (s *Service) subscribers(name string) []*service.Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subs[name]
}

// tellAll sends every counter that somebody follows: updates were lost.
func (s *Service) tellAll() {
	s.mu.Lock()
	names := make([]string, 0, len(s.subs))
	for name := range s.subs {
		names = append(names, name)
	}
	s.mu.Unlock()
	for _, name := range names {
		s.tell(name, s.subscribers(name))
	}
}

func (s *Service) tell(name string, to []*service.Caller) {
	s.read(name, func(st wire.CounterState, err error) {
		if err == nil {
			send(name, st, to)
		}
	})
}

func (s *Service) read(name string, done func(wire.CounterState, error)) {
	s.engine.Get(records.CounterMap, name, func(state string, _ bool, err error) {
		done(stateOf(crdt.CounterState(state)), err)
	})
}

func send(name string, st wire.CounterState, to []*service.Caller) {
	if len(to) == 0 {
		return
	}
	body := wire.Append(nil, &wire.CounterUpdate{Name: name, State: st})
	for _, c := range to {
		c.Out.Send(service.Frame{Body: body})
	}
}

func stateOf(state crdt.CounterState) wire.CounterState {
	var out wire.CounterState
	for e := range state.Entries() {
		if e.Pos != 0 {
			out.Positive = append(out.Positive, wire.NumberEntry{Name: e.Node, Value: e.Pos})
		}
		if e.Neg != 0 {
			out.Negative = append(out.Negative, wire.NumberEntry{Name: e.Node, Value: e.Neg})
		}
	}
	return out
}
