package query

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// byN asks for the first rows by n, and for positions.
func byN(limit int64) *wire.QuerySub {
	m := &wire.QuerySub{QueryID: "q", MapName: liveMap, Positions: true}
	m.Query.Sort, m.Query.Limit = wire.Sort{{Field: "n"}}, wire.Some(limit)
	return m
}

// told is what a session was sent of its query, in short.
func (h *harness) told(p *peer) (out []string) {
	h.t.Helper()
	for _, m := range p.Take(h.t) {
		switch m := m.(type) {
		case *wire.QueryResp:
			word := fmt.Sprint("rows ", len(m.Results))
			if m.Resumed {
				word = "resumed"
			}
			out = append(out, word)
			p.lives[m.QueryID].position = m.Position
		case *wire.QueryUpdate:
			out = append(out, fmt.Sprint(m.ChangeType, " ", m.Key))
			p.lives[m.QueryID].position = m.Position
		case *wire.ServerEvent:
		default:
			out = append(out, m.Type().String())
		}
	}
	return out
}

// TestResuming is the table of what a client gets that comes back with the
// position it was sent last.
func TestResuming(t *testing.T) {
	for _, c := range []struct {
		name  string
		query func(m *wire.QuerySub)
		opt   Options
		while func(h *harness)
		want  []string
	}{
		{name: "nothing has changed", while: func(*harness) {}, want: []string{"resumed"}},
		{name: "a row has changed", while: func(h *harness) { h.write1("k1", 1) }, want: []string{"resumed", "UPDATE k1"}},
		{
			name: "a row has been displaced", while: func(h *harness) { h.write1("k0", -1); h.write1("k9", -2) },
			want: []string{"resumed", "LEAVE k2", "ENTER k9", "UPDATE k0"},
		},
		{name: "a row has been promoted", while: func(h *harness) { h.remove(0); h.world.Settle() }, want: []string{"resumed", "LEAVE k0", "ENTER k3"}},
		{name: "a row has come and gone", while: func(h *harness) { h.write1("x", -1); h.write1("x", 50) }, want: []string{"resumed"}},
		{name: "a row has been written again", while: func(h *harness) { h.put(1) }, want: []string{"resumed", "UPDATE k1"}},
		{name: "other rows have changed", while: func(h *harness) { h.put(7, 8, 9) }, want: []string{"resumed"}},
		{
			name: "more has changed than is remembered", opt: Options{HistoryEvents: 2}, while: func(h *harness) { h.put(7, 8, 9) },
			want: []string{"rows 3"},
		},
		{
			name: "so much has changed that the window then is not known", opt: Options{}, while: func(h *harness) {
				for n := range 40 {
					h.write1(fmt.Sprint("x", n), -1-n)
				}
			},
			want: []string{"rows 3"},
		},
		{
			name: "it was away for too long", while: func(h *harness) {
				h.world.Clock.Advance(h.service.opt.HistoryTime)
				h.service.Sweep()
				h.world.Settle()
			}, want: []string{"rows 3"},
		},
		{
			name: "it asks something else", query: func(m *wire.QuerySub) { m.Query.Limit = wire.Some(int64(2)) }, while: func(*harness) {},
			want: []string{"rows 2"},
		},
		{name: "the position is none", query: func(m *wire.QuerySub) { m.Since = "nonsense" }, while: func(*harness) {}, want: []string{"rows 3"}},
		{name: "it does not say that it knows positions", query: func(m *wire.QuerySub) { m.Positions = false }, while: func(*harness) {}, want: []string{"rows 3"}},
		{
			name: "changes were lost", while: func(h *harness) { h.service.gap(); h.world.Settle() }, want: []string{"rows 3"},
		},
		{
			name: "a group has changed", query: func(m *wire.QuerySub) {
				m.Query.GroupBy, m.Query.Sort, m.Query.Limit = []string{"n"}, nil, wire.Opt[int64]{}
			},
			while: func(h *harness) { h.write1("k0", 1); h.write1("k5", 77) },
			want:  []string{"resumed", "LEAVE 0", "ENTER 1", "LEAVE 5", "ENTER 77"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, c.name, 1, gridtest.Options{Null: true}, c.opt)
			h.put(upTo(30)...)
			p := h.join()
			m := byN(3)
			if c.name == "a group has changed" {
				c.query(m)
				c.query = nil
			}
			h.ask(p, "q", m)
			h.settleAll()
			h.told(p)
			h.service.Leave(p.Caller.Caller)
			h.world.Settle()
			c.while(h)
			back := h.join()
			back.lives["q"] = &live{message: m}
			m.Since = p.lives["q"].position
			if c.query != nil {
				c.query(m)
			}
			h.handle(back, m)
			h.settleAll()
			if got := h.told(back); !slices.Equal(got, c.want) {
				t.Errorf("is sent %q, want %q", got, c.want)
			}
			h.leave()
		})
	}
}

