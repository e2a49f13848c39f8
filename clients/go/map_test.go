package topgun_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
)

type todo struct {
	Title string   `json:"title"`
	Done  bool     `json:"done,omitempty"`
	Rank  int      `json:"rank"`
	Tags  []string `json:"tags,omitempty"`
}

func TestAWriteIsThereAtOnceAndThenOnDiskAndAtOthers(t *testing.T) {
	s := startServer(t)
	a, b := topgun.MapOf[todo](s.connect(), "todos"), topgun.MapOf[todo](s.connect(), "todos")
	if err := b.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	changes := must(b.Subscribe(within(t)))(t)

	w := must(a.Set("ключ", todo{Title: "milk", Rank: 3, Tags: []string{"x"}}))(t)
	if got, err := a.Get("ключ"); err != nil || got.Title != "milk" {
		t.Fatalf("right after the write: %+v, %v", got, err)
	}
	if level := written(t, w, nil); level != topgun.Persisted {
		t.Errorf("the write is %v, want PERSISTED", level)
	}
	c := await(t, changes, func(c topgun.Change[todo]) bool { return c.Key == "ключ" })
	if c.Removed || c.Value.Rank != 3 || c.Value.Tags[0] != "x" {
		t.Errorf("the other client hears of %+v", c)
	}

	w, err := a.Remove("ключ")
	if _, err := a.Get("ключ"); !errors.Is(err, topgun.ErrNotFound) {
		t.Errorf("right after the removal: %v", err)
	}
	written(t, w, err)
	await(t, changes, func(c topgun.Change[todo]) bool { return c.Key == "ключ" && c.Removed })
	if all := must(b.Entries())(t); len(all) != 0 {
		t.Errorf("the other client still has %v", all)
	}
	if a.Root() != b.Root() || a.Root() == 0 {
		t.Errorf("roots %08x and %08x", a.Root(), b.Root())
	}
}

func TestTheSameMapAsAnyAsRawAndAsAType(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	typed := topgun.MapOf[todo](c, "todos")
	must(typed.Set("a", todo{Title: "milk", Rank: 1}))(t)
	if v := must(topgun.MapOf[any](c, "todos").Get("a"))(t); v.(map[string]any)["title"] != "milk" {
		t.Errorf("as any: %v", v)
	}
	raws := topgun.MapOf[topgun.Raw](c, "todos")
	raw := must(raws.Get("a"))(t)
	must(raws.Set("b", raw))(t)
	if got := must(typed.Get("b"))(t); got.Title != "milk" || got.Rank != 1 {
		t.Errorf("copied as bytes: %+v", got)
	}
	must(topgun.MapOf[any](c, "todos").Set("c", 7))(t)
	_, err := typed.Get("c")
	var bad *topgun.ValueError
	if !errors.As(err, &bad) || bad.Key != "c" {
		t.Errorf("a number as a struct: %v", err)
	}
}

func TestATimeToLiveHidesTheRecord(t *testing.T) {
	s := startServer(t)
	clk := newShiftedClock(0)
	c := s.connect(topgun.WithClock(clk))
	m := topgun.MapOf[string](c, "sessions")
	written(t, must(m.Set("a", "x", topgun.WithTTL(time.Minute)))(t), nil)
	if _, err := m.Get("a"); err != nil {
		t.Fatal(err)
	}
	clk.shift(2 * time.Minute)
	if _, err := m.Get("a"); !errors.Is(err, topgun.ErrNotFound) {
		t.Errorf("after its time: %v", err)
	}
	if _, err := m.Set("a", "x", topgun.WithTTL(time.Microsecond)); !errors.Is(err, topgun.ErrInvalidTTL) {
		t.Errorf("got %v", err)
	}
}

