package value

import (
	"math"
	"strconv"
)

// keyScratch holds the text of any key that is not a string.
const keyScratch = 32

// parseKey returns the name of the map key at the start of b and the size of
// its encoding; size is 0 if there is no complete value.
//
// Keys are strings. Where a peer wrote a number, a boolean or nil, the key is
// the text that JavaScript makes of it, written to scratch. Other kinds have no
// name: name is nil and nothing in this package sees their entry.
func parseKey(b, scratch []byte) (name []byte, size int) {
	h, err := header(b)
	if err != nil {
		return nil, 0
	}
	switch h.kind {
	case KindStr:
		return b[h.body:h.end():h.end()], h.end()
	case KindNil, KindBool, KindInt, KindFloat:
		return appendScalar(scratch, b[:h.end()]), h.end()
	}
	size, err = Next(b)
	if err != nil {
		return nil, 0
	}
	return nil, size
}

// shortKey is parseKey for strings of less than 32 bytes; size is 0 for others.
func shortKey(b []byte) (name []byte, size int) {
	if len(b) == 0 || b[0]&0xe0 != 0xa0 {
		return nil, 0
	}
	size = 1 + int(b[0]&0x1f)
	if size > len(b) {
		return nil, 0
	}
	return b[1:size], size
}

// appendScalar appends the text of a nil, boolean or number as JavaScript's
// String function writes it.
func appendScalar(dst, b []byte) []byte {
	switch b[0] {
	case leadNil:
		return append(dst, "null"...)
	case leadTrue:
		return append(dst, "true"...)
	case leadFalse:
		return append(dst, "false"...)
	}
	n, _, _ := parseNumber(b)
	return n.appendText(dst)
}

// index parses a decimal array index: digits without sign or leading zeros.
func index[T []byte | string](s T) (int, bool) {
	if len(s) == 0 || len(s) > 9 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// appendText appends the number as ECMAScript's Number::toString writes it.
// Integers beyond ±2⁵³ are rounded first, as a JavaScript peer rounds them when
// it reads them.
func (n number) appendText(dst []byte) []byte {
	f := n.float64()
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f >= -maxExact && f <= maxExact && f == float64(int64(f)):
		return strconv.AppendInt(dst, int64(f), 10) // also -0, which is written 0
	case f >= 1e21 || f <= -1e21 || (f < 1e-6 && f > -1e-6):
		return appendExponent(dst, f)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendExponent appends f with an exponent that is not padded: 1e-7, 1e+21.
func appendExponent(dst []byte, f float64) []byte {
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
