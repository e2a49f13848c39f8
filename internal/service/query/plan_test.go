package query

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// ask is a QUERY_SUB of the map "m".
func ask(set func(m *wire.QuerySub)) *wire.QuerySub {
	m := &wire.QuerySub{QueryID: "q", MapName: "m"}
	if set != nil {
		set(m)
	}
	return m
}

func where(t failer, doc map[string]any) func(*wire.QuerySub) {
	t.Helper()
	v := raw(t, doc)
	return func(m *wire.QuerySub) { m.Query.Where = v }
}

func node(t failer, doc map[string]any) func(*wire.QuerySub) {
	t.Helper()
	v := raw(t, doc)
	return func(m *wire.QuerySub) { m.Query.Predicate = v }
}

// TestPlansAreSharedByWhoAsksTheSame is a table of pairs: equal questions have
// one standing query, different ones never do.
func TestPlansAreSharedByWhoAsksTheSame(t *testing.T) {
	eq := func(field string, v any) map[string]any {
		return map[string]any{"op": "eq", "attribute": field, "value": v}
	}
	sorted := func(fields ...wire.SortField) func(*wire.QuerySub) {
		return func(m *wire.QuerySub) { m.Query.Sort = fields }
	}
	fields := func(names ...string) func(*wire.QuerySub) {
		return func(m *wire.QuerySub) { m.Fields = names }
	}
	limit := func(n int64) func(*wire.QuerySub) {
		return func(m *wire.QuerySub) { m.Query.Limit = wire.Some(n) }
	}
	grouped := func(by string, over ...wire.Aggregation) func(*wire.QuerySub) {
		return func(m *wire.QuerySub) { m.Query.GroupBy, m.Query.Aggregations = []string{by}, over }
	}
	mine := map[string]any{"op": "eq", "attribute": "owner", "valueRef": "auth.id"}
	for _, c := range []struct {
		name       string
		a, b       func(*wire.QuerySub)
		whoA, whoB string
		same       bool
	}{
		{name: "the same", same: true},
		{name: "another id", b: func(m *wire.QuerySub) { m.QueryID = "other" }, same: true},
		{name: "where and the predicate that it means", a: where(t, map[string]any{"a": 1}), b: node(t, eq("a", 1)), same: true},
		{name: "another number form", a: node(t, eq("a", 1)), b: node(t, eq("a", 1.0)), same: true},
		{name: "another literal", a: node(t, eq("a", 1)), b: node(t, eq("a", 2))},
		{name: "a text of the number", a: node(t, eq("a", 1)), b: node(t, eq("a", "1"))},
		{name: "another attribute", a: node(t, eq("a", 1)), b: node(t, eq("b", 1))},
		{name: "no condition", a: node(t, eq("a", 1))},
		{name: "another order", a: sorted(wire.SortField{Field: "n"}), b: sorted(wire.SortField{Field: "n", Descending: true})},
		{name: "another field to sort by", a: sorted(wire.SortField{Field: "n"}), b: sorted(wire.SortField{Field: "m"})},
		{
			name: "two fields in another order", a: sorted(wire.SortField{Field: "n"}, wire.SortField{Field: "m"}),
			b: sorted(wire.SortField{Field: "m"}, wire.SortField{Field: "n"}),
		},
		{
			name: "one field that reads like two", a: sorted(wire.SortField{Field: `n"true,"m`}),
			b: sorted(wire.SortField{Field: "n", Descending: true}, wire.SortField{Field: "m"}),
		},
		{name: "another limit", a: limit(3), b: limit(4)},
		{name: "no limit, and the server's", a: limit(100), same: true},
		{name: "a limit beyond the server's", a: limit(101), same: true},
		{name: "with and without a total", a: func(m *wire.QuerySub) { m.Query.TotalCount = true }},
		{name: "other groups", a: grouped("a"), b: grouped("b")},
		{name: "groups and none", a: grouped("a")},
		{name: "other aggregates", a: grouped("a", wire.Aggregation{Func: wire.AggregateSum, Field: "n"}), b: grouped("a", wire.Aggregation{Func: wire.AggregateAvg, Field: "n"})},
		{name: "counts, which every group has", a: grouped("a", wire.Aggregation{Func: wire.AggregateCount}), b: grouped("a"), same: true},
		{name: "other fields", a: fields("a"), b: fields("b")},
		{name: "fields that read like one", a: fields("a", "b"), b: fields(`a" "b`)},
		{name: "everything and nothing", a: fields(), b: fields("")},
		{name: "what is the caller's, by one caller", a: node(t, mine), b: node(t, mine), whoA: "ann", whoB: "ann", same: true},
		{name: "what is the caller's, by two", a: node(t, mine), b: node(t, mine), whoA: "ann", whoB: "bob"},
		{name: "what is ann's", a: node(t, mine), b: node(t, eq("owner", "ann")), whoA: "ann", whoB: "bob", same: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := newPlan(ask(c.a), policy.Principal{ID: c.whoA}, 100)
			if err != nil {
				t.Fatal(err)
			}
			b, err := newPlan(ask(c.b), policy.Principal{ID: c.whoB}, 100)
			if err != nil {
				t.Fatal(err)
			}
			if same := a.same == b.same; same != c.same {
				t.Errorf("shared %t:\n%q\n%q", same, a.same, b.same)
			}
		})
	}
}

