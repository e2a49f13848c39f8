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
	"github.com/topgunbuild/topgun-go/internal/core/group"
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

// asker draws queries that a replica can answer.
type asker struct {
	attributes []string // of which some are there
	sorts      []string // which order rows
	fields     []string
}

var (
	ofValues = asker{[]string{"a", "b", "c", "d.e", "c.0", "_key"}, []string{"a", "b", "d.e"}, []string{"a", "d.e"}}
	ofSets   = asker{[]string{"_values", "_values.0", "_values.1", "_key", "none"}, []string{"_values", "_values.0"}, []string{"_values.1", "none"}}

	literals = rapid.SampledFrom([]any{nil, true, 0, 1, 1.5, "a", "B", "%a%", "", []any{"a", 1}})
)

func (a asker) attribute(t *rapid.T, label string) string {
	return rapid.SampledFrom(a.attributes).Draw(t, label)
}

func (a asker) condition(t *rapid.T, depth int) topgun.Predicate {
	if depth > 0 && rapid.Bool().Draw(t, "branch") {
		var children []topgun.Predicate
		for range rapid.IntRange(0, 2).Draw(t, "children") {
			children = append(children, a.condition(t, depth-1))
		}
		switch rapid.IntRange(0, 2).Draw(t, "which") {
		case 0:
			return topgun.All(children...)
		case 1:
			return topgun.Any(children...)
		}
		return topgun.Not(a.condition(t, depth-1))
	}
	switch op := rapid.SampledFrom([]string{
		"eq", "neq", "gt", "gte", "lt", "lte", "like", "regex", "in", "between", "isNull", "isNotNull",
		"contains", "containsAll", "containsAny", "startsWith", "endsWith",
	}).Draw(t, "op"); op {
	case "like", "regex", "startsWith", "endsWith":
		return topgun.Is(a.attribute(t, "attribute"), op, rapid.SampledFrom([]string{"", "a", "%A%", "_", "B|a", "^k1"}).Draw(t, "pattern"))
	case "between":
		return topgun.Is(a.attribute(t, "attribute"), op, []any{literals.Draw(t, "low"), literals.Draw(t, "high")})
	default:
		return topgun.Is(a.attribute(t, "attribute"), op, literals.Draw(t, "value"))
	}
}

// group makes groups of what q asks for, and returns what they can be ordered by.
func (a asker) group(t *rapid.T, q *topgun.Query) []string {
	for range rapid.IntRange(0, 2).Draw(t, "by") {
		if by := a.attribute(t, "group by"); !slices.Contains(q.GroupBy, by) {
			q.GroupBy = append(q.GroupBy, by)
		}
	}
	sorts := append([]string{"__count", "__key"}, q.GroupBy...)
	for range rapid.IntRange(1, 3).Draw(t, "aggregations") {
		of := topgun.Aggregation{
			Func: rapid.SampledFrom([]string{"count", "sum", "avg", "min", "max"}).Draw(t, "func"),
			Of:   a.attribute(t, "of"),
		}
		q.Aggregations = append(q.Aggregations, of)
		sorts = append(sorts, "__"+of.Func+"_"+of.Of)
	}
	return sorts
}

func (a asker) query(t *rapid.T) topgun.Query {
	q := topgun.Query{Limit: rapid.IntRange(0, 6).Draw(t, "limit"), Total: rapid.Bool().Draw(t, "total")}
	if rapid.Bool().Draw(t, "where") {
		q.Where = map[string]any{a.attribute(t, "field"): literals.Draw(t, "equals")}
	} else {
		q.Predicate = a.condition(t, 2)
	}
	sorts, fields := a.sorts, a.fields
	if rapid.IntRange(0, 2).Draw(t, "grouped") == 0 {
		sorts = a.group(t, &q)
		fields = sorts[len(sorts)-2:]
	}
	for range rapid.IntRange(0, 2).Draw(t, "sorts") {
		q.Sort = append(q.Sort, topgun.Sort{
			By:         rapid.SampledFrom(sorts).Draw(t, "order by"),
			Descending: rapid.Bool().Draw(t, "descending"),
		})
	}
	if rapid.Bool().Draw(t, "projected") {
		q.Fields = fields
	}
	return q
}

