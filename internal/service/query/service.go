package query

import (
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Options are the service's choices. The zero value of every field means its
// default.
type Options struct {
	// MaxRows is the most rows of a result; a query without a limit, or with a
	// greater one, gets so many and is told that there are more. Default 10 000.
	MaxRows int

	// SessionQueries is the most subscriptions and followed maps of one session.
	// Default 1000.
	SessionQueries int

	// Scans is the most scans under way at once. Default 4.
	Scans int

	// SliceRows is how many records a lane looks at between two groups of other
	// work. Default 1024.
	SliceRows int

	// Inbox is the most changes that wait to be looked at. Default 262 144.
	Inbox int
}

func (o Options) withDefaults() Options {
	def := func(field *int, v int) {
		if *field == 0 {
			*field = v
		}
	}
	def(&o.MaxRows, 10_000)
	def(&o.SessionQueries, 1000)
	def(&o.Scans, 4)
	def(&o.SliceRows, 1024)
	def(&o.Inbox, 1<<18)
	return o
}

// Service keeps live queries; see the package comment.
type Service struct {
	opt      Options
	clock    clock.Clock
	engine   *engine.Engine
	bell     actor.Bell
	inbox    *feed.Inbox
	commands *actor.Mailbox[command]
	away     away
	metrics  *metrics

	maps     map[string]*mapState
	sessions map[uint64]*sessionState
	queue    []*standing // want a scan
	scanning int
	stalled  []stalledSlice
	event    uint64 // counts changes, to tell each session of one once
	updates  []update
}

// mapState is everything about one map.
type mapState struct {
	name      string
	standings map[string]*standing
	order     []*standing // those of standings, in the order of their making
	followers []*sessionState
}

// sessionState is everything about one session.
type sessionState struct {
	caller  *service.Caller
	subs    map[string]*subscription
	follows map[string]struct{} // names of maps
	told    uint64              // the last event that was sent
	recent  recent
}

// command is a message of a session on its way to Step.
type command struct {
	caller *service.Caller
	sub    *wire.QuerySub
	plan   *plan
	cursor cursorStatus
	unsub  string
	follow string
	leave  bool
	sweep  bool
}

// commandLimit bounds the commands that wait; a session that finds it reached
// tries again later.
const commandLimit = 1 << 16

type metrics struct {
	subscriptions, standings prometheus.Gauge
	scans, gaps, updates     prometheus.Counter
}

// New makes the service. It joins the feed, so it must be made before the first
// operation.
func New(e *engine.Engine, fd *feed.Feed, clk clock.Clock, reg prometheus.Registerer, opt Options) *Service {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		subscriptions: gauge("topgun_query_subscriptions", "Live query subscriptions."),
		standings:     gauge("topgun_query_standing", "Distinct standing queries."),
		scans:         counter("topgun_query_scans_total", "Scans of a map for a query."),
		gaps:          counter("topgun_query_gaps_total", "Times the query service fell behind and scanned again."),
		updates:       counter("topgun_query_updates_total", "Messages sent to subscribers and followers."),
	}
	reg.MustRegister(m.subscriptions, m.standings, m.scans, m.gaps, m.updates)
	s := &Service{
		opt: opt.withDefaults(), clock: clk, engine: e, bell: actor.NewBell(), metrics: m,
		maps: map[string]*mapState{}, sessions: map[uint64]*sessionState{},
	}
	s.inbox = fd.Follow(s.opt.Inbox, s.bell)
	s.commands = actor.NewMailbox[command](commandLimit, s.bell)
	return s
}

// Handles implements service.Service.
func (s *Service) Handles() []wire.Type {
	return []wire.Type{wire.TypeQuerySub, wire.TypeQueryUnsub}
}

// Handle implements service.Service.
func (s *Service) Handle(c *service.Caller, m wire.Message, _ int) error {
	switch m := m.(type) {
	case *wire.QuerySub:
		return s.subscribe(c, m)
	case *wire.QueryUnsub:
		return s.command(command{caller: c, unsub: m.QueryID})
	}
	return nil
}

// subscribe checks the query on the session's own time. A query that cannot be
// answered is answered all the same, with an empty result that says why.
func (s *Service) subscribe(c *service.Caller, m *wire.QuerySub) error {
	p, err := newPlan(m, c.Principal, s.opt.MaxRows)
	status := cursorNone
	if err == nil && m.Query.Cursor != "" {
		if p.after, status = p.readCursor(m.Query.Cursor, s.clock.Now()); p.after != nil {
			p.same += "|" + m.Query.Cursor
		}
	}
	if err != nil || status == cursorExpired || status == cursorInvalid {
		resp := &wire.QueryResp{QueryID: m.QueryID, CursorStatus: status.wire()}
		if err != nil {
			resp.Error, resp.Code = err.Error(), service.CodeOf(err).Name()
		}
		c.Send(resp)
		return nil
	}
	return s.command(command{caller: c, sub: m, plan: p, cursor: status})
}

