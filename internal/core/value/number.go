package value

import (
	"encoding/binary"
	"math"
)

// number is a decoded number of any form, compared exactly with any other.
type number struct {
	form numberForm
	bits uint64 // the integer's two's complement, or the float64's bits
}

type numberForm uint8

const (
	formInt   numberForm = iota // bits is an int64
	formBig                     // bits is a uint64 above the range of int64
	formFloat                   // bits is a float64
)

func intNumber(v int64) number { return number{formInt, uint64(v)} }

func uintNumber(v uint64) number {
	if v > math.MaxInt64 {
		return number{formBig, v}
	}
	return number{formInt, v}
}

func floatNumber(v float64) number { return number{formFloat, math.Float64bits(v)} }

// parseNumber decodes the number at the start of b and returns its size in
// bytes. ok is false if there is no complete number.
func parseNumber(b []byte) (n number, size int, ok bool) {
	if len(b) == 0 {
		return number{}, 0, false
	}
	l := &leads[b[0]]
	size = int(l.fixed)
	if !l.kind.Number() || len(b) < size {
		return number{}, 0, false
	}
	switch b[0] {
	case leadFloat4:
		return floatNumber(float64(math.Float32frombits(binary.BigEndian.Uint32(b[1:])))), size, true
	case leadFloat8:
		return number{formFloat, binary.BigEndian.Uint64(b[1:])}, size, true
	case leadUint8:
		return intNumber(int64(b[1])), size, true
	case leadUint16:
		return intNumber(int64(binary.BigEndian.Uint16(b[1:]))), size, true
	case leadUint32:
		return intNumber(int64(binary.BigEndian.Uint32(b[1:]))), size, true
	case leadUint64:
		return uintNumber(binary.BigEndian.Uint64(b[1:])), size, true
	case leadInt8:
		return intNumber(int64(int8(b[1]))), size, true
	case leadInt16:
		return intNumber(int64(int16(binary.BigEndian.Uint16(b[1:])))), size, true
	case leadInt32:
		return intNumber(int64(int32(binary.BigEndian.Uint32(b[1:])))), size, true
	case leadInt64:
		return intNumber(int64(binary.BigEndian.Uint64(b[1:]))), size, true
	}
	return intNumber(int64(int8(b[0]))), size, true // positive and negative fixint
}

// int64 returns the number as an integer. A float must be whole and within
// ±2⁵³; a fraction is ErrKind, a magnitude that does not fit is ErrRange.
func (n number) int64() (int64, error) {
	switch n.form {
	case formInt:
		return int64(n.bits), nil
	case formBig:
		return 0, ErrRange
	}
	f := math.Float64frombits(n.bits)
	switch {
	case f != math.Trunc(f): // also NaN
		return 0, ErrKind
	case math.Abs(f) > maxExact:
		return 0, ErrRange
	}
	return int64(f), nil
}

// float64 returns the nearest float64.
func (n number) float64() float64 {
	switch n.form {
	case formInt:
		return float64(int64(n.bits))
	case formBig:
		return float64(n.bits)
	}
	return math.Float64frombits(n.bits)
}

// compareNumbers orders numbers by their exact mathematical value, whatever
// their form: -0 equals 0, all NaN are equal and come before everything else.
func compareNumbers(a, b number) int {
	if a.form > b.form {
		return -compareNumbers(b, a)
	}
	switch {
	case b.form == formFloat && a.form == formFloat:
		return compareFloats(math.Float64frombits(a.bits), math.Float64frombits(b.bits))
	case b.form == formFloat:
		return compareIntFloat(a, math.Float64frombits(b.bits))
	case b.form == formBig && a.form == formInt:
		return -1
	case b.form == formBig:
		return order(a.bits, b.bits)
	}
	return order(int64(a.bits), int64(b.bits))
}

// compareIntFloat compares an integer with a float exactly. Where the nearest
// float of the integer differs from f, rounding kept the order; where it is the
// same, f is whole and small enough to be compared as an integer.
func compareIntFloat(n number, f float64) int {
	if c := compareFloats(n.float64(), f); c != 0 {
		return c
	}
	if n.form == formBig {
		if f >= 1<<64 {
			return -1
		}
		return order(n.bits, uint64(f))
	}
	if f >= 1<<63 {
		return -1
	}
	return order(int64(n.bits), int64(f))
}

// compareFloats orders floats with NaN first.
func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return order(boolInt(!math.IsNaN(a)), boolInt(!math.IsNaN(b)))
}

func order[T int | int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func boolInt(v bool) int {
	if v {
		return 1
	}
	return 0
}
