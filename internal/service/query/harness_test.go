package query

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
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
	asker   *asker
	pool    []*wire.QuerySub // random queries, so few that peers share them
	tags    [][2]string      // key and tag of what was added to sets
	updates int              // QUERY_UPDATEs received
	resumed int              // answers that send only what was missed
}

func newHarness(t *testing.T, name string, seed uint64, world gridtest.Options, opt Options) *harness {
	t.Helper()
	h := &harness{t: t, name: name, rng: rand.New(rand.NewPCG(seed, 5)), world: gridtest.Open(t, world)}
	h.service = New(h.world.Engine, h.world.Feed, h.world.Clock, prometheus.NewRegistry(), opt)
	h.world.Add(h.service)
	h.world.Engine.Indexes.Load(nil, nil)
	h.asker = &asker{t, h.rng}
	for range 12 {
		h.pool = append(h.pool, h.asker.query())
	}
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
	node    string
	lives   map[string]*live
	asked   int
	follows bool
	stalled bool // was slow at some time
	replica table
	heard   map[string]int // events, by key and timestamp
}

// live is one subscription as the client sees it.
type live struct {
	message  *wire.QuerySub
	answered int
	rows     screen // values
	cursor   string
	more     bool
	total    int64
	position string
	resumed  bool // rows may enter and leave that have done so already
}

func (h *harness) join() *peer {
	h.nextID++
	p := &peer{
		Caller: servicetest.NewCaller(h.nextID, 1<<20), h: h, node: fmt.Sprint("p", h.nextID),
		lives: map[string]*live{}, replica: table{}, heard: map[string]int{},
	}
	h.peers = append(h.peers, p)
	return p
}

// question is a query that a test asks in so many words.
type question struct {
	where map[string]any
	sort  wire.Sort
	limit wire.Opt[int64]
	field []string
}

// questions are few, so that peers share them.
var questions = []question{
	{},
	{limit: wire.Some(int64(0))},
	{limit: wire.Some(int64(3)), sort: wire.Sort{{Field: "n", Descending: true}}},
	{limit: wire.Some(int64(7)), sort: wire.Sort{{Field: "n"}, {Field: "g", Descending: true}}},
	{limit: wire.Some(int64(2)), sort: wire.Sort{{Field: "n"}}, field: []string{"g"}},
	{where: map[string]any{"g": int64(1)}, limit: wire.Some(int64(4)), sort: wire.Sort{{Field: "n"}}},
	{where: map[string]any{"n": map[string]any{"$gte": int64(5)}}, field: []string{"n"}},
}

func (h *harness) subscribe(p *peer, id string, ask question, cursor string) {
	h.t.Helper()
	m := &wire.QuerySub{MapName: liveMap, Fields: ask.field}
	m.Query.Sort, m.Query.Limit, m.Query.Cursor = ask.sort, ask.limit, cursor
	if ask.where != nil {
		m.Query.Where = raw(h.t, ask.where)
	}
	h.ask(p, id, m)
}

// ask subscribes to a query under an id.
func (h *harness) ask(p *peer, id string, query *wire.QuerySub) {
	h.t.Helper()
	m := *query
	m.QueryID = id
	p.lives[id] = &live{message: &m, rows: screen{}, total: -1}
	h.handle(p, &m)
}

// again loses the connection of a peer and comes back: to what it has been told
// positions of, with the last of them.
func (h *harness) again(p *peer) {
	h.t.Helper()
	h.receive(p)
	h.service.Leave(p.Caller.Caller)
	h.nextID++
	p.Caller, p.stalled = servicetest.NewCaller(h.nextID, 1<<20), false
	for _, id := range slices.Sorted(maps.Keys(p.lives)) {
		l := p.lives[id]
		l.answered, l.message.Since = 0, l.position
		h.handle(p, l.message)
	}
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
		ts := gridtest.At(h.millis, p.node)
		if h.rng.IntN(10) == 0 {
			ts.Millis -= int64(h.rng.IntN(30)) // late, and perhaps too late
		}
		switch h.rng.IntN(5) {
		case 0:
			ops[i] = h.tag(key, ts)
		case 1:
			state, err := crdt.AppendCounter(nil, map[string]float64{"x": float64(h.rng.IntN(50))}, map[string]float64{"y": float64(h.rng.IntN(20))})
			if err != nil {
				h.fail("%v", err)
			}
			ops[i] = records.Op{
				Verb: change.Merge, Kind: change.KindCounter, Map: records.CounterMap, Key: key, Hash: hash.Key(key), Counter: crdt.CounterState(state),
			}
		default:
			doc := h.asker.doc()
			if h.rng.IntN(3) == 0 {
				doc = nil
			}
			ops[i] = gridtest.Put(liveMap, key, doc, ts)
		}
		ops[i].Author = p.Author
	}
	h.world.Do(engine.Durable, ops...)
}