// TestAQueryThatCannotBeAnsweredIsAnswered: with an empty result that says why,
// and no subscription.
func TestAQueryThatCannotBeAnsweredIsAnswered(t *testing.T) {
	h := newHarness(t, "refused", 1, gridtest.Options{Null: true}, Options{SessionQueries: 2})
	for name, c := range map[string]struct {
		message *wire.QuerySub
		code    wire.Code
	}{
		"an unknown operator":   {ask(node(t, map[string]any{"op": "frobnicate", "attribute": "a"})), wire.CodeInvalidQuery},
		"a map of the server's": {ask(func(m *wire.QuerySub) { m.MapName = "__topgun_devices" }), wire.CodeReservedMap},
		"a sum of nothing": {ask(func(m *wire.QuerySub) {
			m.Query.Aggregations = []wire.Aggregation{{Func: wire.AggregateSum}}
		}), wire.CodeInvalidQuery},
		"too much to sort by":  {ask(func(m *wire.QuerySub) { m.Query.Sort = slices.Repeat(wire.Sort{{Field: "a"}}, maxSortFields+1) }), wire.CodeInvalidQuery},
		"too many fields":      {ask(func(m *wire.QuerySub) { m.Fields = slices.Repeat([]string{"a"}, maxFields+1) }), wire.CodeInvalidQuery},
		"too much to group by": {ask(func(m *wire.QuerySub) { m.Query.GroupBy = slices.Repeat([]string{"a"}, group.MaxFields+1) }), wire.CodeInvalidQuery},
		"too many aggregates": {ask(func(m *wire.QuerySub) {
			m.Query.Aggregations = slices.Repeat([]wire.Aggregation{{Func: wire.AggregateCount}}, group.MaxAggregations+1)
		}), wire.CodeInvalidQuery},
	} {
		p := h.join()
		h.handle(p, c.message)
		h.settleAll()
		resp := servicetest.One[*wire.QueryResp](t, p.Caller)
		if resp.QueryID != "q" || resp.Code != c.code.Name() || resp.Error == "" || len(resp.Results) != 0 {
			t.Errorf("%s: %+v", name, resp)
		}
	}
	p := h.join()
	for i := range 3 {
		h.handle(p, &wire.QuerySub{QueryID: fmt.Sprint("q", i), MapName: "m"})
	}
	h.settleAll()
	answers := p.Take(t)
	codes := map[string]string{}
	for _, m := range answers {
		if r, ok := m.(*wire.QueryResp); ok {
			codes[r.QueryID] = r.Code
		}
	}
	if len(answers) != 3 || codes["q0"] != "" || codes["q1"] != "" || codes["q2"] != wire.CodeTooLarge.Name() {
		t.Errorf("of three queries where two are allowed: %v", codes)
	}
	// One that replaces another is not one more.
	h.handle(p, &wire.QuerySub{QueryID: "q1", MapName: "other"})
	h.settleAll()
	if r := servicetest.One[*wire.QueryResp](t, p.Caller); r.Code != "" {
		t.Errorf("a query in the place of another: %+v", r)
	}
	h.leave()
}

