package query

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/conditions"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/access"
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

	// Scans is the most passes over maps under way at once. Default 4.
	Scans int

	// SliceRows is how many records a lane looks at between two groups of other
	// work, for a pass with one query. Default 1024.
	SliceRows int

	// Seeks is the most searches by indexes under way at once. Default 64.
	Seeks int

	// SeekRows is how many records a lane looks up for a search between two groups
	// of other work. Default 256.
	SeekRows int

	// AutoIndex has indexes made that would have spared the queries seen much
	// reading, not only advised.
	AutoIndex bool

	// Inbox is the most changes that wait to be looked at. Default 262 144.
	Inbox int

	// HistoryEvents and HistoryBytes bound what is remembered of a map for
	// clients that resume. Defaults 65 536 and 8 MiB.
	HistoryEvents, HistoryBytes int

	// HistoryTime is how long a map is remembered after its last subscriber has
	// gone. Default 2 minutes.
	HistoryTime time.Duration

	// HistoryMaps is the most maps that are remembered without a subscriber.
	// Default 64.
	HistoryMaps int

	// LagTimeout is how long a subscriber may be too slow to be sent anything
	// before it is closed. Default 30 s.
	LagTimeout time.Duration
}

func (o Options) withDefaults() Options {
	def(&o.MaxRows, 10_000)
	def(&o.SessionQueries, 1000)
	def(&o.Scans, 4)
	def(&o.SliceRows, 1024)
	def(&o.Seeks, 64)
	def(&o.SeekRows, 256)
	def(&o.Inbox, 1<<18)
	def(&o.HistoryEvents, 1<<16)
	def(&o.HistoryBytes, 8<<20)
	def(&o.HistoryTime, 2*time.Minute)
	def(&o.HistoryMaps, 64)
	def(&o.LagTimeout, 30*time.Second)
	return o
}

func def[T int | time.Duration](field *T, v T) {
	if *field == 0 {
		*field = v
	}
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
	epoch    uint64 // of histories, the last one given
	made     uint64 // conditions
	event    uint64 // counts changes, to tell each session of one once
	echo     echoes

	queue    []*mapState // want a pass
	passes   int         // under way
	adviser  access.Adviser
	explains map[*explaining]struct{}
	seeking  []*seek // want to begin
	seeks    int     // under way
	stalled  []stalledSlice
	fences   *fences // under way, or nil
	fenced   list    // wait for the next fences
	lagging  []*sessionState

	// What a step gathers; empty between steps.
	totals, answered, pending []*standing
	unsent                    int // changes whose updates are pending

	// What the work on one change uses again.
	changed changed
	visit   func(*condition) bool // hit, made once
	hits    []*condition
	updates []update
	failing []*standing
	frames  [2][]service.Frame
}

// mapState is everything about one map.
type mapState struct {
	name       string
	index      conditions.Index[*condition]
	conditions []*condition
	byText     map[string]*condition
	bySame     map[string]*standing
	standings  []*standing
	want       []*standing // a pass
	followers  []*sessionState

	history   history
	resumable bool  // somebody is told positions
	idle      int64 // since when nobody asks, 0 while somebody does
}

// sessionState is everything about one session.
type sessionState struct {
	caller  *service.Caller
	subs    map[string]*subscription
	follows map[string]struct{} // names of maps; nil for none
	told    uint64              // the last event that was sent

	lagging  []*subscription // that are behind
	listed   bool            // among the service's sessions that are
	awaited  atomic.Bool     // its outbox will tell when it is drained
	caughtUp int64           // when one of its subscriptions was answered that had been behind, in ms
}

// command is a message of a session on its way to Step.
type command struct {
	caller    *service.Caller
	explain   *explaining
	id        string // of the query
	plan      *plan
	cursor    cursorStatus
	positions bool
	since     position
	unsub     string
	follow    string
	leave     bool
	sweep     bool
	catchUp   bool
}