// write1 writes one n.
func (h *harness) write1(key string, n int) {
	h.t.Helper()
	h.millis++
	h.world.Do(engine.Durable, gridtest.Put(liveMap, key, raw(h.t, map[string]any{"n": int64(n), "at": h.millis}), gridtest.At(h.millis, "x")))
	h.world.Settle()
}

// TestHalfOfAChangeIsNotAPosition: a change that makes two updates is had when
// both are; a client that has only the first is sent both again.
func TestHalfOfAChangeIsNotAPosition(t *testing.T) {
	h := newHarness(t, "half", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(9)...)
	p := h.join()
	m := byN(3)
	h.ask(p, "q", m)
	h.settleAll()
	h.told(p)
	before := p.lives["q"].position
	h.write1("x", -1)
	var positions []string
	for _, m := range p.Take(t) {
		if u, ok := m.(*wire.QueryUpdate); ok {
			positions = append(positions, u.Position)
		}
	}
	if len(positions) != 2 || positions[0] != before || positions[1] == before {
		t.Fatalf("the updates are at %q, before was %q", positions, before)
	}
	back := h.join()
	back.lives["q"] = &live{message: m}
	m.Since = positions[0]
	h.handle(back, m)
	h.settleAll()
	if got := h.told(back); !slices.Equal(got, []string{"resumed", "LEAVE k2", "ENTER x"}) {
		t.Errorf("is sent %q", got)
	}
	h.leave()
}

// TestASlowSubscriberIsAlone: it is sent nothing while it is behind, then what
// it has missed if it can be told so, else the result; others do not notice. One
// that stays behind is closed.
func TestASlowSubscriberIsAlone(t *testing.T) {
	h := newHarness(t, "slow", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(9)...)
	knows, old, quick, lost := h.join(), h.join(), h.join(), h.join()
	plain := byN(3)
	plain.Positions = false
	h.ask(knows, "q", byN(3))
	h.ask(old, "q", plain)
	h.ask(quick, "q", byN(3))
	h.ask(lost, "q", byN(3))
	h.settleAll()
	for _, p := range h.peers {
		h.told(p)
		p.Stall(p != quick)
	}
	h.write1("k1", 1)
	h.write1("k2", 2)
	h.write1("x", -1)
	want := []string{"UPDATE k1", "UPDATE k2", "LEAVE k2", "ENTER x"}
	if got := h.told(quick); !slices.Equal(got, want) {
		t.Errorf("who is quick is sent %q", got)
	}
	h.service.Sweep()
	h.settleAll()
	for _, p := range []*peer{knows, old, lost} {
		if got := h.told(p); len(got) != 0 {
			t.Errorf("who is slow is sent %q", got)
		}
	}
	knows.Stall(false)
	old.Stall(false)
	h.service.Sweep()
	h.settleAll()
	if got := h.told(knows); !slices.Equal(got, []string{"resumed", "LEAVE k2", "ENTER x", "UPDATE k1"}) {
		t.Errorf("who has caught up is sent %q", got)
	}
	if got := h.told(old); !slices.Equal(got, []string{"rows 3"}) {
		t.Errorf("who has caught up and does not know positions is sent %q", got)
	}
	if lost.Closed() != nil {
		t.Errorf("closed at once: %v", lost.Closed())
	}
	h.world.Clock.Advance(h.service.opt.LagTimeout + time.Millisecond)
	h.service.Sweep()
	h.settleAll()
	if why := lost.Closed(); why == nil || why.Code != wire.CloseSlowConsumer {
		t.Errorf("who stays behind is closed with %v", why)
	}
	h.write1("k0", 0)
	for _, p := range []*peer{knows, old, quick} {
		if got := h.told(p); !slices.Equal(got, []string{"UPDATE k0"}) {
			t.Errorf("then %d is sent %q", p.ID, got)
		}
	}
	h.leave()
}

