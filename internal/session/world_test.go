package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// bubbleClock is the clock of a bubble of testing/synctest.
type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }

func (bubbleClock) NewTimer(d time.Duration) clock.Timer { return bubbleTimer{time.NewTimer(d)} }

type bubbleTimer struct{ t *time.Timer }

func (t bubbleTimer) C() <-chan time.Time   { return t.t.C }
func (t bubbleTimer) Stop() bool            { return t.t.Stop() }
func (t bubbleTimer) Reset(d time.Duration) { t.t.Reset(d) }

// gate is an Authenticator: the token "good" is ann's, and devices come when the
// test says so.
type gate struct {
	required bool
	slow     bool // devices wait for release
	waiting  []func(service.Device)
}

func (g *gate) Required() bool { return g.required }

func (g *gate) Authenticate(token string) (policy.Principal, error) {
	if token != "good" {
		return policy.Principal{}, errors.New("no")
	}
	return policy.Principal{ID: "ann"}, nil
}

func (g *gate) Device(_, _ string, done func(service.Device)) {
	if g.slow {
		g.waiting = append(g.waiting, done)
		return
	}
	done(service.Device{ID: "device"})
}

func (g *gate) release() {
	for _, done := range g.waiting {
		done(service.Device{ID: "device"})
	}
	g.waiting = nil
}

// echo is a service that publishes back what is published, unless it is busy,
// and keeps a place in the order of acknowledgements for each OP_BATCH.
type echo struct {
	busy    bool
	callers []*service.Caller // found it busy
	tickets []*service.Ticket
	left    int
}

func (e *echo) Handles() []wire.Type  { return []wire.Type{wire.TypeTopicPub, wire.TypeOpBatch} }
func (e *echo) Leave(*service.Caller) { e.left++ }

func (e *echo) Handle(c *service.Caller, m wire.Message, _ int) error {
	if e.busy {
		e.callers = append(e.callers, c)
		return service.ErrBusy
	}
	switch m := m.(type) {
	case *wire.TopicPub:
		c.Send(&wire.TopicMessage{Topic: m.Topic, Data: m.Data})
	case *wire.OpBatch:
		e.tickets = append(e.tickets, c.Acks.Take())
	}
	return nil
}

// free ends being busy.
func (e *echo) free() {
	e.busy = false
	for _, c := range e.callers {
		c.Wake()
	}
	e.callers = nil
}

// world is a host with one service.
type world struct {
	t       *testing.T
	host    *Host
	gate    *gate
	service *echo
}

func newWorld(t *testing.T, opt Options) *world {
	t.Helper()
	w := &world{t: t, gate: &gate{}, service: &echo{}}
	reg := &service.Registry{}
	reg.Add(w.service)
	w.host = NewHost(bubbleClock{}, w.gate, reg, NewMetrics(prometheus.NewRegistry()), opt)
	return w
}

func (w *world) open() *Session { return w.host.Open(func() {}) }

// handle hands a message over in a goroutine, which ends with Handle.
func (w *world) handle(ctx context.Context, s *Session, messages ...wire.Message) <-chan error {
	ended := make(chan error, 1)
	go func() {
		for _, m := range messages {
			if err := s.Handle(ctx, wire.Append(nil, m)); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	return ended
}

// told is what a session has been told since the last call.
func (w *world) told(s *Session) string {
	w.t.Helper()
	frames, _ := s.Take(nil, 1<<30)
	var out []string
	for _, f := range frames {
		m, err := wire.Decode(bytes.Join([][]byte{f.Head, f.Body}, nil), wire.Limits{})
		if err != nil {
			w.t.Fatal(err)
		}
		text := m.Type().String()
		if pong, ok := m.(*wire.Pong); ok {
			text += fmt.Sprint(" ", pong.Timestamp)
		}
		out = append(out, text)
	}
	return fmt.Sprint(out)
}

// expect fails the test unless the session was told this since the last call.
func (w *world) expect(s *Session, want string) {
	w.t.Helper()
	if got := w.told(s); got != want {
		w.t.Errorf("told %s, expected %s", got, want)
	}
}

// closed is the code with which a session was ended, 0 if it was not.
func closed(s *Session) wire.CloseCode {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.out.why == nil {
		return 0
	}
	return s.out.why.Code
}