func TestWhatCannotBeWrittenIsRefusedAtOnce(t *testing.T) {
	s := startServer(t)
	c := s.connect(topgun.WithLimits(topgun.Limits{KeyBytes: 10, ValueBytes: 20}))
	m := topgun.MapOf[any](c, "m")
	topgun.ORMapOf[any](c, "sets")
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"nil":            {second(m.Set("a", nil)), topgun.ErrNilValue},
		"no encoding":    {second(m.Set("a", func() {})), topgun.ErrInvalidValue},
		"bad raw":        {second(m.Set("a", topgun.Raw{0xc1})), topgun.ErrInvalidValue},
		"long key":       {second(m.Set(strings.Repeat("k", 11), 1)), topgun.ErrTooLarge},
		"large value":    {second(m.Set("a", strings.Repeat("v", 21))), topgun.ErrTooLarge},
		"name":           {second(topgun.MapOf[any](c, "a:b").Set("a", 1)), topgun.ErrInvalidName},
		"empty name":     {second(topgun.ORMapOf[any](c, "").Add("a", 1)), topgun.ErrInvalidName},
		"kind":           {second(topgun.ORMapOf[any](c, "m").Add("a", 1)), topgun.ErrMapKind},
		"other kind":     {second(topgun.MapOf[any](c, "sets").Get("a")), topgun.ErrMapKind},
		"topic":          {topgun.TopicOf[any](c, "a b").Publish(1), topgun.ErrInvalidName},
		"counter":        {topgun.CounterOf(c, "").Increment(1), topgun.ErrInvalidName},
		"negative count": {topgun.CounterOf(c, "n").Increment(-1), topgun.ErrInvalidAmount},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	if n := c.Pending(); n != 0 {
		t.Errorf("%d operations wait", n)
	}
}

func second[T any](_ T, err error) error { return err }

func TestARefusedWriteIsTakenBackAndReported(t *testing.T) {
	s := startServer(t)
	reports := make(chan error, 100)
	c := s.connect(topgun.WithErrorHandler(func(err error) { reports <- err }))
	m := topgun.MapOf[int](c, "m")
	written(t, must(m.Set("a", 1))(t), nil)

	// Refused one after the other, the key falls back to what was accepted.
	first := must(m.Set("a", 2, topgun.WithConcern(topgun.Replicated)))(t)
	second := must(m.Set("a", 3, topgun.WithConcern(topgun.Replicated)))(t)
	for i, w := range []*topgun.Write{first, second} {
		_, err := w.Wait(within(t))
		var no *topgun.RejectedError
		if !errors.As(err, &no) || !errors.Is(err, topgun.ErrRejected) || no.Name != "WRITE_CONCERN_UNAVAILABLE" || no.Code != 503 || no.Key != "a" || no.Map != "m" || no.Kind != "PUT" {
			t.Fatalf("write %d: %v", i, err)
		}
		if err := <-reports; !errors.Is(err, topgun.ErrRejected) {
			t.Errorf("the handler is told %v", err)
		}
	}
	if got, err := m.Get("a"); got != 1 || err != nil {
		t.Errorf("after the refusals: %d, %v", got, err)
	}
	if err := m.Sync(within(t)); err != nil {
		t.Fatal(err)
	}

	// The queue goes on behind a refusal.
	must(m.Set("b", 1, topgun.WithConcern(topgun.Replicated)))(t)
	if level := written(t, must(m.Set("b", 2, topgun.WithConcern(topgun.Applied)))(t), nil); level < topgun.Applied {
		t.Errorf("got %v", level)
	}
	if got, _ := m.Get("b"); got != 2 {
		t.Errorf("got %d", got)
	}
}

func TestARefusedChangeOfASetIsTakenBack(t *testing.T) {
	s := startServer(t)
	c := s.connect()
	m := topgun.ORMapOf[string](c, "sets")
	written(t, must(m.Add("a", "red"))(t), nil)
	for _, w := range []*topgun.Write{
		must(m.Add("a", "blue", topgun.WithConcern(topgun.Replicated)))(t),
		must(m.Remove("a", "red", topgun.WithConcern(topgun.Replicated)))(t),
	} {
		if _, err := w.Wait(within(t)); !errors.Is(err, topgun.ErrRejected) {
			t.Fatalf("got %v", err)
		}
	}
	if got := must(m.Get("a"))(t); len(got) != 1 || got[0] != "red" {
		t.Errorf("after the refusals: %v", got)
	}
	settle(t, m)
}

