package counter_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/counter"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

type harness struct {
	t       *testing.T
	world   *gridtest.World
	service *counter.Service
}

func on(t *testing.T, w *gridtest.World) *harness {
	t.Helper()
	h := &harness{t: t, world: w, service: counter.New(w.Engine, w.Feed, prometheus.NewRegistry())}
	w.Add(h.service)
	return h
}

func (h *harness) handle(c *servicetest.Caller, m wire.Message) error {
	h.t.Helper()
	arrived, size := servicetest.Frame(h.t, m)
	return h.service.Handle(c.Caller, arrived, size)
}

func (h *harness) must(c *servicetest.Caller, m wire.Message) {
	h.t.Helper()
	if err := h.handle(c, m); err != nil {
		h.t.Fatalf("%s: %v", m.Type(), err)
	}
}

func state(name string, pos, neg float64, more ...wire.NumberEntry) *wire.CounterSync {
	m := &wire.CounterSync{Name: name}
	if pos != 0 {
		m.State.Positive = wire.NumberMap{{Name: "x", Value: pos}}
	}
	if neg != 0 {
		m.State.Negative = wire.NumberMap{{Name: "x", Value: neg}}
	}
	m.State.Positive = append(m.State.Positive, more...)
	return m
}

// short says what was sent.
func short(t *testing.T, c *servicetest.Caller) string {
	t.Helper()
	var out []string
	text := func(kind, name string, s wire.CounterState) {
		out = append(out, fmt.Sprintf("%s %s %v %v", kind, name, s.Positive, s.Negative))
	}
	for _, m := range c.Take(t) {
		switch m := m.(type) {
		case *wire.CounterResponse:
			text("is", m.Name, m.State)
		case *wire.CounterUpdate:
			text("becomes", m.Name, m.State)
		case *wire.Error:
			out = append(out, fmt.Sprint("error ", m.Code))
		default:
			out = append(out, m.Type().String())
		}
	}
	return strings.Join(out, ", ")
}

// TestACounterReachesItsSubscribers: a request is answered, a state is merged,
// and everyone who has asked or sent hears of what came of it, the sender too.
func TestACounterReachesItsSubscribers(t *testing.T) {
	h := on(t, gridtest.Open(t, gridtest.Options{}))
	a, b, c := servicetest.NewCaller(1, 1), servicetest.NewCaller(2, 1), servicetest.NewCaller(3, 1)
	say := func(what string, who *servicetest.Caller, want string) {
		t.Helper()
		h.world.Settle()
		if got := short(t, who); got != want {
			t.Errorf("%s: %d hears %q, want %q", what, who.ID, got, want)
		}
	}
	h.must(a, &wire.CounterRequest{Name: "n"})
	say("nobody has touched it", a, "is n [] []")
	h.must(b, state("n", 3, 1))
	say("a state", a, "becomes n [{x 3}] [{x 1}]")
	say("a state", b, "becomes n [{x 3}] [{x 1}]")
	say("a state", c, "")
	h.must(a, state("n", 2, 0, wire.NumberEntry{Name: "y", Value: 0.5}))
	say("another one", b, "becomes n [{x 3} {y 0.5}] [{x 1}]")
	say("another one", a, "becomes n [{x 3} {y 0.5}] [{x 1}]")
	h.must(c, state("n", 3, 0))
	say("one that changes nothing", c, "becomes n [{x 3} {y 0.5}] [{x 1}]")
	say("one that changes nothing", a, "")
	h.must(c, &wire.CounterRequest{Name: "n"})
	say("a request", c, "is n [{x 3} {y 0.5}] [{x 1}]")
	h.service.Leave(b.Caller)
	h.must(a, state("n", 9, 0))
	say("after one has left", b, "")
	say("after one has left", c, "becomes n [{x 9} {y 0.5}] [{x 1}]")
	if ops, bytes := h.world.Engine.Credit.Used(); ops != 0 || bytes != 0 {
		t.Errorf("%d operations of %d bytes count as under way", ops, bytes)
	}
}