// commandLimit bounds the commands that wait; a session that finds it reached
// tries again later.
const commandLimit = 1 << 16

type metrics struct {
	subscriptions, standings              prometheus.Gauge
	scans, gaps, updates, resumed, lagged prometheus.Counter
	seeks                                 prometheus.Counter
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
		scans:         counter("topgun_query_scans_total", "Passes over a map for its queries."),
		seeks:         counter("topgun_query_seeks_total", "Searches by indexes or keys in place of a pass."),
		gaps:          counter("topgun_query_gaps_total", "Times the query service fell behind and scanned again."),
		updates:       counter("topgun_query_updates_total", "Messages sent to subscribers and followers."),
		resumed:       counter("topgun_query_resumed_total", "Subscriptions that were sent what they had missed instead of a result."),
		lagged:        counter("topgun_query_lagged_total", "Times a subscriber was too slow and was sent nothing until it had caught up."),
	}
	reg.MustRegister(m.subscriptions, m.standings, m.scans, m.gaps, m.updates, m.resumed, m.lagged, m.seeks)
	s := &Service{
		opt: opt.withDefaults(), clock: clk, engine: e, bell: actor.NewBell(), metrics: m,
		maps: map[string]*mapState{}, sessions: map[uint64]*sessionState{},
		epoch: uint64(clk.Now().UnixNano()), // later than any of an earlier process
	}
	s.visit = s.hit
	s.inbox = fd.Follow(s.opt.Inbox, s.bell)
	s.commands = actor.NewMailbox[command](commandLimit, s.bell)
	return s
}

func (s *Service) nextEpoch() uint64 {
	s.epoch++
	return s.epoch
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
			p.bind(p.same + "|" + m.Query.Cursor)
		}
	}
	if err != nil || status == cursorExpired || status == cursorInvalid {
		c.Send(refusal(m.QueryID, status, err))
		return nil
	}
	cmd := command{caller: c, id: strings.Clone(m.QueryID), plan: p, cursor: status, positions: m.Positions}
	if m.Positions && m.Since != "" {
		cmd.since = parsePosition(m.Since, p)
	}
	return s.command(cmd)
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
			switch mark := it.Mark.(type) {
			case engine.Slice:
				s.slice(mark)
			case engine.Found:
				s.found(&mark)
			case *fences:
				s.fenceSeen(mark)
			}
		default:
			now := s.clock.Now().UnixMilli() // for all: asking is not free
			for j := range it.Changes {
				s.change(&it.Changes[j], now)
			}
			if s.unsent += len(it.Changes); s.unsent >= maxPending {
				s.flushAll()
			}
		}
	}
	s.flushAll()
	s.sendTotals()
	for _, q := range s.answered {
		q.answers = [2]*wire.FanOut{}
	}
	clear(s.answered)
	s.answered = s.answered[:0]
	s.startSeeks()
	s.startPasses()
	s.startFences()
	return len(commands)+len(items) > 0
}

func (s *Service) run(cmd *command) {
	switch {
	case cmd.explain != nil:
		s.explain(cmd.explain)
	case cmd.sweep:
		s.retryStalled()
		s.adopt()
		s.catchUpAll()
		s.forgetMaps()
	case cmd.catchUp:
		if st := s.sessions[cmd.caller.ID]; st != nil {
			s.catchUp(st)
		}
	case cmd.leave:
		s.forget(cmd.caller.ID)
	case cmd.plan != nil:
		s.add(cmd)
	case cmd.follow != "":
		s.follow(cmd)
	default:
		if st := s.sessions[cmd.caller.ID]; st != nil {
			s.unsubscribe(st, cmd.unsub)
		}
	}
}

// Sweep asks again where a lane could not answer, and looks after slow
// subscribers and what is remembered for those who come back. It is called about
// once a second.
func (s *Service) Sweep() {
	s.commands.Push(command{sweep: true})
}
