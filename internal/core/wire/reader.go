package wire

import (
	"encoding/binary"
	"errors"
	"math"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// reader is a value.Reader with short cuts for the forms that clients send most:
// short strings, small maps, small integers and whole floats. Every other form
// goes to a value.Reader, which also decides what is an error.
type reader struct {
	frame []byte // the whole input
	b     []byte // the same, nil after a failure so that no short cut applies
	pos   int
	err   error

	admitted bool // the depth of the whole input was checked
}

func newReader(frame []byte) reader { return reader{frame: frame, b: frame} }

// Err returns the first failure.
func (r *reader) Err() error { return r.err }

// Fail makes err the failure if there is none yet.
func (r *reader) Fail(err error) {
	if r.err == nil {
		r.err = err
		r.b = nil
	}
}

// back forgets the failure and returns to a position.
func (r *reader) back(pos int) { r.b, r.pos, r.err = r.frame, pos, nil }

// left is the number of bytes not yet read, 0 after a failure.
func (r *reader) left() int { return max(len(r.b)-r.pos, 0) }

// slow returns a value.Reader at the current position, or at the end of nothing
// after a failure.
func (r *reader) slow() value.Reader {
	if r.err != nil {
		return value.NewReader(nil)
	}
	return value.NewReader(r.b[r.pos:])
}

// join takes over position and failure of a reader that slow returned.
func (r *reader) join(s *value.Reader) {
	if err := s.Err(); err != nil {
		r.Fail(err)
		return
	}
	r.pos = len(r.b) - len(s.Rest())
}

// Kind returns the kind of the next value.
func (r *reader) Kind() value.Kind {
	if r.pos < len(r.b) {
		return value.KindOf(r.b[r.pos:])
	}
	return value.KindInvalid
}

// Str reads a string and returns a view of it.
func (r *reader) Str() string {
	if r.pos < len(r.b) {
		lead := r.b[r.pos]
		n, at := int(lead&0x1f), r.pos+1
		switch {
		case lead&0xe0 == 0xa0:
		case lead == 0xd9 && at < len(r.b):
			n, at = int(r.b[at]), at+1
		default:
			return r.slowStr()
		}
		if n <= len(r.b)-at {
			r.pos = at + n
			return unsafe.String(unsafe.SliceData(r.b[at:]), n)
		}
	}
	return r.slowStr()
}

func (r *reader) slowStr() string {
	s := r.slow()
	v := s.Str()
	r.join(&s)
	return v
}

// MapHeader reads the header of a map and returns the number of its pairs, for
// each of which at least two bytes follow.
func (r *reader) MapHeader() int {
	if r.pos < len(r.b) {
		lead := r.b[r.pos]
		n, at := int(lead&0x0f), r.pos+1
		switch {
		case lead&0xf0 == 0x80:
		case lead == 0xde && len(r.b)-at >= 2:
			n, at = int(binary.BigEndian.Uint16(r.b[at:])), at+2
		default:
			return r.slowMapHeader()
		}
		if 2*n <= len(r.b)-at {
			r.pos = at
			return n
		}
	}
	return r.slowMapHeader()
}

func (r *reader) slowMapHeader() int {
	s := r.slow()
	n := s.MapHeader()
	r.join(&s)
	return n
}

// ArrayHeader reads the header of an array and returns the number of its
// elements, for each of which at least one byte follows.
func (r *reader) ArrayHeader() int {
	s := r.slow()
	n := s.ArrayHeader()
	r.join(&s)
	return n
}

// Nil reads a nil if one is next and reports whether it did.
func (r *reader) Nil() bool {
	if r.pos < len(r.b) && r.b[r.pos] == 0xc0 {
		r.pos++
		return true
	}
	return false
}

// Bool reads a boolean.
func (r *reader) Bool() bool {
	s := r.slow()
	v := s.Bool()
	r.join(&s)
	return v
}

// Int reads an integer of any form, or a whole float within ±2⁵³.
func (r *reader) Int() int64 {
	if r.pos < len(r.b) {
		switch lead := r.b[r.pos]; {
		case lead <= 0x7f:
			r.pos++
			return int64(lead)
		case lead == 0xcb && len(r.b)-r.pos >= 9:
			f := math.Float64frombits(binary.BigEndian.Uint64(r.b[r.pos+1:]))
			if v := int64(f); float64(v) == f && f >= 0 && f <= 1<<53 {
				r.pos += 9
				return v
			}
		}
	}
	s := r.slow()
	v := s.Int()
	r.join(&s)
	return v
}

// Float reads a number of any form.
func (r *reader) Float() float64 {
	s := r.slow()
	v := s.Float()
	r.join(&s)
	return v
}

// Bytes reads a binary, a string or an index map.
func (r *reader) Bytes() []byte {
	s := r.slow()
	v := s.Bytes()
	r.join(&s)
	return v
}

// Raw reads one value of any kind and returns its bytes in place.
func (r *reader) Raw() value.Raw {
	start := r.pos
	r.Skip()
	if r.err != nil {
		return nil
	}
	return value.Raw(r.b[start:r.pos:r.pos])
}

// Skip reads one value of any kind.
func (r *reader) Skip() {
	if r.pos < len(r.b) {
		if lead := r.b[r.pos]; lead <= 0x7f || lead == 0xc2 || lead == 0xc3 {
			r.pos++
			return
		}
	}
	r.slowSkip()
}

func (r *reader) slowSkip() {
	if r.err != nil {
		return
	}
	n, err := value.Next(r.b[r.pos:])
	if err != nil {
		r.Fail(err)
		return
	}
	if n > deepest && !r.admitted {
		r.admit()
	}
	r.pos += n
}

// deepest is a number of bytes that are too few to nest beyond value.MaxDepth
// below the objects of a message, of which the generator allows maxNesting.
const (
	deepest    = value.MaxDepth - maxNesting
	maxNesting = 8
)

// admit checks the depth of the input as a whole, once. value.Next bounds the
// depth of a value from where it starts; one of more than a certain length can
// be deeper than that together with what is around it.
func (r *reader) admit() {
	if _, err := value.Next(r.frame); err != nil {
		r.Fail(err)
		return
	}
	r.admitted = true
}

// structural reports whether err means that the input is not one well-formed
// value, rather than that a value in it is not what was wanted.
func structural(err error) bool {
	return errors.Is(err, value.ErrShort) || errors.Is(err, value.ErrFormat) ||
		errors.Is(err, value.ErrDepth) || errors.Is(err, value.ErrTrailing)
}