// TestCountersSurviveARestart is COUNTER-DURABLE, from the log and from the
// store; nobody hears of a state before it is durable.
func TestCountersSurviveARestart(t *testing.T) {
	for _, stored := range []bool{false, true} {
		h := on(t, gridtest.Open(t, gridtest.Options{}))
		a := servicetest.NewCaller(1, 1)
		h.must(a, state("n", 3, 1))
		h.world.StepActors()
		if got := short(t, a); got != "" {
			t.Fatalf("before it is durable: %q", got)
		}
		h.world.Settle()
		if stored {
			var outcome error
			h.world.Checkpointer.Request(func(err error) { outcome = err })
			h.world.Settle()
			if outcome != nil || h.world.Log.Retained() != 0 {
				t.Fatalf("the checkpoint: %v", outcome)
			}
		}
		w, err := h.world.Restart(t, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		h = on(t, w)
		b := servicetest.NewCaller(2, 1)
		h.must(b, &wire.CounterRequest{Name: "n"})
		h.world.Settle()
		if got := short(t, b); got != "is n [{x 3}] [{x 1}]" {
			t.Errorf("from the store %t: %q", stored, got)
		}
	}
}

// TestWhatIsRefused is told by name, and leaves nothing behind.
func TestWhatIsRefused(t *testing.T) {
	h := on(t, gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MaxOps: 1}}))
	a := servicetest.NewCaller(1, 1)
	for name, c := range map[string]struct {
		m    wire.Message
		want wire.Code
	}{
		"a bad name":         {&wire.CounterRequest{Name: "a b"}, wire.CodeInvalidName},
		"a state of one":     {state("a b", 1, 0), wire.CodeInvalidName},
		"less than nothing":  {state("n", -1, 0), wire.CodeInvalidField},
		"a loss of the same": {state("n", 0, -1), wire.CodeInvalidField},
	} {
		var e *service.Error
		if err := h.handle(a, c.m); !errors.As(err, &e) || e.Code != c.want || e.Type != c.m.Type() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if ops, bytes := h.world.Engine.Credit.Used(); ops != 0 || bytes != 0 {
		t.Errorf("%d operations of %d bytes count as under way", ops, bytes)
	}
	h.must(a, state("n", 1, 0))
	if err := h.handle(a, state("n", 2, 0)); !errors.Is(err, service.ErrBusy) {
		t.Errorf("without room: %v", err)
	}
	h.world.FailSyncs(1)
	h.world.Settle()
	if got := short(t, a); got != "error 503" {
		t.Errorf("a state that was not stored: %q", got)
	}
	if a.Woken() != 1 {
		t.Errorf("told to come again %d times", a.Woken())
	}
	for i := range counter.SessionCounters {
		h.must(a, &wire.CounterRequest{Name: fmt.Sprint("c", i%(counter.SessionCounters-1))})
		h.world.Settle()
	}
	var e *service.Error
	if err := h.handle(a, &wire.CounterRequest{Name: "more"}); !errors.As(err, &e) || e.Code != wire.CodeForbidden {
		t.Errorf("one counter more: %v", err)
	}
}

// TestAGapIsReadAgain: a service that fell behind tells every subscriber what its
// counters are.
func TestAGapIsReadAgain(t *testing.T) {
	h := on(t, gridtest.Open(t, gridtest.Options{Null: true, Engine: engine.Options{Lanes: 1}}))
	a, b := servicetest.NewCaller(1, 1), servicetest.NewCaller(2, 1)
	h.must(a, &wire.CounterRequest{Name: "n"})
	h.must(a, &wire.CounterRequest{Name: "untouched"})
	h.world.Settle()
	a.Take(t)
	lanes := h.world.Engine.Actors()
	h.must(b, state("n", 1, 0))
	for i := range 70_000 {
		h.world.Engine.Do(&engine.Batch{Ops: one(i), Done: func(*engine.Batch, error) {}})
		if i%1000 == 0 {
			for lanes[0].Step() {
			}
		}
	}
	h.world.Settle()
	got := strings.Split(short(t, a), ", ")
	slices.Sort(got)
	if fmt.Sprint(got) != "[becomes n [{x 1}] [] becomes untouched [] []]" {
		t.Errorf("hears %q", got)
	}
}
