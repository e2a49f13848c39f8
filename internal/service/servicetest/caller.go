package servicetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Caller is a session that writes down what it is sent. It is safe for
// concurrent use.
type Caller struct {
	*service.Caller

	mu     sync.Mutex
	frames [][]byte
	closed *service.CloseError
	woken  int
	behind bool
	until  int      // messages are sent before it is slow, 0 for ever
	caught []func() // wait until it is not slow
}

// NewCaller makes the session with the given id. Its order has room for acks
// answers at a time.
func NewCaller(id uint64, acks int) *Caller {
	c := &Caller{}
	c.Caller = &service.Caller{
		ID: id, Device: fmt.Sprint("device-", id), Out: c,
		Author: &change.Author{Origin: change.OriginSession, Device: fmt.Sprint("device-", id), Session: id},
		Wake:   c.wake,
	}
	c.Acks = service.NewOrder(c, acks, c.wake)
	c.Asks = service.NewAsks(c, c.wake)
	return c
}

// Send implements service.Outbox.
func (c *Caller) Send(f service.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return
	}
	c.frames = append(c.frames, append(append([]byte(nil), f.Head...), f.Body...))
	if c.until > 0 {
		c.until--
		c.behind = c.until == 0
	}
}

// SendAll implements service.Outbox.
func (c *Caller) SendAll(frames []service.Frame) {
	for _, f := range frames {
		c.Send(f)
	}
}

// Behind implements service.Outbox.
func (c *Caller) Behind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.behind
}

// Drained implements service.Outbox.
func (c *Caller) Drained(then func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind {
		c.caught = append(c.caught, then)
	}
	return !c.behind
}

// Stall makes the session slow, or quick again.
func (c *Caller) Stall(behind bool) {
	c.mu.Lock()
	var caught []func()
	if c.behind = behind; !behind {
		caught, c.caught = c.caught, nil
	}
	c.mu.Unlock()
	for _, then := range caught {
		then()
	}
}

// Close implements service.Outbox.
func (c *Caller) Close(why *service.CloseError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = why
	}
}

// StallAfter makes the session slow once it has been sent so many messages more.
func (c *Caller) StallAfter(messages int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = messages
}

func (c *Caller) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken++
}

// Woken is how often the session was told to try again.
func (c *Caller) Woken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.woken
}

// Closed is why the session was ended, nil while it goes on.
func (c *Caller) Closed() *service.CloseError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Take returns what was sent since the last Take, decoded.
func (c *Caller) Take(tb testing.TB) []wire.Message {
	tb.Helper()
	c.mu.Lock()
	frames := c.frames
	c.frames = nil
	c.mu.Unlock()
	var out []wire.Message
	for _, f := range frames {
		m, err := wire.Decode(f, wire.Limits{})
		if err != nil {
			tb.Fatalf("session %d was sent what nobody can read: %v", c.ID, err)
		}
		out = append(out, m)
	}
	return out
}

// One returns the only message that was sent since the last Take.
func One[M wire.Message](tb testing.TB, c *Caller) M {
	tb.Helper()
	got := c.Take(tb)
	if len(got) != 1 {
		tb.Fatalf("session %d was sent %d messages: %s", c.ID, len(got), Types(got))
	}
	m, ok := got[0].(M)
	if !ok {
		tb.Fatalf("session %d was sent a %s", c.ID, got[0].Type())
	}
	return m
}

// Types names the types of messages.
func Types(messages []wire.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Type().String())
	}
	return out
}

// Frame encodes a message and decodes it again, as if it had arrived, and
// returns the length of the frame, too.
func Frame[M wire.Message](tb testing.TB, m M) (arrived wire.Message, size int) {
	tb.Helper()
	b := wire.Append(nil, m)
	arrived, err := wire.Decode(b, wire.Limits{})
	if err != nil {
		tb.Fatalf("%s: %v", m.Type(), err)
	}
	return arrived, len(b)
}