// rowsOf is a result as text; rowsAndMore says also whether rows are left out.
func rowsOf[T any](r topgun.Result[T]) string {
	var b strings.Builder
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%s %v\n", row.Key, row.Value)
	}
	return fmt.Sprintf("%sof %d", b.String(), r.Total)
}

func rowsAndMore[T any](r topgun.Result[T]) string {
	return fmt.Sprintf("%s more %t", rowsOf(r), r.More)
}

// queried is a map of any kind.
type queried[T any] interface {
	Query(context.Context, topgun.Query) (*topgun.Subscription[topgun.Result[T]], error)
	QueryLocal(context.Context, topgun.Query) (*topgun.Subscription[topgun.Result[T]], error)
}

// TestAReplicaAnswersAsTheServerDoes compares both on random records, page by
// page, and the live results of both with a new one after changes.
func TestAReplicaAnswersAsTheServerDoes(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	run := 0
	keyOf := func(rt *rapid.T) string { return fmt.Sprint("k", rapid.IntRange(0, 12).Draw(rt, "key")) }
	t.Run("values", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			run++
			m := topgun.MapOf[any](c, fmt.Sprint("m", run))
			agrees(t, rt, m, ofValues, func() {
				if key := keyOf(rt); rapid.IntRange(0, 4).Draw(rt, "remove") == 0 {
					must(m.Remove(key))(t)
				} else {
					must(m.Set(key, docs().Draw(rt, "doc")))(t)
				}
			})
		})
	})
	t.Run("sets", func(t *testing.T) {
		values := rapid.SampledFrom([]any{true, 0, 1, 1.5, "a", "B", "", []any{"a", 1}, map[string]any{"x": 1}, nil})
		rapid.Check(t, func(rt *rapid.T) {
			run++
			m := topgun.ORMapOf[any](c, fmt.Sprint("m", run))
			agrees(t, rt, m, ofSets, func() {
				if key, v := keyOf(rt), values.Draw(rt, "value"); rapid.IntRange(0, 2).Draw(rt, "remove") == 0 {
					must(m.Remove(key, v))(t)
				} else {
					must(m.Add(key, v))(t)
				}
			})
		})
	})
}

// agrees compares the answers to random queries on a map, to which write writes
// something.
func agrees[T any](t *testing.T, rt *rapid.T, m queried[T], ask asker, write func()) {
	t.Helper()
	once := func(q topgun.Query) topgun.Result[T] {
		live := must(m.QueryLocal(within(t), q))(t)
		defer live.Close()
		return must(live.Next())(t)
	}
	for range rapid.IntRange(0, 12).Draw(rt, "records") {
		write()
	}
	for range rapid.IntRange(1, 4).Draw(rt, "queries") {
		q := ask.query(rt)
		live, there := must(m.QueryLocal(within(t), q))(t), must(m.Query(within(t), q))(t)
		here, far := must(live.Next())(t), must(there.Next())(t)
		if a, b := rowsAndMore(here), rowsAndMore(far); a != b {
			rt.Fatalf("%+v\nhere\n%s\nthere\n%s", q, a, b)
		}
		for range rapid.IntRange(0, 5).Draw(rt, "changes") {
			write()
			want := once(q)
			if rowsOf(want) == rowsOf(here) {
				continue // nothing to tell
			}
			here = must(live.Next())(t)
			if a, b := rowsAndMore(here), rowsAndMore(want); a != b {
				rt.Fatalf("%+v\nlive\n%s\nanew\n%s", q, a, b)
			}
		}
		for rowsOf(far) != rowsOf(here) {
			r, err := there.Next()
			if err != nil {
				rt.Fatalf("%+v\nhere\n%s\nthere\n%s\n%v", q, rowsOf(here), rowsOf(far), err)
			}
			far = r
		}
		live.Close()
		there.Close()
		// All pages are the result without a limit.
		q.Limit = 0
		want := once(q)
		pages := want
		pages.Rows = nil
		q.Limit = 2
		for more := true; more; {
			r := once(q)
			if r.Total != want.Total {
				rt.Fatalf("%+v\na page is of %d rows, all are %d", q, r.Total, want.Total)
			}
			pages.Rows = append(pages.Rows, r.Rows...)
			more, q.After = r.More, r.Cursor
		}
		if a, b := rowsOf(pages), rowsOf(want); a != b {
			rt.Fatalf("%+v\npages\n%s\nwhole\n%s", q, a, b)
		}
	}
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
		{Aggregations: []topgun.Aggregation{{Func: "median", Of: "rank"}}},
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
	q := topgun.Query{
		GroupBy: []string{"done"}, Aggregations: []topgun.Aggregation{{Func: "sum", Of: "rank"}, {Func: "max", Of: "title"}},
	}
	groups := topgun.MapOf[any](c, "todos")
	live, local := must(groups.Query(within(t), q))(t), must(groups.QueryLocal(within(t), q))(t)
	want := "[{null map[__count:2 __key:null __max_title:c __sum_rank:2 done:<nil>]} {true map[__count:1 __key:true __max_title:b __sum_rank:1 done:true]}]"
	for _, sub := range []*topgun.Subscription[topgun.Result[any]]{live, local} {
		if r := must(sub.Next())(t); fmt.Sprint(r.Rows) != want {
			t.Errorf("got  %v\nwant %s", r.Rows, want)
		}
	}
	must(m.Remove("b"))(t) // the last one of its group
	for _, sub := range []*topgun.Subscription[topgun.Result[any]]{live, local} {
		if r := must(sub.Next())(t); len(r.Rows) != 1 || fmt.Sprint(r.Updates) != "[{left true <nil>}]" {
			t.Errorf("rows %v, updates %v", r.Rows, r.Updates)
		}
	}
}

