package ws

import (
	"net"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/service"
)

const (
	// batchBytes is how much is taken from an outbox for one write.
	batchBytes = 64 << 10

	// copyBelow is the size up to which a piece of a message is copied next to
	// its neighbours; a larger one is handed to the kernel from where it is.
	copyBelow = 8 << 10

	// keepBytes and keepFrames bound what a batch holds on to between uses.
	keepBytes  = batchBytes + copyBelow
	keepFrames = 1 << 10
)

// batches holds the batches that no writer uses.
var batches = sync.Pool{New: func() any { return new(batch) }}

// batch is a number of frames on their way into one write.
type batch struct {
	frames []service.Frame // room for Take
	buf    []byte          // copied pieces and headers
	sealed int             // how much of buf is in segs
	segs   [][]byte        // in order, what is not in buf after sealed
	unsent net.Buffers     // what is left of segs during a write
	count  int             // messages
}

// add appends a binary message. It holds on to large parts of f until reset.
func (b *batch) add(f service.Frame) {
	b.buf = appendHeader(b.buf, opBinary, f.Len())
	b.piece(f.Head)
	b.piece(f.Body)
	b.count++
}

// piece appends a part of a message.
func (b *batch) piece(p []byte) {
	if len(p) < copyBelow {
		b.buf = append(b.buf, p...)
		return
	}
	b.seal()
	b.segs = append(b.segs, p)
}

// control appends a pong.
func (b *batch) control(op opcode, payload []byte) {
	b.buf = append(appendHeader(b.buf, op, len(payload)), payload...)
}

// seal ends a run of copied pieces. buf may move when it grows: what is sealed
// stays where it was, which is as good.
func (b *batch) seal() {
	if b.sealed < len(b.buf) {
		b.segs = append(b.segs, b.buf[b.sealed:len(b.buf):len(b.buf)])
		b.sealed = len(b.buf)
	}
}

// empty reports whether there is nothing to write.
func (b *batch) empty() bool { return len(b.buf) == 0 && len(b.segs) == 0 }

// load makes the batch ready to be written.
func (b *batch) load() {
	b.seal()
	b.unsent = net.Buffers(b.segs)
}

// writeTo writes what is unsent with one call to the system, if that takes it
// all, and reports the bytes written. After an error it continues where the
// previous call ended.
func (b *batch) writeTo(c net.Conn) (int64, error) {
	if len(b.unsent) != 1 {
		return b.unsent.WriteTo(c)
	}
	n, err := c.Write(b.unsent[0])
	if b.unsent[0] = b.unsent[0][n:]; len(b.unsent[0]) == 0 {
		b.unsent = b.unsent[1:]
	}
	return int64(n), err
}

// writeNow writes what the socket takes without waiting. waits says that
// something is left.
func (b *batch) writeNow(c *conn) (waits bool, err error) {
	if len(b.unsent) != 1 {
		return true, nil // large messages go with one call all the same
	}
	n, waits, err := c.now.write(b.unsent[0])
	c.srv.metrics.sentBytes.Add(float64(n))
	if b.unsent[0] = b.unsent[0][n:]; err == nil && !waits {
		b.unsent = b.unsent[:0]
		c.srv.metrics.sentMessages.Add(float64(b.count))
	}
	return waits, err
}

// reset forgets the messages.
func (b *batch) reset() {
	clear(b.frames)
	clear(b.segs)
	b.frames, b.segs, b.unsent = b.frames[:0], b.segs[:0], nil
	b.buf, b.sealed, b.count = b.buf[:0], 0, 0
}

// release gives the batch back.
func (b *batch) release() {
	b.reset()
	if cap(b.buf) > keepBytes {
		b.buf = nil
	}
	if cap(b.frames) > keepFrames {
		b.frames = nil
	}
	batches.Put(b)
}
