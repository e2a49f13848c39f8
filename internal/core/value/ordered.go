package value

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The first byte of an ordered encoding: the ranks of Compare, with room between
// them. No encoding is the beginning of another.
const (
	orderedBool    = 0x10
	orderedNumber  = 0x20
	orderedStr     = 0x30
	orderedOther   = 0x40
	orderedMissing = 0x50
)

// What follows a zero byte of a text: it is a zero, the text ends, or it was cut.
const (
	orderedZero = 0xff
	orderedEnd  = 0x01
	orderedCut  = 0x02
)

// AppendOrdered appends an encoding of v whose bytes compare as Compare compares
// the values; equal values have equal encodings, and no encoding is the
// beginning of another, so encodings may follow each other. Of a string or
// container longer than limit bytes only the beginning is encoded: whole is
// false then, and it is equal to that of all others with this beginning.
func AppendOrdered(dst []byte, v Raw, limit int) (out []byte, whole bool) {
	switch rank(v.Kind()) {
	case rankBool:
		return append(dst, orderedBool, v[0]), true
	case rankNumber:
		n, _, _ := parseNumber(v)
		return n.appendOrdered(append(dst, orderedNumber)), true
	case rankStr:
		return appendOrderedText(append(dst, orderedStr), str(v), limit)
	case rankOther:
		return appendOrderedText(append(dst, orderedOther), AppendNormal(nil, v), limit)
	default:
		return append(dst, orderedMissing), true
	}
}

// AppendOrderedPrefix appends what the ordered encodings of all strings that
// begin with s begin with, as far as limit lets them tell.
func AppendOrderedPrefix(dst []byte, s string, limit int) []byte {
	dst = append(dst, orderedStr)
	return appendOrderedBytes(dst, []byte(s[:min(len(s), limit)]))
}

// OrderedLen is the length of the ordered encoding that b begins with, 0 if it
// begins with none.
func OrderedLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case orderedBool:
		return within(2, b)
	case orderedNumber:
		if len(b) > 1 && b[1] == 0 {
			return 2
		}
		return within(12, b)
	case orderedMissing:
		return 1
	case orderedStr, orderedOther:
		for i := 1; i+1 < len(b); i++ {
			if b[i] != 0 {
				continue
			}
			if i++; b[i] != orderedZero {
				return i + 1
			}
		}
	}
	return 0
}

func within(n int, b []byte) int {
	if n > len(b) {
		return 0
	}
	return n
}

func appendOrderedText(dst, text []byte, limit int) ([]byte, bool) {
	if len(text) > limit {
		return append(appendOrderedBytes(dst, text[:limit]), 0, orderedCut), false
	}
	return append(appendOrderedBytes(dst, text), 0, orderedEnd), true
}

func appendOrderedBytes(dst, text []byte) []byte {
	for _, c := range text {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, orderedZero)
		}
	}
	return dst
}

// appendOrdered writes a number as the greatest float that is not above it, in
// the order of floats, and by how much the number is above that: 0 but for
// integers beyond 2^53.
func (n number) appendOrdered(dst []byte) []byte {
	var f float64
	var above uint64
	switch {
	case n.form == formFloat:
		f = math.Float64frombits(n.bits)
	case n.form == formInt && int64(n.bits) < 0:
		f, above = floorNegative(-n.bits)
	default:
		f, above = floorPositive(n.bits)
	}
	if math.IsNaN(f) {
		return append(dst, 0)
	}
	if f == 0 {
		f = 0 // not -0
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		b = ^b
	} else {
		b |= 1 << 63
	}
	dst = binary.BigEndian.AppendUint64(append(dst, 1), b)
	return binary.BigEndian.AppendUint16(dst, uint16(above))
}

// spare is how many low bits of m a float64 has no room for.
func spare(m uint64) int { return max(bits.Len64(m)-53, 0) }

func floorPositive(m uint64) (f float64, above uint64) {
	above = m & (1<<spare(m) - 1)
	return float64(m - above), above
}

// floorNegative is the floor of -m.
func floorNegative(m uint64) (f float64, above uint64) {
	step := uint64(1) << spare(m)
	low := m & (step - 1)
	if low == 0 {
		return -float64(m), 0
	}
	return -float64(m - low + step), step - low
}
