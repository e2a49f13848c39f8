package topgun_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// docs draws values of which many are equal, in all of their types.
func docs() *rapid.Generator[any] {
	scalar := rapid.SampledFrom([]any{nil, true, false, 0, 1, 2, -1.5, 0.1, "", "a", "b", "B", "10", "9", "ü", "😀", []any{}, []any{"a", 1}, map[string]any{"x": 1}})
	return rapid.Custom(func(t *rapid.T) any {
		doc := map[string]any{}
		for _, name := range []string{"a", "b", "c"} {
			if rapid.Bool().Draw(t, name) {
				doc[name] = scalar.Draw(t, "value of "+name)
			}
		}
		if rapid.Bool().Draw(t, "deep") {
			doc["d"] = map[string]any{"e": scalar.Draw(t, "value of d.e")}
		}
		return doc
	})
}

// queries draws queries that a replica can answer.
func queries() *rapid.Generator[topgun.Query] {
	attribute := rapid.SampledFrom([]string{"a", "b", "c", "d.e", "c.0", "_key"})
	literal := rapid.SampledFrom([]any{nil, true, 0, 1, 1.5, "a", "B", "%a%", "", []any{"a", 1}})
	var condition func(depth int) *rapid.Generator[topgun.Predicate]
	condition = func(depth int) *rapid.Generator[topgun.Predicate] {
		return rapid.Custom(func(t *rapid.T) topgun.Predicate {
			if depth > 0 && rapid.Bool().Draw(t, "branch") {
				children := rapid.SliceOfN(condition(depth-1), 0, 2).Draw(t, "children")
				switch rapid.IntRange(0, 2).Draw(t, "which") {
				case 0:
					return topgun.All(children...)
				case 1:
					return topgun.Any(children...)
				}
				return topgun.Not(condition(depth-1).Draw(t, "child"))
			}
			switch op := rapid.SampledFrom([]string{
				"eq", "neq", "gt", "gte", "lt", "lte", "like", "regex", "in", "between", "isNull", "isNotNull",
				"contains", "containsAll", "containsAny", "startsWith", "endsWith",
			}).Draw(t, "op"); op {
			case "like", "regex", "startsWith", "endsWith":
				return topgun.Is(attribute.Draw(t, "attribute"), op, rapid.SampledFrom([]string{"", "a", "%A%", "_", "B|a", "^k1"}).Draw(t, "pattern"))
			case "between":
				return topgun.Is(attribute.Draw(t, "attribute"), op, []any{literal.Draw(t, "low"), literal.Draw(t, "high")})
			default:
				return topgun.Is(attribute.Draw(t, "attribute"), op, literal.Draw(t, "value"))
			}
		})
	}
	return rapid.Custom(func(t *rapid.T) topgun.Query {
		q := topgun.Query{Limit: rapid.IntRange(0, 6).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "where") {
			q.Where = map[string]any{attribute.Draw(t, "field"): literal.Draw(t, "equals")}
		} else {
			q.Predicate = condition(2).Draw(t, "condition")
		}
		for range rapid.IntRange(0, 2).Draw(t, "sorts") {
			q.Sort = append(q.Sort, topgun.Sort{
				By:         rapid.SampledFrom([]string{"a", "b", "d.e"}).Draw(t, "by"),
				Descending: rapid.Bool().Draw(t, "descending"),
			})
		}
		if rapid.Bool().Draw(t, "projected") {
			q.Fields = []string{"a", "d.e"}
		}
		return q
	})
}

// rowsOf is a result as text.
func rowsOf(r topgun.Result[any]) string {
	var b strings.Builder
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%s %v\n", row.Key, row.Value)
	}
	return fmt.Sprintf("%smore %t", b.String(), r.More)
}

