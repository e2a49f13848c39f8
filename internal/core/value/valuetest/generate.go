// Package valuetest makes random values for the tests of packages that work on
// encoded ones: Go values as Raw.Any returns them, and their many encodings.
package valuetest

import (
	"encoding/binary"
	"math"
	"slices"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Keys are the field names that Any draws from: few enough that documents and
// paths often agree, odd enough to hurt.
var Keys = []string{"a", "b", "c", "a.b", "b.c", "0", "1", "10", "9", "", "é", "～", "😀", "_key"}

// Texts are strings that Scalar often draws.
var Texts = []string{"", "a", "A", "ab", "aBc", "b", "é", "É", "～", "😀", "%", "_", ".", "\"\\\n", "1", "true"}

var numbers = []any{
	int64(0), int64(1), int64(-1), int64(2), int64(127), int64(128), int64(-33), int64(1 << 53), int64(1<<53 + 1),
	int64(math.MaxInt64), int64(math.MinInt64), uint64(math.MaxInt64 + 1), uint64(math.MaxUint64),
	0.0, 1.0, -1.0, 0.5, 1.5, float64(1 << 53), float64(1 << 63), float64(1 << 64), -float64(1 << 63), 1e21, 1e-7, 5e-324,
	math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1),
}

// Scalar draws nil, a boolean, a number, a string or a binary.
func Scalar() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.SampledFrom(numbers),
		rapid.Int64Range(-3, 3).AsAny(),
		rapid.Int64().AsAny(),
		rapid.Float64().AsAny(),
		rapid.SampledFrom(Texts).AsAny(),
		rapid.String().AsAny(),
		rapid.SliceOfN(rapid.Byte(), 0, 20).AsAny(),
	)
}

// Any draws a value with at most depth containers around a scalar.
func Any(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return Scalar()
	}
	return rapid.OneOf(Scalar(), Array(depth).AsAny(), Map(depth).AsAny())
}

// Array draws an array, itself counted in depth.
func Array(depth int) *rapid.Generator[[]any] {
	return rapid.SliceOfN(Any(depth-1), 0, 4)
}

// Map draws a map, itself counted in depth.
func Map(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom(Keys), Any(depth-1), 0, 5)
}

// Encode encodes v in one of its forms: numbers as integers or floats of any
// width that holds them, headers of any width, map entries in any order and
// sometimes with an outdated nil of the same key before them.
func Encode(t *rapid.T, v any) value.Raw { return encode(t, nil, v) }

func encode(t *rapid.T, dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return value.AppendNil(dst)
	case bool:
		return value.AppendBool(dst, v)
	case int64:
		return encodeInt(t, dst, v)
	case uint64:
		return value.AppendUint(dst, v)
	case float64:
		return encodeFloat(t, dst, v)
	case string:
		return append(encodeLength(t, dst, len(v), [3]byte{0xd9, 0xda, 0xdb}), v...)
	case []byte:
		return append(encodeLength(t, dst, len(v), [3]byte{0xc4, 0xc5, 0xc6}), v...)
	case []any:
		dst = encodeCount(t, dst, len(v), 0x90, 0xdc)
		for _, e := range v {
			dst = encode(t, dst, e)
		}
		return dst
	case map[string]any:
		return encodeMap(t, dst, v)
	}
	t.Fatalf("valuetest: no encoding for %T", v)
	return nil
}

func choice(t *rapid.T, n int) int { return rapid.IntRange(0, n-1).Draw(t, "form") }

func encodeInt(t *rapid.T, dst []byte, v int64) []byte {
	switch c := choice(t, 4); {
	case c == 1:
		return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(v))
	case c == 2 && v >= 0:
		return binary.BigEndian.AppendUint64(append(dst, 0xcf), uint64(v))
	case c == 3 && v > -1<<53 && v < 1<<53:
		return value.AppendFloat(dst, float64(v))
	}
	return value.AppendInt(dst, v)
}

func encodeFloat(t *rapid.T, dst []byte, v float64) []byte {
	narrow := float32(v)
	switch c := choice(t, 3); {
	case c == 1 && float64(narrow) == v:
		return binary.BigEndian.AppendUint32(append(dst, 0xca), math.Float32bits(narrow))
	case c == 2:
		return value.AppendNumber(dst, v)
	}
	return value.AppendFloat(dst, v)
}

// encodeLength writes a length field of 8, 16 or 32 bits, wide enough for n.
func encodeLength(t *rapid.T, dst []byte, n int, leads [3]byte) []byte {
	switch c := choice(t, 3); {
	case c == 0 && n <= math.MaxUint8:
		return append(dst, leads[0], byte(n))
	case c <= 1 && n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, leads[1]), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, leads[2]), uint32(n))
}

// encodeCount writes a count as part of the lead byte or in 16 or 32 bits.
func encodeCount(t *rapid.T, dst []byte, n int, fixed, wide byte) []byte {
	switch c := choice(t, 3); {
	case c == 0 && n <= 15:
		return append(dst, fixed|byte(n))
	case c <= 1:
		return binary.BigEndian.AppendUint16(append(dst, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, wide+1), uint32(n))
}

func encodeMap(t *rapid.T, dst []byte, v map[string]any) []byte {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys) // the draw decides the order, not the Go map
	if len(keys) > 1 {
		keys = rapid.Permutation(keys).Draw(t, "order")
	}
	outdated := len(keys) > 0 && choice(t, 4) == 3
	n := len(keys)
	if outdated {
		n++
	}
	dst = encodeCount(t, dst, n, 0x80, 0xde)
	if outdated {
		dst = value.AppendNil(encode(t, dst, keys[len(keys)-1]))
	}
	for _, k := range keys {
		dst = encode(t, encode(t, dst, k), v[k])
	}
	return dst
}
