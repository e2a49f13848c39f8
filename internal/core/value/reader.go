package value

import (
	"errors"
	"fmt"
	"unsafe"
)

// What can be wrong with a well-formed value that a Reader was asked for.
var (
	// ErrKind means a value of another kind than the one that was asked for.
	ErrKind = errors.New("value: unexpected kind")
	// ErrRange means a number that does not fit the type that was asked for.
	ErrRange = errors.New("value: number out of range")
)

// ReadError says where a Reader stopped and what it was looking for.
type ReadError struct {
	Offset int    // bytes from the start of the input to the value
	Want   string // what was asked for
	Got    Kind   // what lies there
	Err    error  // ErrShort, ErrFormat, ErrDepth, ErrKind or ErrRange
}

// Error describes the place and the reason.
func (e *ReadError) Error() string {
	return fmt.Sprintf("%v: want %s, got %s at offset %d", e.Err, e.Want, e.Got, e.Offset)
}

// Unwrap returns the sentinel of this package.
func (e *ReadError) Unwrap() error { return e.Err }

// Reader decodes values one after the other. The first failure sticks: from
// then on every method returns a zero value and Err says what happened, so a
// caller may decode a whole message and ask once at the end. A loop over a
// declared count stays bounded by the input even then, because headers are
// checked against the bytes that remain.
//
// A Reader is a plain value; copying it forks the position. It never allocates
// except in Bytes for one form and to describe a failure. What it returns
// aliases the input.
type Reader struct {
	b   []byte
	pos int
	err error
}

// NewReader returns a Reader at the start of b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err returns the first failure, a *ReadError unless it was set by Fail.
func (r *Reader) Err() error { return r.err }

// Fail makes err the Reader's failure if it has none yet.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// More reports whether there are bytes left and nothing failed.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.b) }

// Rest returns the bytes not yet read, nil after a failure.
func (r *Reader) Rest() []byte {
	if r.err != nil {
		return nil
	}
	return r.b[r.pos:]
}

// Kind returns the kind of the next value without consuming it, KindInvalid at
// the end or after a failure.
func (r *Reader) Kind() Kind { return KindOf(r.Rest()) }

func (r *Reader) fail(want string, err error) {
	if r.err == nil {
		r.err = &ReadError{Offset: r.pos, Want: want, Got: r.Kind(), Err: err}
	}
}

// head decodes the next header and requires one kind. ok is false, and the
// failure recorded, if it is of another kind or cannot be complete.
func (r *Reader) head(kind Kind) (h head, ok bool) {
	if r.err != nil {
		return head{}, false
	}
	h, err := header(r.b[r.pos:])
	if err == nil && h.kind != kind {
		err = ErrKind
	}
	if err != nil {
		r.fail(kind.String(), err)
		return head{}, false
	}
	return h, true
}

// MapHeader consumes the header of a map and returns its number of pairs. It
// fails if fewer than two bytes per pair remain.
func (r *Reader) MapHeader() int {
	h, _ := r.head(KindMap)
	r.pos += h.body
	return h.n
}

// ArrayHeader consumes the header of an array and returns its number of
// elements. It fails if fewer than one byte per element remains.
func (r *Reader) ArrayHeader() int {
	h, _ := r.head(KindArray)
	r.pos += h.body
	return h.n
}

// Str consumes a string and returns a view of it.
func (r *Reader) Str() string { return view(r.StrBytes()) }

// StrBytes consumes a string and returns its bytes in place, which must not be
// modified.
func (r *Reader) StrBytes() []byte {
	h, ok := r.head(KindStr)
	if !ok {
		return nil
	}
	s := r.b[r.pos+h.body : r.pos+h.end() : r.pos+h.end()]
	r.pos += h.end()
	return s
}

// Bool consumes a boolean.
func (r *Reader) Bool() bool {
	h, ok := r.head(KindBool)
	if !ok {
		return false
	}
	v := r.b[r.pos] == leadTrue
	r.pos += h.body
	return v
}

// Nil consumes a nil if one is next and reports whether it did. Anything else
// stays where it is and is no failure.
func (r *Reader) Nil() bool {
	if r.Kind() != KindNil {
		return false
	}
	r.pos++
	return true
}

// Int consumes an integer of any form, or a float without a fraction within
// ±2⁵³. Larger numbers fail with ErrRange, other floats with ErrKind.
func (r *Reader) Int() int64 {
	n, size := r.number("int")
	if size == 0 {
		return 0
	}
	v, err := n.int64()
	if err != nil {
		r.fail("int", err)
		return 0
	}
	r.pos += size
	return v
}

// Float consumes a number of any form. Integers beyond ±2⁵³ are rounded.
func (r *Reader) Float() float64 {
	n, size := r.number("number")
	r.pos += size
	return n.float64()
}

// number decodes the next value as a number without consuming it. size is 0
// after a failure.
func (r *Reader) number(want string) (n number, size int) {
	if r.err != nil {
		return number{}, 0
	}
	n, size, ok := parseNumber(r.b[r.pos:])
	if !ok {
		_, err := header(r.b[r.pos:])
		if err == nil {
			err = ErrKind
		}
		r.fail(want, err)
		return number{}, 0
	}
	return n, size
}

// Raw consumes one value of any kind and returns its bytes in place.
func (r *Reader) Raw() Raw {
	if r.err != nil {
		return nil
	}
	n, err := Next(r.b[r.pos:])
	if err != nil {
		r.fail("value", err)
		return nil
	}
	v := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return v
}

// Skip consumes one value of any kind.
func (r *Reader) Skip() { r.Raw() }

// view returns b as a string without copying. b must not change afterwards.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