// tag adds to a set or removes from it.
func (h *harness) tag(key string, ts hlc.Timestamp) records.Op {
	if len(h.tags) > 0 && h.rng.IntN(2) == 0 {
		at := h.rng.IntN(len(h.tags))
		old := h.tags[at]
		h.tags[at] = h.tags[len(h.tags)-1]
		h.tags = h.tags[:len(h.tags)-1]
		return gridtest.Drop(setMap, old[0], old[1])
	}
	op := gridtest.Add(setMap, key, raw(h.t, map[string]any{"v": h.asker.scalar()}), ts)
	if h.rng.IntN(2) == 0 {
		v, err := value.FromAny(h.asker.scalar())
		if err != nil {
			h.fail("%v", err)
		}
		op.Value = v
	}
	h.tags = append(h.tags, [2]string{key, op.Tag})
	return op
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
			if l.answered++; l.answered > 1 && !p.stalled {
				h.fail("%s is answered twice", m.QueryID)
			}
			if m.Error != "" {
				h.fail("%s is answered with %s", m.QueryID, m.Error)
			}
			l.cursor, l.more, l.position = m.NextCursor, m.HasMore, m.Position
			if m.TotalCount.Set {
				l.total = m.TotalCount.Value
			}
			if (m.Position != "") != l.message.Positions || m.Resumed && l.message.Since == "" && !p.stalled {
				h.fail("%s is answered %+v", m.QueryID, m)
			}
			if m.Resumed {
				h.resumed++
				l.resumed = true
				continue
			}
			clear(l.rows)
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
		case *wire.QueryTotal:
			l := p.lives[m.QueryID]
			if l != nil && (!l.message.Query.TotalCount || l.answered == 0) {
				h.fail("%s is told a total", m.QueryID)
			}
			if l != nil {
				l.total = m.TotalCount
			}
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
	case (m.ChangeType == wire.ChangeEnter) == shown && !l.resumed:
		h.fail("%s: %s of %s, shown %t", m.QueryID, m.ChangeType, m.Key, shown)
	case (m.Position != "") != l.message.Positions:
		h.fail("%s is updated to %q", m.QueryID, m.Position)
	case m.ChangeType == wire.ChangeLeave:
		delete(l.rows, m.Key)
	default:
		l.rows[m.Key] = string(m.Value)
	}
	l.position = m.Position
}

func (h *harness) event(p *peer, m *wire.ServerEvent) {
	h.t.Helper()
	if m.MapName != liveMap {
		return
	}
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
	for _, p := range h.peers {
		p.Stall(false)
	}
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

// contents is what the grid holds of a map.
func (h *harness) contents(mapName string) table {
	h.t.Helper()
	tab := table{}
	for i := range liveKeys {
		key := fmt.Sprint("k", i)
		if state, ok := h.world.Read(h.t, mapName, key); ok {
			tab[key] = state
		}
	}
	return tab
}

// check holds what every client shows against the queries run anew.
func (h *harness) check(when string) {
	h.t.Helper()
	h.settle()
	tabs := map[string]table{liveMap: h.contents(liveMap), setMap: h.contents(setMap), records.CounterMap: h.contents(records.CounterMap)}
	for _, p := range h.peers {
		for id, l := range p.lives {
			if l.answered != 1 && (l.answered == 0 || !p.stalled) {
				h.fail("%s: %d/%s is answered %d times", when, p.ID, id, l.answered)
			}
			if l.message.Query.Cursor != "" {
				continue // see TestPages
			}
			rows, _, total := slowAnswer(h.t, l.message, tabs[l.message.MapName])
			if got, want := l.rows.text(), text(rows); got != want {
				h.fail("%s: %d/%s, which asks for %s, shows\n%s\nthe query gives\n%s", when, p.ID, id, asked(l.message), got, want)
			}
			if l.message.Query.TotalCount && l.total != total {
				h.fail("%s: %d/%s, which asks for %s, counts %d, %d match", when, p.ID, id, asked(l.message), l.total, total)
			}
		}
		if p.follows && p.Closed() == nil {
			h.checkReplica(when, p, tabs[liveMap])
		}
	}
}

func (h *harness) checkReplica(when string, p *peer, tab table) {
	h.t.Helper()
	for key, state := range tab {
		rec, err := crdt.ParseLWW(state)
		if err != nil {
			h.fail("%v", err)
		}
		mine := rec.TS.Node == p.node
		if got := p.replica[key]; got != state && !mine {
			h.fail("%s: the replica of %d holds %x of %s, the grid %x", when, p.ID, got, key, state)
		}
	}
}

// asked is a query as people write it.
func asked(m *wire.QuerySub) string {
	return fmt.Sprint(value.Raw(wire.Append(nil, m)).Any())
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
	h.world.Clock.Advance(h.service.opt.HistoryTime)
	h.settle()
	h.empty()
}

func (h *harness) empty() {
	h.t.Helper()
	s := h.service
	if len(s.maps) != 0 || len(s.sessions) != 0 || len(s.queue) != 0 || len(s.stalled) != 0 || s.passes != 0 || s.fences != nil || len(s.fenced.subs) != 0 || len(s.lagging) != 0 {
		h.fail("left are %d maps, %d sessions, %d queued, %d stalled, %d passes, fences %t and for %d, %d lagging",
			len(s.maps), len(s.sessions), len(s.queue), len(s.stalled), s.passes, s.fences != nil, len(s.fenced.subs), len(s.lagging))
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

func countOf(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue()
}

// indexed are the indexes that a history makes and drops.
var indexed = []index.Definition{
	{Map: liveMap, Kind: index.Ordered, Fields: []string{"n"}},
	{Map: liveMap, Kind: index.Ordered, Fields: []string{"g", "n"}},
	{Map: liveMap, Kind: index.Ordered, Fields: []string{"n", "s"}},
	{Map: liveMap, Kind: index.Hash, Fields: []string{"g"}},
	{Map: liveMap, Kind: index.Ordered, Fields: []string{"s"}},
	{Map: liveMap, Kind: index.Inverted, Fields: []string{"list"}},
}

// toggle makes an index, or drops it.
func (h *harness) toggle() {
	d := indexed[h.rng.IntN(len(indexed))]
	x := h.world.Engine.Indexes
	if h.rng.IntN(3) == 0 {
		x.Drop(d.Map, d.Fields, func(error) {}) // it may not be there
		return
	}
	x.Create(d, func(error) {}) // it may be there
}
