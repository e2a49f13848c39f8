package value

import (
	"encoding/binary"
	"errors"
)

// MaxDepth is how many containers may be open around a value. A scalar has
// depth 0, an empty array depth 1.
const MaxDepth = 256

// What can be wrong with encoded bytes.
var (
	// ErrShort means that the bytes end inside a value, or that a container
	// declares more elements than there are bytes left for.
	ErrShort = errors.New("value: bytes end inside a value")
	// ErrFormat means the lead byte 0xc1, which no value starts with.
	ErrFormat = errors.New("value: not a MessagePack value")
	// ErrDepth means more than MaxDepth nested containers.
	ErrDepth = errors.New("value: nested too deep")
	// ErrTrailing means that bytes follow where one value was expected.
	ErrTrailing = errors.New("value: bytes follow the value")
)

// Raw is exactly one encoded value. A nil Raw means that there is none, which
// most functions treat like an encoded nil.
type Raw []byte

// Kind returns the kind of the value, KindInvalid for an empty Raw.
func (v Raw) Kind() Kind { return KindOf(v) }

// head is the decoded start of one value.
type head struct {
	kind Kind
	body int // offset of the payload; for nil, bools and numbers the end of the value
	n    int // bytes of a string, binary or extension; elements of an array; pairs of a map
}

// header decodes the start of the first value of b and checks that all of its
// own bytes, and at least one byte for each element below it, are there.
func header(b []byte) (head, error) {
	if len(b) == 0 {
		return head{}, ErrShort
	}
	l := &leads[b[0]]
	h := head{kind: l.kind, body: int(l.fixed), n: int(l.count)}
	if len(b) < h.body {
		return head{}, ErrShort
	}
	switch l.width {
	case 1:
		h.n = int(b[1])
	case 2:
		h.n = int(binary.BigEndian.Uint16(b[1:]))
	case 4:
		h.n = int(binary.BigEndian.Uint32(b[1:]))
	}
	need := uint64(h.n) // 64 bits so that doubling a map's count cannot wrap
	switch l.kind {
	case KindInvalid:
		return head{}, ErrFormat
	case KindMap:
		need *= 2
	}
	if need > uint64(len(b)-h.body) {
		return head{}, ErrShort
	}
	return h, nil
}

// children returns how many values lie directly below a container, and whether
// the value is a container.
func (h head) children() (n int, container bool) {
	switch h.kind {
	case KindArray:
		return h.n, true
	case KindMap:
		return 2 * h.n, true
	}
	return 0, false
}

// end returns the offset behind a value that is not a container.
func (h head) end() int { return h.body + h.n }

// shallow is the nesting that Next follows with a small stack frame. Deeper
// values, which are rare, are walked again from the start with a large one.
const shallow = 16

// Next returns the length of the first value of b. It reads every header below
// it, so a nil error also means that the value is complete, well formed and not
// deeper than MaxDepth. It neither recurses nor allocates.
//
// The error is ErrShort, ErrFormat or ErrDepth.
func Next(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, ErrShort
	}
	if n = int(sizes[b[0]]); n != 0 {
		if n > len(b) {
			return 0, ErrShort
		}
		return n, nil
	}
	return next(b)
}

// next is Next for values that have a length field or elements.
func next(b []byte) (n int, err error) {
	var open [shallow]int
	n, err = walk(b, open[:])
	if err == ErrDepth { //nolint:errorlint // our own sentinel, returned bare by walk
		var deep [MaxDepth]int
		n, err = walk(b, deep[:])
	}
	return n, err
}

// walk finds the end of the first value of b. open holds, per container that
// is open, how many of its elements are still to come once the current
// container has ended; its length bounds the depth.
func walk(b []byte, open []int) (int, error) {
	pos, left, depth := 0, 1, 0
	for {
		for left == 0 {
			if depth == 0 {
				return pos, nil
			}
			depth--
			left = open[depth]
		}
		left--
		if uint(pos) >= uint(len(b)) {
			return 0, ErrShort
		}
		if size := int(sizes[b[pos]]); size != 0 {
			if pos += size; pos > len(b) {
				return 0, ErrShort
			}
			continue
		}
		h, err := header(b[pos:])
		if err != nil {
			return 0, err
		}
		n, container := h.children()
		if !container {
			pos += h.end()
			continue
		}
		if depth == len(open) {
			return 0, ErrDepth
		}
		open[depth] = left
		depth++
		left = n
		pos += h.body
	}
}

// Check reports whether b is exactly one well-formed value: nil, or an error of
// Next, or ErrTrailing.
func Check(b []byte) error {
	n, err := Next(b)
	if err == nil && n != len(b) {
		return ErrTrailing
	}
	return err
}
