package ws

import (
	"errors"
	"io"
	"sync"
)

const (
	// quietBuffer is the read buffer that a connection owns. It takes most
	// messages whole, header and all.
	quietBuffer = 1 << 10

	// busyBuffer is the read buffer that a connection borrows while more is
	// arriving than its own takes.
	busyBuffer = 16 << 10

	// directRead is the size from which the rest of a payload is read past the
	// buffers, to where it belongs.
	directRead = 4 << 10

	// firstPiece is how much memory a payload gets before its bytes have
	// arrived. It doubles as they do.
	firstPiece = 16 << 10
)

// busyBuffers holds the buffers that nobody borrows.
var busyBuffers = sync.Pool{New: func() any { return new([busyBuffer]byte) }}

// source is the incoming byte stream of one connection. A connection waits for
// bytes with its own small buffer; it changes to a borrowed one as long as a
// read fills the buffer it was given, and returns that one before it waits
// again. What is left in either when it reads is less than need was asked for,
// and so always fits into the small one.
type source struct {
	from  io.Reader
	rest  []byte            // arrived and not consumed; a part of quiet or busy
	quiet []byte            // owned
	busy  *[busyBuffer]byte // borrowed, or nil
	more  bool              // the last read filled its buffer
}

// newSource reads from r, after what was read from it before.
func newSource(r io.Reader, before []byte) source {
	quiet := make([]byte, max(quietBuffer, len(before)))
	n := copy(quiet, before)
	return source{from: r, rest: quiet[:n], quiet: quiet}
}

// need returns the next n bytes, at most quietBuffer, without consuming them.
// They stay valid until the next call. It returns io.EOF if the stream ends before the first of
// them and io.ErrUnexpectedEOF if it ends among them.
func (s *source) need(n int) ([]byte, error) {
	for len(s.rest) < n {
		if err := s.fill(); err != nil {
			if len(s.rest) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return s.rest[:n], nil
}

// drop consumes n bytes that need has returned.
func (s *source) drop(n int) { s.rest = s.rest[n:] }

// appendTo consumes n bytes and appends them to dst. What it allocates is in
// proportion to what has arrived, and the result has no more capacity than
// limit, unless a small rest was rounded up.
func (s *source) appendTo(dst []byte, n, limit int) ([]byte, error) {
	if n <= len(s.rest) {
		dst = append(dst, s.rest[:n]...)
		s.drop(n)
		return dst, nil
	}
	for n > 0 {
		if len(dst) == cap(dst) {
			dst = enlarge(dst, n, limit)
		}
		room := min(n, cap(dst)-len(dst))
		if len(s.rest) == 0 && room >= directRead {
			k, err := s.from.Read(dst[len(dst) : len(dst)+room])
			dst, n = dst[:len(dst)+k], n-k
			if err != nil {
				return dst, err
			}
			continue
		}
		if len(s.rest) == 0 {
			if err := s.fill(); err != nil {
				return dst, err
			}
		}
		k := min(room, len(s.rest))
		dst = append(dst, s.rest[:k]...)
		s.drop(k)
		n -= k
	}
	return dst, nil
}

// enlarge returns dst with room for some of the n bytes to come.
func enlarge(dst []byte, n, limit int) []byte {
	room := max(2*cap(dst), min(len(dst)+n, firstPiece))
	next := make([]byte, len(dst), max(min(room, limit), len(dst)+1))
	copy(next, dst)
	return next
}

// skip consumes n bytes.
func (s *source) skip(n int) error {
	for {
		k := min(n, len(s.rest))
		s.drop(k)
		if n -= k; n == 0 {
			return nil
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// fill reads once, after moving what is left to the beginning of the buffer
// that fits the traffic.
func (s *source) fill() error {
	buf := s.quiet
	if s.more {
		if s.busy == nil {
			s.busy, _ = busyBuffers.Get().(*[busyBuffer]byte)
		}
		buf = s.busy[:]
	}
	kept := copy(buf, s.rest)
	if !s.more {
		s.release()
	}
	n, err := s.from.Read(buf[kept:])
	s.rest = buf[:kept+n]
	s.more = kept+n == len(buf)
	if n > 0 {
		return nil // an error comes back with the next read
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// release returns a borrowed buffer. What it holds is lost.
func (s *source) release() {
	if s.busy != nil {
		busyBuffers.Put(s.busy)
		s.busy, s.rest = nil, nil
	}
}