// TestResultsWaitForTheirReader: a session to which much waits to be sent gets the
// results of further queries when it has read that, with what has changed
// meanwhile, and is not closed as long as it gets one in time.
func TestResultsWaitForTheirReader(t *testing.T) {
	h := newHarness(t, "results", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(9)...)
	p := h.join()
	p.Stall(true)
	const queries = 3
	for i := range queries {
		h.ask(p, fmt.Sprint("q", i), byN(3))
	}
	h.settleAll()
	h.write1("x", -1)
	if got := h.told(p); len(got) != 0 {
		t.Fatalf("who does not read is sent %q", got)
	}
	wait := h.service.opt.LagTimeout * 3 / 4
	for i := range queries {
		h.world.Clock.Advance(wait)
		h.service.Sweep()
		h.settleAll()
		if p.Closed() != nil {
			t.Fatalf("closed after %d results: %v", i, p.Closed())
		}
		p.StallAfter(1)
		p.Stall(false)
		h.settleAll()
		if got := h.told(p); !slices.Equal(got, []string{"rows 3"}) {
			t.Fatalf("for result %d it is sent %q", i, got)
		}
	}
	h.write1("y", -2)
	if got := h.told(p); len(got) != 0 {
		t.Errorf("who is slow again is sent %q", got)
	}
	h.world.Clock.Advance(h.service.opt.LagTimeout + time.Millisecond)
	h.service.Sweep()
	h.settleAll()
	if why := p.Closed(); why == nil || why.Code != wire.CloseSlowConsumer {
		t.Errorf("who gets nothing for so long is closed with %v", why)
	}
	h.leave()
}

// TestAnAnswerHasTheSessionsOwnWrites: a query that is kept already is answered
// with the writes that its session made just before.
func TestAnAnswerHasTheSessionsOwnWrites(t *testing.T) {
	h := newHarness(t, "own", 1, gridtest.Options{}, Options{})
	h.put(upTo(9)...)
	first, second := h.join(), h.join()
	h.subscribe(first, "q", questions[0], "")
	h.settle()
	passes := h.service.metrics.scans
	before := countOf(t, passes)
	h.millis++
	h.world.Do(engine.Durable, gridtest.Put(liveMap, "k55", raw(t, map[string]any{"n": int64(1)}), gridtest.At(h.millis, "x")))
	h.subscribe(second, "q", questions[0], "")
	h.settleAll()
	messages := second.Take(t)
	if r, ok := messages[0].(*wire.QueryResp); !ok || len(r.Results) != 10 {
		t.Errorf("the answer is %+v", messages[0])
	}
	if got := countOf(t, passes); got != before {
		t.Errorf("%v passes for a query that was kept", got-before)
	}
	h.leave()
}

// TestExpiredRowsAreNotAnswered: a record that has expired while it was kept is
// in no further answer, and leaves for those who have it.
func TestExpiredRowsAreNotAnswered(t *testing.T) {
	for name, query := range map[string]*wire.QuerySub{
		"rows":  byN(5),
		"total": {QueryID: "q", MapName: liveMap, Query: wire.Query{TotalCount: true, Limit: wire.Some(int64(1))}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, "expired", 1, gridtest.Options{Null: true}, Options{})
			h.put(1, 2)
			op := gridtest.Put(liveMap, "k0", raw(t, map[string]any{"n": int64(0)}), gridtest.At(0, "x"))
			op.TTL = 1000
			h.world.Do(engine.Durable, op)
			h.world.Settle()
			first, second := h.join(), h.join()
			h.ask(first, "q", query)
			h.settleAll()
			h.receive(first)
			l := first.lives["q"]
			if len(l.rows) == 0 || l.rows["k0"] == "" {
				t.Fatalf("shown are %s", l.rows.text())
			}
			h.world.Clock.Advance(2 * time.Second)
			h.ask(second, "q", query)
			h.settleAll()
			for _, p := range []*peer{first, second} {
				h.receive(p)
				l := p.lives["q"]
				if l.rows["k0"] != "" || query.Query.TotalCount && l.total != 2 {
					t.Errorf("%d shows %s of %d", p.ID, l.rows.text(), l.total)
				}
			}
			h.leave()
		})
	}
}