// settleAll lets everything happen without reading what clients were sent.
func (h *harness) settleAll() { h.world.Settle() }

// TestIdentityIsSessionAndID is QUERY-IDENTITY: two sessions with one id do not
// meet, and a session that uses an id again replaces its own query alone.
func TestIdentityIsSessionAndID(t *testing.T) {
	h := newHarness(t, "identity", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(9)...)
	a, b := h.join(), h.join()
	h.subscribe(a, "q", questions[2], "")
	h.subscribe(b, "q", questions[3], "")
	h.check("after both have asked")
	h.put(10, 11, 1)
	h.check("after a write")
	h.unsubscribe(a, "q")
	h.remove(3)
	h.check("after one has left")
	h.subscribe(b, "q", questions[2], "")
	h.check("after the other has asked anew")
	if n := len(h.service.maps[liveMap].standings); n != 1 {
		t.Errorf("%d standing queries are left", n)
	}
	h.put(12)
	h.check("after another write")
	h.unsubscribe(a, "q") // which it has not
	h.unsubscribe(a, "never")
	h.check("after an end of nothing")
	h.leave()
}

// TestPagesCoverEverythingOnce follows cursors through a map, in random orders
// and pages: every row comes once, in its place.
func TestPagesCoverEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := table{}
		for i := range rapid.IntRange(0, 25).Draw(t, "rows") {
			tab[fmt.Sprint("k", i)] = stateOf(drawDoc(t))
		}
		m := ask(func(m *wire.QuerySub) {
			m.Query.Sort = drawSort(t)
			m.Query.Limit = wire.Some(int64(rapid.IntRange(1, 7).Draw(t, "limit")))
		})
		everything := ask(func(o *wire.QuerySub) { o.Query.Sort = m.Query.Sort })
		want, _ := tab.answer(everything, nil, 1)
		now := time.UnixMilli(gridtest.Epoch)
		for cursor := ""; ; {
			p := mustPlan(t, m)
			if cursor != "" {
				var status cursorStatus
				if p.after, status = p.readCursor(cursor, now); status != cursorValid {
					t.Fatalf("the cursor is %s", status.wire())
				}
			}
			w := newWindow(p, 0)
			for key, state := range tab {
				w.set(key, p.wants(change.KindLWW, key, state, 1), nil)
			}
			rows := w.shown()
			for _, r := range rows {
				if len(want) == 0 || want[0].key != r.key {
					t.Fatalf("the next row is %q, %d are left of everything", r.key, len(want))
				}
				want = want[1:]
			}
			if w.more() != (len(want) > 0) {
				t.Fatalf("there is more: %t, %d are left", w.more(), len(want))
			}
			if !w.more() {
				return
			}
			cursor = p.writeCursor(rows[len(rows)-1], now)
			now = now.Add(time.Minute)
		}
	})
}

// TestPagesOfTheService pages through the service, as loadMore does: each page
// under an id of its own; a page stays live.
func TestPagesOfTheService(t *testing.T) {
	h := newHarness(t, "pages", 1, gridtest.Options{Null: true}, Options{})
	h.put(upTo(8)...)
	p := h.join()
	cursor, seen := "", ""
	for page := range 3 {
		id := fmt.Sprint("page", page)
		h.subscribe(p, id, firstThree, cursor)
		h.settle()
		l := p.lives[id]
		seen += fmt.Sprint(len(l.rows), l.more, " ")
		cursor = l.cursor
	}
	if seen != "3 true 3 true 2 false " || cursor != "" {
		t.Fatalf("the pages are %q, the last cursor %q", seen, cursor)
	}
	h.remove(4)
	h.settle()
	if got := p.lives["page1"].rows.text(); got != `k3={"n":3} k5={"n":5} k6={"n":6}` {
		t.Errorf("the second page shows %s", got)
	}
	h.remove(0) // before its beginning
	h.settle()
	if n := len(p.lives["page1"].rows); n != 3 {
		t.Errorf("the second page shows %d rows", n)
	}
	h.leave()
}

