package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

const liveMap = "notes"

// liveKeys is how many keys the histories write.
const liveKeys = 60

// harness is the service over a real engine, with clients that believe what
// they are told.
type harness struct {
	t       *testing.T
	name    string
	rng     *rand.Rand
	world   *gridtest.World
	service *Service
	peers   []*peer
	millis  int64
	nextID  uint64
	updates int // QUERY_UPDATEs received
	pages   int // queries with a cursor
}

func newHarness(t *testing.T, name string, seed uint64, world gridtest.Options, opt Options) *harness {
	t.Helper()
	h := &harness{t: t, name: name, rng: rand.New(rand.NewPCG(seed, 5)), world: gridtest.Open(t, world)}
	h.service = New(h.world.Engine, h.world.Feed, h.world.Clock, prometheus.NewRegistry(), opt)
	h.world.Add(h.service)
	return h
}

func (h *harness) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf(h.name+": "+format, args...)
}

// peer is a client with live queries and, if it follows the map, a replica.
type peer struct {
	*servicetest.Caller

	h       *harness
	lives   map[string]*live
	asked   int
	follows bool
	replica table
	heard   map[string]int // events, by key and timestamp
}

// live is one subscription as the client sees it.
type live struct {
	ask      question
	message  *wire.QuerySub
	answered int
	rows     screen // values
	cursor   string
	more     bool
}

func (h *harness) join() *peer {
	h.nextID++
	p := &peer{
		Caller: servicetest.NewCaller(h.nextID, 1<<20), h: h, lives: map[string]*live{}, replica: table{}, heard: map[string]int{},
	}
	h.peers = append(h.peers, p)
	return p
}

// question is a query and its slow twin.
type question struct {
	where map[string]any
	keep  func(key string, v value.Raw) bool
	sort  wire.Sort
	limit wire.Opt[int64]
	field []string
}

func nOf(v value.Raw) int64 {
	n, ok := value.Lookup(v, value.ParsePath("n"))
	if !ok {
		return -1
	}
	r := value.NewReader(n)
	return r.Int()
}

// questions are few, so that peers share them.
var questions = []question{
	{},
	{limit: wire.Some(int64(0))},
	{limit: wire.Some(int64(3)), sort: wire.Sort{{Field: "n", Descending: true}}},
	{limit: wire.Some(int64(7)), sort: wire.Sort{{Field: "n"}, {Field: "g", Descending: true}}},
	{limit: wire.Some(int64(2)), sort: wire.Sort{{Field: "n"}}, field: []string{"g"}},
	{
		where: map[string]any{"g": int64(1)}, limit: wire.Some(int64(4)), sort: wire.Sort{{Field: "n"}},
		keep: func(_ string, v value.Raw) bool {
			g, _ := value.Lookup(v, value.ParsePath("g"))
			return value.Equal(g, value.AppendInt(nil, 1))
		},
	},
	{
		where: map[string]any{"n": map[string]any{"$gte": int64(5)}}, field: []string{"n"},
		keep: func(_ string, v value.Raw) bool { return nOf(v) >= 5 },
	},
}

func (h *harness) subscribe(p *peer, id string, ask question, cursor string) {
	h.t.Helper()
	m := &wire.QuerySub{QueryID: id, MapName: liveMap, Fields: ask.field}
	m.Query.Sort, m.Query.Limit, m.Query.Cursor = ask.sort, ask.limit, cursor
	if ask.where != nil {
		m.Query.Where = raw(h.t, ask.where)
	}
	p.lives[id] = &live{ask: ask, message: m, rows: screen{}}
	h.handle(p, m)
}

func (h *harness) handle(p *peer, m wire.Message) {
	h.t.Helper()
	arrived, size := servicetest.Frame(h.t, m)
	if err := h.service.Handle(p.Caller.Caller, arrived, size); err != nil {
		h.fail("%s: %v", m.Type(), err)
	}
}

func (h *harness) unsubscribe(p *peer, id string) {
	h.t.Helper()
	delete(p.lives, id)
	h.handle(p, &wire.QueryUnsub{QueryID: id})
}

// write writes some keys; the writer is a session, so that it is left out of the
// events of its own writes.
func (h *harness) write(p *peer) {
	ops := make([]records.Op, 1+h.rng.IntN(4))
	for i := range ops {
		h.millis++
		key := fmt.Sprint("k", h.rng.IntN(liveKeys))
		ts := gridtest.At(h.millis, fmt.Sprint("p", p.ID))
		if h.rng.IntN(10) == 0 {
			ts.Millis -= int64(h.rng.IntN(30)) // late, and perhaps too late
		}
		doc := raw(h.t, map[string]any{"n": int64(h.rng.IntN(10)), "g": int64(h.rng.IntN(2))})
		if h.rng.IntN(3) == 0 {
			doc = nil
		}
		ops[i] = gridtest.Put(liveMap, key, doc, ts)
		ops[i].Author = p.Author
	}
	h.world.Do(engine.Durable, ops...)
}

