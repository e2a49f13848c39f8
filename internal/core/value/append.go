package value

import (
	"encoding/binary"
	"math"
)

// maxExact is the largest magnitude up to which every integer has a float64 of
// its own, and the limit of what JavaScript peers handle as integers.
const maxExact = 1 << 53

// The Append functions add one encoded value, or the header of one, to dst and
// return the extended slice. Integers and lengths take their shortest form.
// Lengths and counts must lie in 0..2³²-1, which the size limits of frames and
// records keep far away.

// AppendNil appends nil.
func AppendNil(dst []byte) []byte { return append(dst, leadNil) }

// AppendBool appends true or false.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, leadTrue)
	}
	return append(dst, leadFalse)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0:
		return AppendUint(dst, uint64(v))
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, leadInt8, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, leadInt16), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, leadInt32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, leadInt64), uint64(v))
}

// AppendUint appends an integer that is not negative.
func AppendUint(dst []byte, v uint64) []byte {
	switch {
	case v <= 0x7f:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, leadUint8, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, leadUint16), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, leadUint32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, leadUint64), v)
}

// AppendFloat appends a float64, whatever its value.
func AppendFloat(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, leadFloat8), math.Float64bits(v))
}

// AppendNumber appends v as an integer if it is one within ±2⁵³ (negative zero
// becomes 0), else as a float64.
func AppendNumber(dst []byte, v float64) []byte {
	if math.Abs(v) <= maxExact && v == math.Trunc(v) {
		return AppendInt(dst, int64(v))
	}
	return AppendFloat(dst, v)
}

// AppendStr appends a string.
func AppendStr(dst []byte, s string) []byte {
	switch n := len(s); {
	case n <= 31:
		dst = append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, leadStr8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, leadStr16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, leadStr32), uint32(n))
	}
	return append(dst, s...)
}

// AppendBin appends a byte string.
func AppendBin(dst, v []byte) []byte {
	switch n := len(v); {
	case n <= math.MaxUint8:
		dst = append(dst, leadBin8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, leadBin16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, leadBin32), uint32(n))
	}
	return append(dst, v...)
}

// AppendArray appends the header of an array; n values must follow.
func AppendArray(dst []byte, n int) []byte {
	switch {
	case n <= 15:
		return append(dst, 0x90|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, leadArr16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, leadArr32), uint32(n))
}

// AppendMap appends the header of a map; n pairs of key and value must follow.
func AppendMap(dst []byte, n int) []byte {
	switch {
	case n <= 15:
		return append(dst, 0x80|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, leadMap16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, leadMap32), uint32(n))
}