// Follow makes a session a recipient of the changes of a map (protocol 02 §4).
func (s *Service) Follow(c *service.Caller, mapName string) error {
	return s.command(command{caller: c, follow: mapName})
}

func (s *Service) command(cmd command) error {
	if s.commands.Push(cmd) {
		return nil
	}
	s.away.add(cmd.caller)
	return service.ErrBusy
}

// Leave implements service.Service.
func (s *Service) Leave(c *service.Caller) {
	for !s.commands.Push(command{caller: c, leave: true}) {
		// Only sessions that are ending come here, and Step empties the mailbox
		// as a whole.
		s.bell.Ring()
	}
}

// Wake implements actor.Actor.
func (s *Service) Wake() <-chan struct{} { return s.bell }

// Step implements actor.Actor.
func (s *Service) Step() bool {
	// The changes first: a session that has asked to follow a map before one of
	// them was made has its command among those that are taken then.
	items := s.inbox.Take()
	commands := s.commands.Take()
	for i := range commands {
		s.run(&commands[i])
	}
	for _, c := range s.away.take() {
		c.Wake()
	}
	for i := range items {
		switch it := &items[i]; {
		case it.Gap:
			s.gap()
		case it.Mark != nil:
			if sl, ok := it.Mark.(engine.Slice); ok {
				s.slice(sl)
			}
		default:
			for j := range it.Changes {
				s.change(&it.Changes[j])
			}
		}
	}
	s.startScans()
	return len(commands)+len(items) > 0
}

func (s *Service) run(cmd *command) {
	switch {
	case cmd.sweep:
		s.retryStalled()
	case cmd.leave:
		s.forget(cmd.caller.ID)
	case cmd.sub != nil:
		s.add(cmd)
	case cmd.follow != "":
		s.follow(cmd)
	default:
		if st := s.sessions[cmd.caller.ID]; st != nil {
			s.unsubscribe(st, cmd.unsub)
		}
	}
}

func (s *Service) session(c *service.Caller) *sessionState {
	st := s.sessions[c.ID]
	if st == nil {
		st = &sessionState{caller: c, subs: map[string]*subscription{}, follows: map[string]struct{}{}}
		s.sessions[c.ID] = st
	}
	return st
}

func (s *Service) mapState(name string) *mapState {
	m := s.maps[name]
	if m == nil {
		m = &mapState{name: name, standings: map[string]*standing{}}
		s.maps[name] = m
	}
	return m
}

// add makes the subscription of a QUERY_SUB, replacing one of the same id.
func (s *Service) add(cmd *command) {
	st := s.session(cmd.caller)
	id := cmd.sub.QueryID
	s.unsubscribe(st, id)
	if len(st.subs) >= s.opt.SessionQueries {
		cmd.caller.Send(&wire.QueryResp{
			QueryID: id, Code: wire.CodeTooLarge.Name(),
			Error: fmt.Sprintf("a session may hold %d queries; unsubscribe from one", s.opt.SessionQueries),
		})
		return
	}
	m := s.mapState(cmd.plan.mapName)
	q := m.standings[cmd.plan.same]
	if q == nil {
		q = &standing{plan: cmd.plan}
		m.standings[cmd.plan.same] = q
		m.order = append(m.order, q)
		s.metrics.standings.Inc()
	}
	sub := &subscription{caller: cmd.caller, id: string([]byte(id)), standing: q, cursor: cmd.cursor}
	st.subs[sub.id] = sub
	s.metrics.subscriptions.Inc()
	if q.scan == nil {
		q.waiting = append(q.waiting, sub)
		s.wantScan(q)
		return
	}
	// The scan under way may have passed what this session has just written.
	q.later = append(q.later, sub)
}

func (s *Service) unsubscribe(st *sessionState, id string) {
	sub := st.subs[id]
	if sub == nil {
		return
	}
	delete(st.subs, id)
	s.metrics.subscriptions.Dec()
	q := sub.standing
	q.remove(sub)
	if q.unused() {
		m := s.maps[q.plan.mapName]
		delete(m.standings, q.plan.same)
		m.order = without(m.order, q)
		s.metrics.standings.Dec()
		s.cancelScan(q)
		s.tidy(m)
	}
}

func (s *Service) follow(cmd *command) {
	st := s.session(cmd.caller)
	if _, ok := st.follows[cmd.follow]; ok || len(st.follows) >= s.opt.SessionQueries {
		return
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
		m.followers = without(m.followers, st)
		s.tidy(m)
	}
	delete(s.sessions, session)
}

func (s *Service) tidy(m *mapState) {
	if len(m.standings) == 0 && len(m.followers) == 0 {
		delete(s.maps, m.name)
	}
}