// receive takes what has come and believes it.
func (h *harness) receive(p *peer) {
	h.t.Helper()
	for _, m := range p.Take(h.t) {
		switch m := m.(type) {
		case *wire.QueryResp:
			l := p.lives[m.QueryID]
			if l == nil {
				continue // unsubscribed meanwhile
			}
			if l.answered++; l.answered > 1 {
				h.fail("%s is answered twice", m.QueryID)
			}
			if m.Error != "" {
				h.fail("%s is answered with %s", m.QueryID, m.Error)
			}
			l.cursor, l.more = m.NextCursor, m.HasMore
			for _, r := range m.Results {
				l.rows[r.Key] = string(r.Value)
			}
			if len(l.rows) != len(m.Results) {
				h.fail("%s: a key twice among %d rows", m.QueryID, len(m.Results))
			}
			if n, ok := l.message.Query.Limit.Value, l.more; ok && int64(len(m.Results)) < n {
				h.fail("%s: %d rows of %d, although there are more", m.QueryID, len(m.Results), n)
			}
		case *wire.QueryUpdate:
			h.updates++
			h.update(p, m)
		case *wire.ServerEvent:
			h.event(p, m)
		default:
			h.fail("%d receives %s", p.ID, m.Type())
		}
	}
}

func (h *harness) update(p *peer, m *wire.QueryUpdate) {
	h.t.Helper()
	l := p.lives[m.QueryID]
	if l == nil {
		return
	}
	_, shown := l.rows[m.Key]
	switch {
	case l.answered == 0:
		h.fail("%s is updated before it is answered", m.QueryID)
	case (m.ChangeType == wire.ChangeEnter) == shown:
		h.fail("%s: %s of %s, shown %t", m.QueryID, m.ChangeType, m.Key, shown)
	case m.ChangeType == wire.ChangeLeave:
		delete(l.rows, m.Key)
	default:
		l.rows[m.Key] = string(m.Value)
	}
}

func (h *harness) event(p *peer, m *wire.ServerEvent) {
	h.t.Helper()
	r := m.Record.Value
	if was, ok := p.replica[m.Key]; !ok || crdt.AcceptLWW(was, r.Timestamp) > 0 {
		next := crdt.LWW{Value: r.Value, TS: r.Timestamp, TTL: r.TTL}
		if r.Tombstone() {
			next.Value = nil
		}
		p.replica[m.Key] = string(crdt.AppendLWW(nil, next))
	} else if p.follows {
		h.fail("%d hears of %s at %s after %x", p.ID, m.Key, r.Timestamp, was)
	}
	name := m.Key + "|" + r.Timestamp.String()
	if p.heard[name]++; p.heard[name] > 1 {
		h.fail("%d hears twice of %s", p.ID, name)
	}
}

// settle lets everything happen that is under way.
func (h *harness) settle() {
	h.world.OnSync(nil)
	for range 3 {
		h.world.Settle()
		h.world.Clock.Advance(100 * time.Millisecond)
		h.service.Sweep()
	}
	h.world.Settle()
	for _, p := range h.peers {
		h.receive(p)
	}
}

// contents is what the grid holds.
func (h *harness) contents() table {
	h.t.Helper()
	tab := table{}
	for i := range liveKeys {
		key := fmt.Sprint("k", i)
		if state, ok := h.world.Read(h.t, liveMap, key); ok {
			tab[key] = state
		}
	}
	return tab
}

// check holds what every client shows against the queries run anew.
func (h *harness) check(when string) {
	h.t.Helper()
	h.settle()
	tab := h.contents()
	now := h.world.Clock.Millis()
	for _, p := range h.peers {
		for id, l := range p.lives {
			if l.answered != 1 {
				h.fail("%s: %d/%s is answered %d times", when, p.ID, id, l.answered)
			}
			rows, _ := tab.answer(l.message, l.ask.keep, now)
			if l.message.Query.Cursor != "" {
				continue // see checkPages
			}
			want := screen{}
			for _, r := range rows {
				want[r.key] = string(r.value)
				if len(l.ask.field) > 0 {
					want[r.key] = string(value.Project(r.value, l.ask.field))
				}
			}
			if got, want := l.rows.text(), want.text(); got != want {
				h.fail("%s: %d/%s shows\n%s\nthe query gives\n%s", when, p.ID, id, got, want)
			}
		}
		if p.follows && p.Closed() == nil {
			for key, state := range tab {
				rec, err := crdt.ParseLWW(state)
				if err != nil {
					h.fail("%v", err)
				}
				mine := rec.TS.Node == fmt.Sprint("p", p.ID)
				if got := p.replica[key]; got != state && !mine {
					h.fail("%s: the replica of %d holds %x of %s, the grid %x", when, p.ID, got, key, state)
				}
			}
		}
	}
}

func (s screen) text() string {
	var lines []string
	for key, v := range s {
		lines = append(lines, key+"="+string(value.AppendCanonical(nil, value.Raw(v))))
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// leave ends all sessions and demands that nothing is left of them.
func (h *harness) leave() {
	h.t.Helper()
	for _, p := range h.peers {
		h.service.Leave(p.Caller.Caller)
	}
	h.peers = nil
	h.settle()
	h.empty()
}

func (h *harness) empty() {
	h.t.Helper()
	s := h.service
	if len(s.maps) != 0 || len(s.sessions) != 0 || len(s.queue) != 0 || len(s.stalled) != 0 || s.scanning != 0 {
		h.fail("left are %d maps, %d sessions, %d queued, %d stalled, %d scanning",
			len(s.maps), len(s.sessions), len(s.queue), len(s.stalled), s.scanning)
	}
	if a, b := gauge(h.t, s.metrics.subscriptions), gauge(h.t, s.metrics.standings); a != 0 || b != 0 {
		h.fail("counted as left are %v subscriptions, %v standing queries", a, b)
	}
}

func gauge(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetGauge().GetValue()
}