// TestAReplicaAnswersAsTheServerDoes compares both on random records, page by
// page, and the live result with a new one after every change.
func TestAReplicaAnswersAsTheServerDoes(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := topgun.MapOf[any](c, fmt.Sprint("m", run))
		write := func(i int) {
			key := fmt.Sprint("k", rapid.IntRange(0, 12).Draw(rt, "key"))
			if rapid.IntRange(0, 4).Draw(rt, "remove") == 0 {
				must(m.Remove(key))(t)
				return
			}
			must(m.Set(key, docs().Draw(rt, fmt.Sprint("doc", i))))(t)
		}
		for i := range rapid.IntRange(0, 12).Draw(rt, "records") {
			write(i)
		}
		for range rapid.IntRange(1, 4).Draw(rt, "queries") {
			q := queries().Draw(rt, "query")
			live := must(m.QueryLocal(within(t), q))(t)
			here := must(live.Next())(t)
			there := must(m.Query(within(t), q))(t)
			if a, b := rowsOf(here), rowsOf(must(there.Next())(t)); a != b {
				rt.Fatalf("%+v\nhere\n%s\nthere\n%s", q, a, b)
			}
			there.Close()
			for i := range rapid.IntRange(0, 5).Draw(rt, "changes") {
				before := rowsOf(here)
				write(100 + i)
				again := must(m.QueryLocal(within(t), q))(t)
				want := must(again.Next())(t)
				again.Close()
				if rowsOnly(rowsOf(want)) == rowsOnly(before) {
					continue // nothing to tell
				}
				here = must(live.Next())(t)
				if a, b := rowsOf(here), rowsOf(want); a != b {
					rt.Fatalf("%+v\nlive\n%s\nanew\n%s", q, a, b)
				}
			}
			live.Close()
			// All pages are the result without a limit.
			q.Limit, here.Rows = 0, nil
			whole := must(m.QueryLocal(within(t), q))(t)
			want := must(whole.Next())(t)
			whole.Close()
			q.Limit = 2
			for more := true; more; {
				page := must(m.QueryLocal(within(t), q))(t)
				r := must(page.Next())(t)
				page.Close()
				here.Rows = append(here.Rows, r.Rows...)
				more, q.After = r.More, r.Cursor
			}
			here.More = false
			if a, b := rowsOf(here), rowsOf(want); a != b {
				rt.Fatalf("%+v\npages\n%s\nwhole\n%s", q, a, b)
			}
		}
	})
}

func rowsOnly(text string) string {
	rows, _, _ := strings.Cut(text, "more ")
	return rows
}

func TestAReplicaAnswersWithoutAServer(t *testing.T) {
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline()))(t)
	t.Cleanup(c.Close)
	m := topgun.MapOf[*todo](c, "todos")
	for i, title := range strings.Fields("a b c d") {
		must(m.Set(title, &todo{Title: title, Rank: i}))(t)
	}
	live := must(m.QueryLocal(within(t), topgun.Query{Predicate: topgun.Is("rank", "gte", 1), Sort: []topgun.Sort{{By: "rank", Descending: true}}, Limit: 2}))(t)
	first := must(live.Next())(t)
	if len(first.Rows) != 2 || first.Rows[0].Key != "d" || first.Rows[1].Key != "c" || first.Updates != nil || !first.More || first.Cursor == "" {
		t.Fatalf("first %+v", first)
	}
	must(m.Set("c", &todo{Title: "C", Rank: 9}))(t)
	second := must(live.Next())(t)
	if second.Rows[0].Value.Title != "C" || second.Rows[1].Value != first.Rows[0].Value {
		t.Errorf("the row of d is %p, it was %p", second.Rows[1].Value, first.Rows[0].Value)
	}
	if len(second.Updates) != 1 || second.Updates[0].Kind != topgun.Updated || second.Updates[0].Value != second.Rows[0].Value {
		t.Errorf("updates %+v", second.Updates)
	}
	// What changes outside the rows is no new result; the row that moves up is.
	must(m.Set("b", &todo{Title: "B", Rank: 1}))(t)
	must(m.Remove("d"))(t)
	third := must(live.Next())(t)
	if len(third.Updates) != 2 || third.Updates[0].Key != "b" || third.Updates[0].Kind != topgun.Entered || third.Updates[1].Kind != topgun.Left {
		t.Errorf("updates %+v", third.Updates)
	}
	live.Close()
	if _, err := live.Next(); !errors.Is(err, topgun.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	for _, q := range []topgun.Query{
		{GroupBy: []string{"done"}},
		{After: "nonsense"},
		{After: first.Cursor, Sort: []topgun.Sort{{By: "title"}}},
		{Predicate: topgun.Is("a", "resembles", 1)},
	} {
		if _, err := m.QueryLocal(within(t), q); !errors.Is(err, topgun.ErrInvalidQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := topgun.MapOf[any](c, "").QueryLocal(within(t), topgun.Query{}); !errors.Is(err, topgun.ErrInvalidName) {
		t.Errorf("got %v", err)
	}
}

func TestExpiredRecordsAreNotInALocalResult(t *testing.T) {
	now := newManualClock()
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline(), topgun.WithClock(now)))(t)
	t.Cleanup(c.Close)
	m := topgun.MapOf[int](c, "m")
	must(m.Set("short", 1, topgun.WithTTL(time.Second)))(t)
	must(m.Set("long", 2))(t)
	live := must(m.QueryLocal(within(t), topgun.Query{}))(t)
	if r := must(live.Next())(t); len(r.Rows) != 2 {
		t.Fatalf("rows %v", r.Rows)
	}
	now.advance(2 * time.Second)
	must(m.Set("other", 3))(t)
	r := must(live.Next())(t)
	if fmt.Sprint(r.Rows) != "[{long 2} {other 3}]" || len(r.Updates) != 2 || r.Updates[1].Kind != topgun.Left {
		t.Errorf("rows %v, updates %v", r.Rows, r.Updates)
	}
}

