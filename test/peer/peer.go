package peer

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// Peer is a Conn that fails its test.
type Peer struct {
	*Conn

	t     testing.TB
	pings float64
}

// New connects to a port of this machine; the connection ends with the test.
func New(t testing.TB, port string) *Peer {
	t.Helper()
	return With(t, port, Options{})
}

// With is New with options.
func With(t testing.TB, port string, opt Options) *Peer {
	t.Helper()
	c, err := Dial(t.Context(), port, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Drop)
	return &Peer{Conn: c, t: t}
}

// Send sends messages, each as a frame of its own.
func (p *Peer) Send(messages ...wire.Message) {
	p.t.Helper()
	if err := p.Conn.Send(p.t.Context(), messages...); err != nil {
		p.t.Fatal(err)
	}
}

// SendBytes sends frames as they are.
func (p *Peer) SendBytes(frames ...[]byte) {
	p.t.Helper()
	for _, f := range frames {
		if err := p.Write(p.t.Context(), f); err != nil {
			p.t.Fatal(err)
		}
	}
}

// Next returns the next message.
func (p *Peer) Next() wire.Message {
	p.t.Helper()
	m, err := p.read()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return m
}

func (p *Peer) read() (wire.Message, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	return p.Read(ctx)
}

// Expect reads until a message of type T comes and returns it. Others are passed
// over.
func Expect[T wire.Message](p *Peer) T {
	p.t.Helper()
	for {
		if m, ok := p.Next().(T); ok {
			return m
		}
	}
}

// Only returns the next message, which has to be of type T.
func Only[T wire.Message](p *Peer) T {
	p.t.Helper()
	m, ok := p.Next().(T)
	if !ok {
		p.t.Fatalf("the next message is not of the kind that was expected")
	}
	return m
}

// UntilPong sends a PING and returns what comes before its PONG: everything
// that the server says at once to what was sent before.
func (p *Peer) UntilPong() []wire.Message {
	p.t.Helper()
	p.pings++
	p.Send(&wire.Ping{Timestamp: p.pings})
	var before []wire.Message
	for {
		m := p.Next()
		if pong, ok := m.(*wire.Pong); ok && pong.Timestamp == p.pings {
			return before
		}
		before = append(before, m)
	}
}

// Silent fails the test when the server says anything to what was sent before.
func (p *Peer) Silent() {
	p.t.Helper()
	if said := p.UntilPong(); len(said) > 0 {
		p.t.Fatalf("the server said %s, expected nothing", Names(said))
	}
}

// Closed reads until the server closes the connection. It returns the code and
// what came before.
func (p *Peer) Closed() (code wire.CloseCode, before []wire.Message) {
	p.t.Helper()
	for {
		m, err := p.read()
		if err == nil {
			before = append(before, m)
			continue
		}
		code, ok := CloseOf(err)
		if !ok {
			p.t.Fatalf("the connection ended without a close code: %v", err)
		}
		return code, before
	}
}

// Names lists the types of messages, for failures and comparisons.
func Names(messages []wire.Message) string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Type().String())
	}
	return fmt.Sprint(slices.Clip(out))
}
