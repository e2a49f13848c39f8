package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// maxFrame bounds what a server may send as one frame.
const maxFrame = 64 << 20

// readBuffer is the size of a new connection's buffer; it grows with the frames.
const readBuffer = 4 << 10

// ErrFragment reports a message in several frames, which this client does not
// put together.
var ErrFragment = errors.New("socket: the server sends a message in fragments")

// ClosedError is the end of a connection by the server's close frame.
type ClosedError struct {
	Code   int // 0 when the frame had none
	Reason string
}

// Error says what the server said.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("socket: closed by the server with %d %q", e.Code, e.Reason)
}

// Conn is one open WebSocket.
type Conn struct {
	net  net.Conn
	buf  []byte // what was read and not yet handed out is buf[r:w]
	r, w int
}

// Write sends frames made by Frame, one or several in a row.
func (c *Conn) Write(frames []byte) error {
	_, err := c.net.Write(frames)
	return err
}

// SetDeadline bounds reads and writes; the zero time lifts the bound.
func (c *Conn) SetDeadline(t time.Time) error { return c.net.SetDeadline(t) }

// Close ends the connection without a close frame.
func (c *Conn) Close() error { return c.net.Close() }

// Buffered reports whether Next can return a message without reading from the
// socket, unless what is there is a control frame.
func (c *Conn) Buffered() bool {
	_, end, err := header(c.buf[c.r:c.w])
	return err == nil && end > 0 && end <= c.w-c.r
}

// Next returns the next message. It is valid until the call after. Pings are
// answered on the way.
func (c *Conn) Next(ctx context.Context) ([]byte, error) {
	for {
		op, payload, err := c.frame()
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
		switch op {
		case final | opBinary:
			return payload, nil
		case final | opPing:
			if err := c.Write(append(appendHeader(nil, opPong, len(payload)), payload...)); err != nil {
				return nil, err
			}
		case final | opPong:
		case final | opClose:
			return nil, closedBy(payload)
		default:
			return nil, ErrFragment
		}
	}
}

func closedBy(payload []byte) error {
	if len(payload) < 2 {
		return &ClosedError{}
	}
	return &ClosedError{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
}

// frame returns the next frame: its first byte and its payload.
func (c *Conn) frame() (first byte, payload []byte, err error) {
	for {
		begin, end, err := header(c.buf[c.r:c.w])
		if err != nil {
			return 0, nil, err
		}
		if end > 0 && end <= c.w-c.r {
			b := c.buf[c.r : c.r+end]
			c.r += end
			return b[0], b[begin:], nil
		}
		if err := c.fill(end); err != nil {
			return 0, nil, err
		}
	}
}

// fill reads more, into a buffer that can hold a frame of size bytes.
func (c *Conn) fill(size int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if need := max(size, c.w-c.r+1); c.r+need > len(c.buf) {
		to := c.buf
		if need > len(to) {
			to = make([]byte, max(need, 2*len(to), readBuffer))
		}
		c.w = copy(to, c.buf[c.r:c.w])
		c.r, c.buf = 0, to
	}
	n, err := c.net.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("socket: the server hung up: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// header returns where the payload of the frame at b begins and ends; end is 0
// when b is too short to tell.
func header(b []byte) (begin, end int, err error) {
	if len(b) < 2 {
		return 0, 0, nil
	}
	size := uint64(b[1])
	begin = 2
	switch {
	case size >= masked:
		return 0, 0, errors.New("socket: the server masks its frames")
	case size == 126 && len(b) < 4, size == 127 && len(b) < 10:
		return 0, 0, nil
	case size == 126:
		size, begin = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127:
		size, begin = binary.BigEndian.Uint64(b[2:]), 10
	}
	if size > maxFrame {
		return 0, 0, fmt.Errorf("socket: the server sends a frame of %d bytes", size)
	}
	return begin, begin + int(size), nil
}
