package topic_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
	"github.com/topgunbuild/topgun-go/internal/service/topic"
)

func handle(t *testing.T, s service.Service, c *servicetest.Caller, m wire.Message) error {
	t.Helper()
	arrived, size := servicetest.Frame(t, m)
	return s.Handle(c.Caller, arrived, size)
}

func must(t *testing.T, s service.Service, c *servicetest.Caller, m wire.Message) {
	t.Helper()
	if err := handle(t, s, c, m); err != nil {
		t.Fatalf("%s: %v", m.Type(), err)
	}
}

// hears lists the messages that a session was sent.
func hears(t *testing.T, c *servicetest.Caller) string {
	t.Helper()
	var out []string
	for _, m := range c.Take(t) {
		if tm, ok := m.(*wire.TopicMessage); ok {
			out = append(out, tm.Topic+"="+string(value.AppendCanonical(nil, tm.Data)))
		} else {
			out = append(out, m.Type().String())
		}
	}
	return strings.Join(out, " ")
}

func pub(name string, n int) *wire.TopicPub {
	return &wire.TopicPub{Topic: name, Data: gridtest.Int(n)}
}

// TestWhoHearsOfAMessage: everyone who has subscribed, in the order of
// publishing, once, and not the publisher.
func TestWhoHearsOfAMessage(t *testing.T) {
	s := topic.New(gridtest.NewClock(), prometheus.NewRegistry())
	a, b, c := servicetest.NewCaller(1, 1), servicetest.NewCaller(2, 1), servicetest.NewCaller(3, 1)
	must(t, s, a, pub("t", 0)) // nobody is there
	must(t, s, a, &wire.TopicSub{Topic: "t"})
	must(t, s, a, &wire.TopicSub{Topic: "t"}) // again
	must(t, s, b, &wire.TopicSub{Topic: "t"})
	must(t, s, b, &wire.TopicSub{Topic: "u"})
	must(t, s, c, pub("t", 1))
	must(t, s, a, pub("t", 2))
	must(t, s, c, pub("u", 3))
	for i, want := range map[*servicetest.Caller]string{a: "t=1", b: "t=1 t=2 u=3", c: ""} {
		if got := hears(t, i); got != want {
			t.Errorf("%d hears %q, want %q", i.ID, got, want)
		}
	}
	must(t, s, b, &wire.TopicUnsub{Topic: "t"})
	must(t, s, b, &wire.TopicUnsub{Topic: "t"}) // again
	must(t, s, c, &wire.TopicUnsub{Topic: "never"})
	must(t, s, c, pub("t", 4))
	must(t, s, c, pub("u", 5))
	if got := hears(t, b); got != "u=5" {
		t.Errorf("after an end: %q", got)
	}
	s.Leave(b.Caller)
	must(t, s, c, pub("u", 6))
	if got := hears(t, b); got != "" {
		t.Errorf("after leaving: %q", got)
	}
	if got := hears(t, a); got != "t=4" {
		t.Errorf("who stays hears %q", got)
	}
}

// TestWhatIsSaidOfAMessage: its data as it came, by whom, and when.
func TestWhatIsSaidOfAMessage(t *testing.T) {
	clk := gridtest.NewClock()
	s := topic.New(clk, prometheus.NewRegistry())
	a, b := servicetest.NewCaller(1, 1), servicetest.NewCaller(2, 1)
	must(t, s, a, &wire.TopicSub{Topic: "t"})
	odd := value.Raw{0xd3, 0, 0, 0, 0, 0, 0, 0, 1}
	must(t, s, b, &wire.TopicPub{Topic: "t", Data: odd})
	m := servicetest.One[*wire.TopicMessage](t, a)
	if string(m.Data) != string(odd) || m.PublisherID != "2" || m.Timestamp != clk.Millis() || m.Topic != "t" {
		t.Errorf("%+v", m)
	}
}

// TestBadNamesAndTooManyTopics are refused by name, and leave nothing.
func TestBadNamesAndTooManyTopics(t *testing.T) {
	s := topic.New(gridtest.NewClock(), prometheus.NewRegistry())
	a := servicetest.NewCaller(1, 1)
	for _, m := range []wire.Message{&wire.TopicSub{Topic: "a b"}, &wire.TopicPub{Topic: "a b", Data: gridtest.Int(1)}} {
		var e *service.Error
		if err := handle(t, s, a, m); !errors.As(err, &e) || e.Code != wire.CodeInvalidName || e.Type != m.Type() || e.Request != "a b" {
			t.Errorf("%s: %v", m.Type(), err)
		}
	}
	for i := range topic.SessionTopics {
		must(t, s, a, &wire.TopicSub{Topic: fmt.Sprint("t", i)})
	}
	var e *service.Error
	if err := handle(t, s, a, &wire.TopicSub{Topic: "more"}); !errors.As(err, &e) || e.Code != wire.CodeForbidden || e.Request != "more" {
		t.Errorf("one topic more: %v", err)
	}
	must(t, s, a, &wire.TopicSub{Topic: "t5"}) // which it has
	must(t, s, a, &wire.TopicUnsub{Topic: "t5"})
	must(t, s, a, &wire.TopicSub{Topic: "more"})
}

// TestEveryoneSeesOneOrder: with publishers at the same time, all subscribers
// hear the same messages in the same order; sessions come and go meanwhile.
func TestEveryoneSeesOneOrder(t *testing.T) {
	s := topic.New(gridtest.NewClock(), prometheus.NewRegistry())
	a, b := servicetest.NewCaller(1, 1), servicetest.NewCaller(2, 1)
	must(t, s, a, &wire.TopicSub{Topic: "t"})
	must(t, s, b, &wire.TopicSub{Topic: "t"})
	var all sync.WaitGroup
	for p := range 4 {
		all.Go(func() {
			c := servicetest.NewCaller(uint64(10+p), 1)
			for i := range 100 {
				must(t, s, c, pub("t", p*1000+i))
			}
			must(t, s, c, &wire.TopicSub{Topic: "t"})
			s.Leave(c.Caller)
		})
	}
	all.Wait()
	first, second := hears(t, a), hears(t, b)
	if first != second || strings.Count(first, "t=") != 400 {
		t.Errorf("%d messages, the same order: %t", strings.Count(first, "t="), first == second)
	}
}
