package topgun_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/clients/go"
)

// titles are the rows of a result, in order.
func titles(r topgun.Result[todo]) string {
	var out []string
	for _, row := range r.Rows {
		out = append(out, row.Value.Title)
	}
	return strings.Join(out, " ")
}

// kinds are the updates of a result.
func kinds(r topgun.Result[todo]) string {
	var out []string
	for _, u := range r.Updates {
		out = append(out, fmt.Sprint(u.Kind, " ", u.Key))
	}
	return strings.Join(out, ", ")
}

func showing(want string) func(topgun.Result[todo]) bool {
	return func(r topgun.Result[todo]) bool { return titles(r) == want }
}

func TestALiveQueryFollowsItsWindow(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	c := connect(t, p.url())
	m := topgun.MapOf[todo](c, "todos")
	for i, title := range strings.Fields("a b c d e") {
		must(m.Set(title, todo{Title: title, Rank: i}))(t)
	}
	must(m.Set("x", todo{Title: "x", Rank: 100, Done: true}))(t)
	ctx, cancel := context.WithCancel(within(t))
	live := must(m.Query(ctx, topgun.Query{
		Predicate: topgun.All(topgun.Not(topgun.Is("done", "eq", true)), topgun.Is("rank", "gte", 0)),
		Sort:      []topgun.Sort{{By: "rank", Descending: true}}, Limit: 3,
	}))(t)
	// What was written before is seen, although nobody waited for it.
	first := must(live.Next())(t)
	if titles(first) != "e d c" || first.Updates != nil || !first.More {
		t.Fatalf("first %q %v %v", titles(first), first.Updates, first.More)
	}
	other := topgun.MapOf[todo](s.connect(), "todos")
	must(other.Set("f", todo{Title: "f", Rank: 10}))(t)
	await(t, live, showing("f e d"))
	must(m.Remove("e"))(t)
	await(t, live, showing("f d c"))
	must(other.Set("d", todo{Title: "D", Rank: 11}))(t)
	await(t, live, showing("D f c"))

	// While away, the result stays, and is brought up to date at once later.
	p.lead("")
	p.cut()
	awaitState(t, c, topgun.Disconnected)
	written(t, must(other.Set("c", todo{Title: "c", Done: true}))(t), nil)
	written(t, must(other.Set("g", todo{Title: "g", Rank: 12}))(t), nil)
	written(t, must(other.Set("f", todo{Title: "F", Rank: 10}))(t), nil)
	p.lead(s.port)
	r := must(live.Next())(t)
	if titles(r) != "g D F" || kinds(r) != "left c, updated f, entered g" {
		t.Errorf("after the reconnect %q by %q", titles(r), kinds(r))
	}
	cancel()
	if _, err := live.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func TestProjectionKeepsTheOrder(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[any](s.connect(), "people")
	must(m.Set("1", map[string]any{"name": "Ann", "age": 40, "address": map[string]any{"city": "Oslo"}}))(t)
	must(m.Set("2", map[string]any{"name": "Bob", "age": 30, "address": map[string]any{"city": "Rome"}}))(t)
	must(m.Set("3", map[string]any{"name": "Eve", "age": 50}))(t)
	for _, tt := range []struct {
		query topgun.Query
		want  string
	}{
		{topgun.Query{Sort: []topgun.Sort{{By: "age"}}, Fields: []string{"name"}}, "[{2 map[name:Bob]} {1 map[name:Ann]} {3 map[name:Eve]}]"},
		{topgun.Query{Sort: []topgun.Sort{{By: "address.city", Descending: true}}, Fields: []string{"age"}}, "[{3 map[age:50]} {2 map[age:30]} {1 map[age:40]}]"},
		{topgun.Query{Where: map[string]any{"address.city": "Rome"}, Fields: []string{"address.city"}}, "[{2 map[address.city:Rome]}]"},
		{topgun.Query{Where: map[string]any{"age": map[string]any{"$gt": 35}}, Fields: []string{"name"}}, "[{1 map[name:Ann]} {3 map[name:Eve]}]"},
		{topgun.Query{Predicate: topgun.Any(topgun.Is("name", "like", "%o%"), topgun.Is("_key", "in", []string{"3"})), Fields: []string{"age"}}, "[{2 map[age:30]} {3 map[age:50]}]"},
		{topgun.Query{Predicate: topgun.Not(topgun.Predicate{})}, "[]"},
	} {
		live := must(m.Query(within(t), tt.query))(t)
		if got := fmt.Sprint(must(live.Next())(t).Rows); got != tt.want {
			t.Errorf("%+v\ngives %s\nwant  %s", tt.query, got, tt.want)
		}
		live.Close()
		if _, err := live.Next(); !errors.Is(err, topgun.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestPagesContinueBehindTheCursor(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[int](s.connect(), "m")
	for i := range 10 {
		must(m.Set(fmt.Sprint(i), i))(t)
	}
	var got []string
	q := topgun.Query{Sort: []topgun.Sort{{By: "x"}}, Limit: 4}
	for page := 0; ; page++ {
		live := must(m.Query(within(t), q))(t)
		r := must(live.Next())(t)
		live.Close()
		for _, row := range r.Rows {
			got = append(got, row.Key)
		}
		if !r.More || page > 5 {
			break
		}
		q.After = r.Cursor
	}
	if fmt.Sprint(got) != "[0 1 2 3 4 5 6 7 8 9]" {
		t.Errorf("got %v", got)
	}
	q.After = "nonsense"
	_, err := must(m.Query(within(t), q))(t).Next()
	if !errors.Is(err, topgun.ErrInvalidQuery) {
		t.Errorf("got %v", err)
	}
}

// TestAQueryWithoutItsMap gives the same results, and the map stays where it is.
func TestAQueryWithoutItsMap(t *testing.T) {
	s := startServer(t)
	m := topgun.MapOf[todo](s.connect(), "todos")
	for i, title := range strings.Fields("a b c d e") {
		must(must(m.Set(title, todo{Title: title, Rank: i}))(t).Wait(within(t)))(t)
	}
	c := s.connect()
	live := must(topgun.QueryOf[todo](within(t), c, "todos", topgun.Query{Sort: []topgun.Sort{{By: "rank", Descending: true}}, Limit: 2}))(t)
	await(t, live, showing("e d"))
	must(m.Set("f", todo{Title: "f", Rank: 10}))(t)
	await(t, live, showing("f e"))
	if n := c.Replicas(); n != 0 {
		t.Errorf("the client has opened %d maps", n)
	}
	if _, err := topgun.QueryOf[todo](within(t), c, "a:b", topgun.Query{}); !errors.Is(err, topgun.ErrInvalidName) {
		t.Errorf("a name with a colon: %v", err)
	}
}

func TestAQueryThatCannotBeAnsweredSaysWhy(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	m := topgun.MapOf[any](c, "m")
	for _, q := range []topgun.Query{
		{Predicate: topgun.Is("a", "resembles", 1)},
		{Predicate: topgun.Is("a", "regex", "(")},
		{Predicate: topgun.Is("a", "eq", func() {})},
		{Where: map[string]any{"a": map[string]any{"$near": 1}}},
	} {
		_, err := m.Query(within(t), q)
		var bad *topgun.QueryError
		if !errors.As(err, &bad) || !errors.Is(err, topgun.ErrInvalidQuery) || bad.Reason == "" {
			t.Errorf("%+v: %v", q, err)
		}
	}
	// The server refuses too.
	live := must(m.Query(within(t), topgun.Query{Sort: slices.Repeat([]topgun.Sort{{By: "a"}}, 17)}))(t)
	if _, err := live.Next(); !errors.Is(err, topgun.ErrInvalidQuery) {
		t.Errorf("got %v", err)
	}
}

func TestTopicsDeliverInOrderToOthers(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	ca, cb := s.connect(), connect(t, p.url(), topgun.WithLimits(topgun.Limits{Backlog: 10}))
	a, b := topgun.TopicOf[int](ca, "news"), topgun.TopicOf[int](cb, "news")
	mine := must(a.Subscribe(within(t)))(t)
	sub := must(b.Subscribe(within(t)))(t)
	present := topgun.MapOf[int](cb, "m")
	settle(t, present) // behind the subscription
	for i := range 5 {
		if err := a.Publish(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if got := must(sub.Next())(t); got.Data != i || got.Missed != 0 || got.Publisher == "" || got.Time.IsZero() {
			t.Fatalf("message %d is %+v", i, got)
		}
	}

	// Who does not read misses the oldest, and is told.
	for i := range 25 {
		if err := a.Publish(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Publish(1000); err != nil {
		t.Fatal(err)
	}
	mark := topgun.MapOf[int](ca, "m")
	changes := must(present.Subscribe(within(t)))(t)
	must(mark.Set("k", 1))(t)
	must(changes.Next())(t) // arrives behind the messages
	if got := must(sub.Next())(t); got.Data != 16 || got.Missed != 16 {
		t.Errorf("got %+v", got)
	}
	if got := must(sub.Next())(t); got.Data != 17 || got.Missed != 0 {
		t.Errorf("got %+v", got)
	}

	// Subscriptions survive the connection, and so does what was published without.
	states := must(cb.WatchState(within(t)))(t)
	p.lead("")
	p.cut()
	await(t, states, func(s topgun.State) bool { return s == topgun.Disconnected })
	if err := b.Publish(7); err != nil {
		t.Fatal(err)
	}
	p.lead(s.port)
	if got := must(mine.Next())(t); got.Data != 7 {
		t.Errorf("got %+v", got)
	}
	settle(t, present)
	if err := a.Publish(2000); err != nil {
		t.Fatal(err)
	}
	await(t, sub, func(m topgun.Message[int]) bool { return m.Data == 2000 })

	wrong := must(topgun.TopicOf[string](cb, "news").Subscribe(within(t)))(t)
	settle(t, present)
	if err := a.Publish(1); err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Next(); !errors.Is(err, topgun.ErrInvalidValue) {
		t.Errorf("got %v", err)
	}
}

func TestCountersCountOnce(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	ca, cb := connect(t, p.url()), s.connect()
	a, b := topgun.CounterOf(ca, "n"), topgun.CounterOf(cb, "n")
	if err := b.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	values := must(b.Subscribe(within(t)))(t)
	for range 10 {
		if err := a.Increment(1.5); err != nil {
			t.Fatal(err)
		}
	}
	if a.Value() != 15 {
		t.Errorf("right after counting: %v", a.Value())
	}
	await(t, values, func(v float64) bool { return v == 15 })

	p.lead("")
	p.cut()
	awaitState(t, ca, topgun.Disconnected)
	if err := errors.Join(a.Decrement(4), b.Increment(100)); err != nil {
		t.Fatal(err)
	}
	if a.Value() != 11 {
		t.Errorf("apart: %v", a.Value())
	}
	p.lead(s.port)
	await(t, values, func(v float64) bool { return v == 111 })
	if err := a.Sync(within(t)); err != nil || a.Value() != 111 {
		t.Errorf("together: %v, %v", a.Value(), err)
	}
}