func TestOperationsOfTheWrongKindAreRefused(t *testing.T) {
	s := startServer(t)
	sets := topgun.ORMapOf[string](s.connect(), "x")
	written(t, must(sets.Add("a", "red"))(t), nil)
	m := topgun.MapOf[string](s.connect(), "x")
	_, err := must(m.Set("a", "blue"))(t).Wait(within(t))
	var no *topgun.RejectedError
	if !errors.As(err, &no) || no.Name != "MAP_TYPE_MISMATCH" {
		t.Fatalf("got %v", err)
	}
	if _, err := m.Get("a"); !errors.Is(err, topgun.ErrNotFound) {
		t.Errorf("the refused value is still there: %v", err)
	}
}

func TestSetsKeepWhatWasAddedAtTheSameTime(t *testing.T) {
	s := startServer(t)
	pa, pb := startProxy(t, s.port), startProxy(t, s.port)
	ca, cb := connect(t, pa.url()), connect(t, pb.url())
	a, b := topgun.ORMapOf[string](ca, "tags"), topgun.ORMapOf[string](cb, "tags")
	written(t, must(a.Add("k", "red"))(t), nil)
	written(t, must(a.Add("k", "blue"))(t), nil)
	if err := b.Sync(within(t)); err != nil {
		t.Fatal(err)
	}

	// Apart, a removes red while b adds it once more, and b removes blue.
	for _, p := range []*proxy{pa, pb} {
		p.lead("")
		p.cut()
	}
	awaitState(t, ca, topgun.Disconnected)
	awaitState(t, cb, topgun.Disconnected)
	must(a.Remove("k", "red"))(t)
	must(b.Add("k", "red"))(t)
	must(b.Remove("k", "blue"))(t)
	if got := must(a.Get("k"))(t); len(got) != 1 || got[0] != "blue" {
		t.Errorf("a, apart: %v", got)
	}
	if got := must(b.Get("k"))(t); len(got) != 1 || got[0] != "red" {
		t.Errorf("b, apart, holds red twice and shows %v", got)
	}
	for _, p := range []*proxy{pa, pb} {
		p.lead(s.port)
	}
	settle(t, a, b)
	for name, m := range map[string]*topgun.ORMap[string]{"a": a, "b": b} {
		if got := must(m.Get("k"))(t); len(got) != 1 || got[0] != "red" {
			t.Errorf("%s, together: %v", name, got)
		}
	}
	if level := written(t, must(a.Remove("k", "green"))(t), nil); level != 0 {
		t.Errorf("nothing to do has level %v", level)
	}
}

// replica is what maps of both kinds can be asked in tests.
type replica interface {
	Sync(ctx context.Context) error
	Root() uint32
}

// settle waits until replicas agree with the server, after they have told it
// everything, and so with each other.
func settle(t *testing.T, rs ...replica) {
	t.Helper()
	for range 2 {
		for _, r := range rs {
			if err := r.Sync(within(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range rs[1:] {
		if r.Root() != rs[0].Root() {
			t.Fatalf("roots %08x and %08x", rs[0].Root(), r.Root())
		}
	}
}

func TestManyRecordsComeByTheTree(t *testing.T) {
	s := startServer(t)
	a := topgun.MapOf[int](s.connect(), "m")
	want := map[string]int{}
	for i := range 3000 {
		key := "key-" + string(rune('a'+i%26)) + strings.Repeat("x", i%40) + string(rune('0'+i%10))
		want[key] = i
		must(a.Set(key, i))(t)
	}
	b := topgun.MapOf[int](s.connect(), "m")
	settle(t, a, b)
	if got := must(b.Entries())(t); !maps.Equal(got, want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
}

func TestAConcernThatWasNotReachedIsToldAndTheWriteStays(t *testing.T) {
	s := startServer(t, "TOPGUN_NO_AUTH=1", "TOPGUN_UNREACHABLE_CONCERN=report")
	c := s.connect()
	m := topgun.MapOf[int](c, "m")
	w := must(m.Set("a", 1, topgun.WithConcern(topgun.Replicated)))(t)
	_, err := w.Wait(within(t))
	var short *topgun.ConcernError
	if !errors.As(err, &short) || short.Reached != topgun.Persisted || !strings.Contains(short.Reason, "WRITE_CONCERN_UNAVAILABLE") {
		t.Fatalf("told %v", err)
	}
	if err := m.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Get("a"); got != 1 || err != nil {
		t.Errorf("the replica holds %d, %v", got, err)
	}
}