func TestRowsThatDoNotChangeStayTheSame(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[*todo](s.connect(), "todos")
	must(m.Set("a", &todo{Title: "a"}))(t)
	must(m.Set("b", &todo{Title: "b", Tags: []string{"x"}}))(t)
	live := must(m.Query(within(t), topgun.Query{}))(t)
	first := must(live.Next())(t)
	must(m.Set("a", &todo{Title: "A"}))(t)
	second := must(live.Next())(t)
	if second.Rows[1].Value != first.Rows[1].Value || second.Rows[0].Value == first.Rows[0].Value {
		t.Errorf("first %v, second %v", first.Rows, second.Rows)
	}
	if second.Updates[0].Value != second.Rows[0].Value {
		t.Error("the update has another value than the row")
	}
}

func TestPagesAreTheWholeResult(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[int](s.connect(), "m")
	for i := range 10 {
		must(m.Set(fmt.Sprint(i), i))(t)
	}
	var got []string
	var sizes []int
	for rows, err := range m.Pages(within(t), topgun.Query{Sort: []topgun.Sort{{By: "x"}}, Limit: 4}) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(rows))
		for _, row := range rows {
			got = append(got, row.Key)
		}
	}
	if fmt.Sprint(got, sizes) != "[0 1 2 3 4 5 6 7 8 9] [4 4 2]" {
		t.Errorf("got %v in pages of %v", got, sizes)
	}
	for rows, err := range m.Pages(within(t), topgun.Query{Limit: 3}) {
		if err != nil || len(rows) != 3 {
			t.Errorf("%v, %v", rows, err)
		}
		break
	}
	for _, err := range m.Pages(within(t), topgun.Query{After: "nonsense"}) {
		if !errors.Is(err, topgun.ErrInvalidQuery) {
			t.Errorf("got %v", err)
		}
	}
}

func TestGroupsAreRows(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	m := topgun.MapOf[todo](c, "todos")
	for i, title := range strings.Fields("a b c") {
		must(m.Set(title, todo{Title: title, Rank: i, Done: i == 1}))(t)
	}
	live := must(topgun.MapOf[any](c, "todos").Query(within(t), topgun.Query{
		GroupBy: []string{"done"}, Aggregations: []topgun.Aggregation{{Func: "sum", Of: "rank"}, {Func: "max", Of: "title"}},
	}))(t)
	r := must(live.Next())(t)
	want := "[{null map[__count:2 __key:null __max_title:c __sum_rank:2 done:<nil>]} {true map[__count:1 __key:true __max_title:b __sum_rank:1 done:true]}]"
	if fmt.Sprint(r.Rows) != want {
		t.Errorf("got  %v\nwant %s", r.Rows, want)
	}
}

func TestTotalsAreOfAllRows(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[int](s.connect(), "m")
	for i := range 5 {
		must(m.Set(fmt.Sprint(i), i))(t)
	}
	q := topgun.Query{Sort: []topgun.Sort{{By: "x"}}, Limit: 2, Total: true}
	live, local := must(m.Query(within(t), q))(t), must(m.QueryLocal(within(t), q))(t)
	for _, sub := range []*topgun.Subscription[topgun.Result[int]]{live, local} {
		if r := must(sub.Next())(t); r.Total != 5 || len(r.Rows) != 2 {
			t.Errorf("%d rows of %d", len(r.Rows), r.Total)
		}
	}
	must(m.Set("9", 9))(t) // behind the limit
	for _, sub := range []*topgun.Subscription[topgun.Result[int]]{live, local} {
		if r := must(sub.Next())(t); r.Total != 6 || len(r.Rows) != 2 || r.Updates == nil || len(r.Updates) != 0 {
			t.Errorf("%d rows of %d, updates %v", len(r.Rows), r.Total, r.Updates)
		}
	}
	q.Limit = 4
	first := must(must(m.QueryLocal(within(t), q))(t).Next())(t)
	q.After = first.Cursor
	if r := must(must(m.QueryLocal(within(t), q))(t).Next())(t); r.Total != 6 || len(r.Rows) != 2 || r.More {
		t.Errorf("second page: %d rows of %d, more %t", len(r.Rows), r.Total, r.More)
	}
}