// TestOneEvaluationForAll: queries with the same condition have it once, however
// they are written, sorted and cut.
func TestOneEvaluationForAll(t *testing.T) {
	h := newHarness(t, "conditions", 1, gridtest.Options{Null: true}, Options{})
	p := h.join()
	for i := range 6 {
		m := ask(where(t, map[string]any{"g": int64(1), "n": int64(i % 2)}))
		m.MapName = liveMap
		m.Query.Limit = wire.Some(int64(i))
		h.ask(p, fmt.Sprint("q", i), m)
	}
	h.settle()
	m := h.service.maps[liveMap]
	if len(m.conditions) != 2 || m.index.Len() != 2 || len(m.standings) != 6 {
		t.Errorf("%d conditions, %d indexed, %d queries", len(m.conditions), m.index.Len(), len(m.standings))
	}
	h.unsubscribe(p, "q0")
	h.unsubscribe(p, "q2")
	h.settle()
	if len(m.conditions) != 2 || len(m.standings) != 4 {
		t.Errorf("%d conditions, %d queries", len(m.conditions), len(m.standings))
	}
	h.unsubscribe(p, "q4")
	h.settle()
	if len(m.conditions) != 1 || m.index.Len() != 1 {
		t.Errorf("%d conditions, %d indexed", len(m.conditions), m.index.Len())
	}
	h.leave()
}

// TestSubscriptionsAreSmall: a query that others ask too costs a session less
// than a kilobyte, and nothing when it is gone.
func TestSubscriptionsAreSmall(t *testing.T) {
	h := newHarness(t, "small", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(20)...)
	const n = 10_000
	callers := make([]*service.Caller, n)
	for i := range callers {
		callers[i] = &service.Caller{ID: uint64(i + 1), Out: nobody{}, Wake: func() {}}
	}
	message := byN(10)
	message.QueryID = "00000000-0000-4000-8000-000000000000"
	frame, size := servicetest.Frame(t, message)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round := func() {
		for _, c := range callers {
			if err := h.service.Handle(c, frame, size); err != nil {
				t.Fatal(err)
			}
		}
		h.world.Settle()
	}
	leave := func() {
		for _, c := range callers {
			h.service.Leave(c)
		}
		h.world.Settle()
	}
	round() // what stays for the next time, as room in maps
	leave()
	before := heap()
	round()
	during := heap()
	if s := h.service; len(s.sessions) != n || len(s.maps[liveMap].standings) != 1 {
		t.Fatalf("%d sessions, %d queries", len(s.sessions), len(s.maps[liveMap].standings))
	}
	leave()
	after := heap()
	each := (float64(during) - float64(before)) / n
	t.Logf("%.0f bytes each", each)
	if each > 1000 {
		t.Errorf("a subscription costs %.0f bytes", each)
	}
	if left := (float64(after) - float64(before)) / n; left > 20 {
		t.Errorf("%.0f bytes of each are left", left)
	}
	h.leave()
}

// nobody is an outbox that forgets.
type nobody struct{}

func (nobody) Send(service.Frame)        {}
func (nobody) SendAll([]service.Frame)   {}
func (nobody) Behind() bool              { return false }
func (nobody) Drained(func()) bool       { return true }
func (nobody) Close(*service.CloseError) {}

// TestWhoWaitsForTheResultIsNotSlow: a session that has read everything is not
// closed because a result takes long to be made again, and gets it then.
func TestWhoWaitsForTheResultIsNotSlow(t *testing.T) {
	h := newHarness(t, "filling", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(9)...)
	p := h.join()
	h.ask(p, "q", byN(3))
	h.settleAll()
	h.told(p)
	p.Stall(true)
	h.write1("x", -1)
	h.service.gap()
	p.Stall(false)
	for range 2 {
		h.world.Clock.Advance(h.service.opt.LagTimeout + time.Millisecond)
		h.service.Sweep()
		h.service.Step() // and the lanes do not answer
		if why := p.Closed(); why != nil {
			t.Fatalf("closed with %v", why)
		}
	}
	p.Stall(true)
	h.service.Sweep()
	h.service.Step()
	if why := p.Closed(); why != nil {
		t.Fatalf("closed with %v, and has been slow for no time", why)
	}
	p.Stall(false)
	h.settleAll()
	h.service.Sweep()
	h.settleAll()
	if got := h.told(p); !slices.Equal(got, []string{"rows 3"}) {
		t.Errorf("it is sent %q", got)
	}
	h.leave()
}
