package topgun

import (
	"context"
	"time"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// outgoing is a message that waits to be sent behind the operations that were
// written before it, so that a query sees them.
type outgoing struct {
	message wire.Message
	counter *counter // instead of message: its state when it is sent
	after   int64    // the last operation before it
	keep    bool     // it waits for the next connection too
}

// send queues a message for the present connection. Without one it does
// nothing: the next one begins with everything that is still wanted. mu is held.
func (c *Client) send(m wire.Message) {
	if c.link != nil {
		c.enqueue(outgoing{message: m})
	}
}

func (c *Client) enqueue(o outgoing) {
	o.after = c.log.last
	c.queue = append(c.queue, o)
	ring(c.bell)
}

// write sends frames as long as there are any.
func (c *Client) write(ctx context.Context, l *link) error {
	var buf []byte
	for {
		frame := c.frame(l, buf[:0])
		if len(frame) == 0 {
			select {
			case <-c.bell:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := l.socket.Write(ctx, websocket.MessageBinary, frame); err != nil {
			return &ConnectionError{Doing: "write", Err: err}
		}
		if cap(frame) <= 1<<20 {
			buf = frame
		}
	}
}

// frame encodes the next message, nothing if there is none.
func (c *Client) frame(l *link, dst []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.ping {
		l.ping = false
		return wire.Append(dst, &wire.Ping{Timestamp: float64(clock.Millis(c.opt.clock.Now()))})
	}
	ops := c.log.unsent(l.sent)
	if len(c.queue) > 0 && (len(ops) == 0 || ops[0].id > c.queue[0].after) {
		o := c.queue[0]
		c.queue[0] = outgoing{}
		c.queue = c.queue[1:]
		if o.keep {
			c.waiting--
		}
		if o.counter != nil {
			o.counter.queued = false
			return wire.Append(dst, o.counter.message())
		}
		return wire.Append(dst, o.message)
	}
	if len(ops) == 0 {
		return nil
	}
	m, last := batch(ops)
	l.sent = last
	return wire.Append(dst, m)
}

// tickUnset is the wait when nothing is due.
const tickUnset = time.Hour