func TestQueriesOverSets(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	m := topgun.ORMapOf[string](c, "sets")
	for _, add := range []string{"x red", "x blue", "y green"} {
		key, v, _ := strings.Cut(add, " ")
		written(t, must(m.Add(key, v))(t), nil)
	}
	live := must(m.Query(within(t), topgun.Query{Predicate: topgun.Is("_values", "contains", "red")}))(t)
	r := must(live.Next())(t)
	var values []string
	for _, v := range r.Rows[0].Value {
		values = append(values, v)
	}
	slices.Sort(values)
	if len(r.Rows) != 1 || r.Rows[0].Key != "x" || fmt.Sprint(values) != "[blue red]" {
		t.Errorf("rows %v", r.Rows)
	}
	must(m.Add("y", "red"))(t)
	if r := must(live.Next())(t); len(r.Rows) != 2 || len(r.Rows[1].Value) != 2 || r.Updates[0].Kind != topgun.Entered {
		t.Errorf("rows %v", r.Rows)
	}
	must(m.Remove("x", "red"))(t)
	await(t, live, func(r topgun.Result[map[string]string]) bool { return len(r.Rows) == 1 })
	if _, err := topgun.ORMapOf[int](c, "").Query(within(t), topgun.Query{}); !errors.Is(err, topgun.ErrInvalidName) {
		t.Errorf("got %v", err)
	}
}

// TestAQueryResumes: what was missed is asked for, and what belongs together is
// told together.
func TestAQueryResumes(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[int](c, "m")
	live := must(m.Query(within(t), topgun.Query{}))(t)
	asked := func() *wire.QuerySub {
		t.Helper()
		for { // SYNC_INIT comes before it or behind
			if sub, ok := conn.next().(*wire.QuerySub); ok {
				return sub
			}
		}
	}
	sub := asked()
	if !sub.Positions || sub.Since != "" {
		t.Errorf("asked for %+v", sub)
	}
	id := sub.QueryID
	row := func(key string, v int64) wire.QueryRow {
		return wire.QueryRow{Key: key, Value: value.AppendInt(nil, v)}
	}
	enter := func(key string, v int64, position string) {
		conn.send(&wire.QueryUpdate{QueryID: id, Key: key, Value: value.AppendInt(nil, v), ChangeType: wire.ChangeEnter, Position: position})
	}
	leave := func(key, position string) {
		conn.send(&wire.QueryUpdate{QueryID: id, Key: key, ChangeType: wire.ChangeLeave, Position: position})
	}
	expect := func(want string) {
		t.Helper()
		r := must(live.Next())(t)
		if got := fmt.Sprint(r.Rows, len(r.Updates)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	conn.send(&wire.QueryResp{QueryID: id, Results: []wire.QueryRow{row("a", 1), row("b", 2)}, Position: "p1"})
	expect("[{a 1} {b 2}] 0")
	leave("b", "p1") // half a change
	enter("c", 3, "p2")
	expect("[{a 1} {c 3}] 2")
	leave("c", "p2")
	conn.hangUp()

	conn = s.accept()
	conn.welcome()
	if sub = asked(); sub.QueryID != id || sub.Since != "p2" {
		t.Errorf("asked for %+v", sub)
	}
	conn.send(&wire.QueryResp{QueryID: id, Resumed: true, Position: "p2"})
	leave("a", "p2")
	leave("c", "p2")
	enter("d", 4, "p3")
	expect("[{d 4}] 3")
	conn.hangUp()

	conn = s.accept()
	conn.welcome()
	if sub = asked(); sub.Since != "p3" {
		t.Errorf("asked for %+v", sub)
	}
	conn.send(&wire.QueryResp{QueryID: id, Resumed: true, Position: "p4"}) // nothing was missed
	enter("e", 5, "p5")
	expect("[{d 4} {e 5}] 1")
	conn.hangUp()

	conn = s.accept()
	conn.welcome()
	asked()
	conn.send(&wire.QueryResp{QueryID: id, Results: []wire.QueryRow{row("f", 6)}, Position: "q1"})
	expect("[{f 6}] 3")
}

// TestHalfAChangeIsNotWaitedForForEver: a server may also tell something that is
// no change of the map, without a position behind it.
func TestHalfAChangeIsNotWaitedForForEver(t *testing.T) {
	s := startScript(t)
	clk := newManualClock()
	c, conn := s.meet(topgun.WithClock(clk))
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	live := must(m.Query(within(t), topgun.Query{}))(t)
	id := want[*wire.QuerySub](conn).QueryID
	conn.send(&wire.QueryResp{QueryID: id, Results: []wire.QueryRow{{Key: "a", Value: value.AppendInt(nil, 1)}}, Position: "p"})
	must(live.Next())(t)
	clk.upon(func() {
		conn.send(&wire.QueryUpdate{QueryID: id, Key: "a", ChangeType: wire.ChangeLeave, Position: "p"})
	})
	clk.advance(time.Second)
	if r := must(live.Next())(t); len(r.Rows) != 0 || len(r.Updates) != 1 {
		t.Errorf("rows %v, updates %v", r.Rows, r.Updates)
	}
}