// TestCursors is the table of what may be wrong with one.
func TestCursors(t *testing.T) {
	byN := ask(func(m *wire.QuerySub) {
		m.Query.Sort, m.Query.Limit = wire.Sort{{Field: "n"}}, wire.Some(int64(1))
	})
	p := mustPlan(t, byN)
	now := time.UnixMilli(gridtest.Epoch)
	good := p.writeCursor(p.wants(change.KindLWW, "k", stateOf(raw(t, map[string]any{"n": 1})), 1), now)
	odd := mustPlan(t, ask(nil))
	unsorted := odd.writeCursor(odd.wants(change.KindLWW, "k", stateOf(value.AppendInt(nil, 1)), 1), now)
	for _, c := range []struct {
		name   string
		query  func(*wire.QuerySub)
		cursor string
		age    time.Duration
		want   wire.CursorStatus
	}{
		{"its own", nil, good, 0, wire.CursorValid},
		{"with another limit", func(m *wire.QuerySub) { m.Query.Limit = wire.Some(int64(9)) }, good, 0, wire.CursorValid},
		{"with other fields", func(m *wire.QuerySub) { m.Fields = []string{"a"} }, good, 0, wire.CursorValid},
		{"as old as may be", nil, good, cursorLife, wire.CursorValid},
		{"too old", nil, good, cursorLife + time.Millisecond, wire.CursorExpired},
		{"too old, of another query", where(t, map[string]any{"a": 1}), good, cursorLife + time.Millisecond, wire.CursorExpired},
		{"of another map", func(m *wire.QuerySub) { m.MapName = "other" }, good, 0, wire.CursorInvalid},
		{"of another condition", where(t, map[string]any{"a": 1}), good, 0, wire.CursorInvalid},
		{"of another order", func(m *wire.QuerySub) { m.Query.Sort = wire.Sort{{Field: "n", Descending: true}} }, good, 0, wire.CursorInvalid},
		{"of no order", nil, unsorted, 0, wire.CursorInvalid},
		{"no base64", nil, "!", 0, wire.CursorInvalid},
		{"no MessagePack", nil, "wQ", 0, wire.CursorInvalid},
		{"cut short", nil, good[:len(good)-2], 0, wire.CursorInvalid},
		{"of another version", nil, "lQLPAAA", 0, wire.CursorInvalid},
		{"a number", nil, "AQ", 0, wire.CursorInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := *byN
			if c.query != nil {
				c.query(&m)
			}
			q := mustPlan(t, &m)
			after, status := q.readCursor(c.cursor, now.Add(c.age))
			if status.wire() != c.want || (after != nil) != (c.want == wire.CursorValid) {
				t.Errorf("%s, from %v", status.wire(), after)
			}
			// The service says so, with an empty page and no subscription.
			h := newHarness(t, c.name, 1, gridtest.Options{Null: true}, Options{})
			h.world.Clock.Advance(c.age)
			client := h.join()
			m.Query.Cursor = c.cursor
			h.handle(client, &m)
			h.settleAll()
			if r := servicetest.One[*wire.QueryResp](t, client.Caller); r.CursorStatus != c.want || len(r.Results) != 0 {
				t.Errorf("the answer is %+v", r)
			}
			if got := len(h.service.maps); (got == 1) != (c.want == wire.CursorValid) {
				t.Errorf("%d maps are followed", got)
			}
			h.leave()
		})
	}
}

func FuzzReadCursor(f *testing.F) {
	m := ask(func(m *wire.QuerySub) { m.Query.Sort = wire.Sort{{Field: "n"}, {Field: "m", Descending: true}} })
	p, err := newPlan(m, policy.Principal{}, 10)
	if err != nil {
		f.Fatal(err)
	}
	now := time.UnixMilli(gridtest.Epoch)
	f.Add(p.writeCursor(p.wants(change.KindLWW, "k", stateOf(value.AppendInt(nil, 1)), 1), now))
	f.Add("")
	f.Add("3f////8")
	f.Fuzz(func(t *testing.T, s string) {
		after, status := p.readCursor(s, now)
		if (after != nil) != (status == cursorValid) {
			t.Fatalf("%s and %v", status.wire(), after)
		}
		if after != nil {
			// Whatever it says, rows can be compared with it.
			r := p.wants(change.KindLWW, "k", stateOf(value.AppendInt(nil, 1)), 1)
			p.compareTo(r, after)
		}
	})
}
