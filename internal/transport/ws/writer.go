package ws

import (
	"errors"
	"os"

	"github.com/topgunbuild/topgun-go/internal/service"
)

// notify says that the session has something to send.
func (c *conn) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked()
}

// wakeLocked makes sure that a writer looks at the state after now.
func (c *conn) wakeLocked() {
	switch {
	case c.over:
	case c.busy:
		c.again = true
	default:
		c.busy = true
		c.writers.Add(1) // before over is set, and so before Wait
		c.srv.flush.push(c)
	}
}

// opened ends the time in which no writer may run because the session is being
// opened. Without a session there is no outbox.
func (c *conn) opened(session bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	c.mute = !session
	if c.again {
		c.wakeLocked()
	}
}

// owePong has a ping answered. Of several that wait only the last is.
func (c *conn) owePong(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pong = append(c.pong[:0], payload...)
	c.hasPong = true
	c.wakeLocked()
}

// requestClose has the connection closed with e, after the outbox unless the
// peer has closed. The first request counts.
func (c *conn) requestClose(e *service.CloseError, by string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.closing != nil {
		return
	}
	c.closing = e
	c.ended = ending{by: by, code: e.Code}
	c.mute = c.mute || by == byPeer
	c.hurryLocked()
	c.wakeLocked()
}

// hurryLocked limits the time for everything that is still to be written, what
// is being written now included.
func (c *conn) hurryLocked() {
	if c.closeBy.IsZero() {
		c.closeBy = c.srv.clk.Now().Add(c.srv.opt.CloseTimeout)
		_ = c.net.SetWriteDeadline(c.closeBy) // a dead socket shows at the next write
	}
}

// turns is how many batches of one connection are written before the others have
// their turn.
const turns = 4

// write is the writer: it sends what there is and ends when there is nothing. It
// does not wait: what the socket does not take is left to waitAndWrite.
func (c *conn) write() {
	b, _ := batches.Get().(*batch)
	for range turns {
		asked := c.collect(b)
		switch {
		case !b.empty():
			b.load()
			c.arm(false)
			waits, err := b.writeNow(c)
			switch {
			case err != nil:
				c.lost(err)
				c.writeDone(b)
				return
			case waits:
				go c.waitAndWrite(b) //arch:goroutine conn waits in serve
				return
			}
		case asked != nil:
			go func() { //arch:goroutine conn waits in serve
				defer c.writeDone(b)
				c.sendClose(b, asked) // which waits for the socket
			}()
			return
		case c.rest():
			c.writeDone(b)
			return
		}
	}
	b.release()
	c.srv.flush.push(c)
}

// writeDone ends a writer.
func (c *conn) writeDone(b *batch) {
	b.release()
	c.writers.Done()
}

// waitAndWrite is a writer that waits for its socket. b is what it begins with.
func (c *conn) waitAndWrite(b *batch) {
	defer c.writeDone(b)
	err := c.drain(b)
	for err == nil {
		asked := c.collect(b)
		switch {
		case !b.empty():
			err = c.flush(b)
		case asked != nil:
			c.sendClose(b, asked)
			return
		case c.rest():
			return
		}
	}
	c.lost(err)
}

// collect loads b with what waits to be sent and returns the close that is to
// follow once nothing does.
func (c *conn) collect(b *batch) *service.CloseError {
	b.reset()
	c.mu.Lock()
	c.again = false
	if c.hasPong {
		b.control(opPong, c.pong)
		c.hasPong = false
	}
	closing, mute := c.closing, c.mute
	c.mu.Unlock()
	if mute {
		return closing
	}
	frames, asked := c.session.Take(b.frames, batchBytes)
	b.frames = frames
	for _, f := range frames {
		b.add(f)
	}
	if asked == nil {
		return closing
	}
	c.mu.Lock()
	c.hurryLocked()
	c.mu.Unlock()
	return asked
}

// rest ends the writer, unless something turned up since it looked.
func (c *conn) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = c.again
	return !c.busy
}

// flush writes b.
func (c *conn) flush(b *batch) error {
	b.load()
	return c.drain(b)
}

// drain writes what is left of b, for as long as the peer takes any of it.
func (c *conn) drain(b *batch) error {
	m := c.srv.metrics
	if len(b.unsent) == 0 {
		return nil
	}
	for wait := false; ; wait = true {
		c.arm(wait)
		n, err := b.writeTo(c.net)
		m.sentBytes.Add(float64(n))
		if err == nil {
			m.sentMessages.Add(float64(b.count))
			return nil
		}
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.hurried() {
			return err
		}
	}
}

// arm sets the write deadline, unless the one that is set leaves enough time:
// setting it costs more than asking for the time. A close has its own.
func (c *conn) arm(afresh bool) {
	now, stall := c.srv.clk.Now(), c.srv.opt.StallTimeout
	if age := now.Sub(c.armed); !afresh && age >= 0 && age < stall/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closeBy.IsZero() {
		_ = c.net.SetWriteDeadline(now.Add(stall)) // a dead socket shows at the write
		c.armed = now
	}
}

// hurried reports whether an orderly close has begun.
func (c *conn) hurried() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closeBy.IsZero()
}

// sendClose ends what we have to say: the close frame, and the end of the
// stream behind it. The reader has CloseTimeout to hear the peer's answer.
func (c *conn) sendClose(b *batch, e *service.CloseError) {
	b.reset()
	b.buf = appendClose(b.buf, e.Code, e.Text())
	b.load()
	if _, err := b.writeTo(c.net); err != nil {
		c.lost(err)
		return
	}
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // nothing follows the close frame either way
	}
	c.mu.Lock()
	c.over = true
	if c.ended.by == "" {
		c.ended = ending{by: byServer, code: e.Code}
	}
	c.mu.Unlock()
	_ = c.net.SetReadDeadline(c.srv.clk.Now().Add(c.srv.opt.CloseTimeout)) // a dead socket ends the reader as well
	c.cancel()
}

// lost ends a connection after a write that failed.
func (c *conn) lost(err error) {
	end := ending{by: byLoss, code: closeAbnormal}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		end.by = byStall
		if c.hurried() {
			end.by = byTimeout
		}
		c.srv.metrics.writeStalls.Inc()
	}
	c.cut(end)
}

// cut closes the socket at once. Reader and writer find out by their next call.
func (c *conn) cut(e ending) {
	c.mu.Lock()
	if !c.over {
		c.over = true
		c.ended = e
	}
	c.mu.Unlock()
	_ = c.net.Close() // closed before, for all we care
	c.cancel()
}