func TestThereIsAnEndToLocalGroups(t *testing.T) {
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline(), topgun.WithLimits(topgun.Limits{QueueOps: 1 << 17})))(t)
	t.Cleanup(c.Close)
	m := topgun.MapOf[any](c, "m")
	for i := range group.MaxGroups {
		must(m.Set(fmt.Sprint(i), i))(t)
	}
	q := topgun.Query{GroupBy: []string{"_key"}}
	live := must(m.QueryLocal(within(t), q))(t)
	must(live.Next())(t)
	must(m.Set("one more", 0))(t)
	var e *topgun.QueryError
	if _, err := live.Next(); !errors.As(err, &e) || e.Name != "TOO_LARGE" {
		t.Errorf("got %v", err)
	}
	if _, err := m.QueryLocal(within(t), q); !errors.As(err, &e) || e.Name != "TOO_LARGE" {
		t.Errorf("got %v", err)
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
	for _, ask := range []func(context.Context, topgun.Query) (*topgun.Subscription[topgun.Result[map[string]int]], error){
		topgun.ORMapOf[int](c, "").Query, topgun.ORMapOf[int](c, "").QueryLocal,
	} {
		if _, err := ask(within(t), topgun.Query{}); !errors.Is(err, topgun.ErrInvalidName) {
			t.Errorf("got %v", err)
		}
	}
}

func TestExpiredValuesAreNotInALocalResult(t *testing.T) {
	now := newManualClock()
	c := must(topgun.Connect(context.Background(), "ws://127.0.0.1:1/ws", topgun.StartOffline(), topgun.WithClock(now)))(t)
	t.Cleanup(c.Close)
	m := topgun.ORMapOf[string](c, "m")
	must(m.Add("k", "short", topgun.WithTTL(time.Second)))(t)
	must(m.Add("k", "long"))(t)
	both := must(m.QueryLocal(within(t), topgun.Query{}))(t)
	alone := must(m.QueryLocal(within(t), topgun.Query{Predicate: topgun.Not(topgun.Is("_values", "contains", "short"))}))(t)
	if r := must(both.Next())(t); len(r.Rows) != 1 || len(r.Rows[0].Value) != 2 {
		t.Fatalf("rows %v", r.Rows)
	}
	if r := must(alone.Next())(t); len(r.Rows) != 0 {
		t.Fatalf("rows %v", r.Rows)
	}
	now.advance(2 * time.Second)
	must(m.Add("other", "x"))(t)
	for _, live := range []*topgun.Subscription[topgun.Result[map[string]string]]{both, alone} {
		if r := must(live.Next())(t); len(r.Rows) != 2 || len(r.Rows[0].Value) != 1 {
			t.Errorf("rows %v", r.Rows)
		}
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
