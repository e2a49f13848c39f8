package ws

import (
	"encoding/binary"
	"math"
)

// reader turns a client's bytes into messages and control frames.
type reader struct {
	in  source
	max int // bytes of a message

	// A message that has begun and not ended.
	open    opcode // opBinary, opText, or opContinue: none
	message []byte // payload so far; nil while a text message is skipped
	seen    int    // payload bytes so far, skipped ones too
}

// event is what has arrived: a binary message (payload belongs to the caller),
// the end of a text message (no payload), or a control frame (payload is valid
// until the next call).
type event struct {
	op      opcode
	payload []byte
}

// header is a parsed frame header of a client.
type header struct {
	op     opcode
	fin    bool
	length int
	key    uint32
}

// next returns the next event. It returns a *service.CloseError if the peer
// broke the protocol or the limit, and the stream's error otherwise; the
// reader is of no use after the former.
func (r *reader) next() (event, error) {
	for {
		h, err := r.header()
		if err != nil {
			return event{}, err
		}
		if h.op.isControl() {
			return r.control(h)
		}
		if err := r.begin(h); err != nil {
			return event{}, err
		}
		if err := r.payload(h); err != nil {
			return event{}, err
		}
		if h.fin {
			e := event{op: r.open, payload: r.message}
			r.open, r.message, r.seen = opContinue, nil, 0
			return e, nil
		}
	}
}

// header consumes and checks a frame header.
func (r *reader) header() (header, error) {
	b, err := r.in.need(2)
	if err != nil {
		return header{}, err
	}
	h := header{op: opcode(b[0] & opBits), fin: b[0]&finBit != 0, length: int(b[1] & lenBits)}
	switch {
	case b[0]&rsvBits != 0 || h.op > opBinary && h.op < opClose || h.op > opPong:
		return header{}, errReserved
	case b[1]&maskBit == 0:
		return header{}, errUnmasked
	case h.op.isControl() && (!h.fin || h.length > maxControl):
		return header{}, errControl
	}
	size := 2 + 4
	switch h.length {
	case len16:
		size += 2
	case len64:
		size += 8
	}
	if b, err = r.in.need(size); err != nil {
		return header{}, err
	}
	switch h.length {
	case len16:
		h.length = int(binary.BigEndian.Uint16(b[2:]))
	case len64:
		n := binary.BigEndian.Uint64(b[2:])
		if n > math.MaxInt64 {
			return header{}, errLength
		}
		h.length = int(min(n, math.MaxInt)) // beyond the limit either way
	}
	h.key = binary.LittleEndian.Uint32(b[size-4:])
	r.in.drop(size)
	return h, nil
}

// control consumes the payload of a control frame.
func (r *reader) control(h header) (event, error) {
	b, err := r.in.need(h.length)
	if err != nil {
		return event{}, err
	}
	unmask(b, h.key)
	r.in.drop(h.length)
	return event{op: h.op, payload: b}, nil
}

// begin places a data frame in the message it belongs to.
func (r *reader) begin(h header) error {
	if (h.op == opContinue) == (r.open == opContinue) {
		return errSequence
	}
	if h.op != opContinue {
		r.open = h.op
	}
	if h.length > r.max-r.seen {
		return errTooBig
	}
	r.seen += h.length
	return nil
}

// payload consumes the payload of a data frame.
func (r *reader) payload(h header) error {
	if r.open == opText {
		return r.in.skip(h.length)
	}
	limit := h.length // the whole message: no byte more than that
	if !h.fin || h.op == opContinue {
		limit = r.max
	}
	before := len(r.message)
	var err error
	if r.message, err = r.in.appendTo(r.message, h.length, limit); err != nil {
		return err
	}
	unmask(r.message[before:], h.key)
	return nil
}
