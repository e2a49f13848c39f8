package value_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Slow and obvious twins of the package's functions, over decoded values.

// oracleNumber returns v as an exact number; ok is false if it is none. NaN has
// no exact value: it is nil.
func oracleNumber(v any) (f *big.Float, ok bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Float).SetPrec(200).SetInt64(v), true
	case uint64:
		return new(big.Float).SetPrec(200).SetUint64(v), true
	case float64:
		if math.IsNaN(v) {
			return nil, true
		}
		return new(big.Float).SetPrec(200).SetFloat64(v), true
	}
	return nil, false
}

func oracleCompareNumbers(a, b *big.Float) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Cmp(b)
}

func oracleEqual(a, b any) bool {
	if x, ok := oracleNumber(a); ok {
		y, ok := oracleNumber(b)
		return ok && oracleCompareNumbers(x, y) == 0
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		y, ok := b.(bool)
		return ok && a == y
	case string:
		y, ok := b.(string)
		return ok && a == y
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(a, y)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(a, y, oracleEqual)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(a) != len(y) {
			return false
		}
		for k := range a {
			if e, there := y[k]; !there || !oracleEqual(a[k], e) {
				return false
			}
		}
		return true
	}
	return false
}

func oracleRank(v any) int {
	switch v.(type) {
	case bool:
		return 0
	case int64, uint64, float64:
		return 1
	case string:
		return 2
	case nil:
		return 4
	}
	return 3
}

// oracleLookup follows the longest key that begins the path.
func oracleLookup(v any, path string) (any, bool) {
	segments := strings.Split(path, ".")
	switch v := v.(type) {
	case map[string]any:
		for n := len(segments); n > 0; n-- {
			field, ok := v[strings.Join(segments[:n], ".")]
			if !ok {
				continue
			}
			if n == len(segments) {
				return field, true
			}
			return oracleLookup(field, strings.Join(segments[n:], "."))
		}
	case []any:
		for i := range v {
			if segments[0] != strconv.Itoa(i) {
				continue
			}
			if len(segments) == 1 {
				return v[i], true
			}
			return oracleLookup(v[i], strings.Join(segments[1:], "."))
		}
	}
	return nil, false
}

// oracleText writes an ECMAScript number from its shortest decimal digits.
func oracleText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case f == 0:
		return "0"
	case f < 0:
		return "-" + oracleText(-f)
	case math.IsInf(f, 1):
		return "Infinity"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	digits := strings.ReplaceAll(mantissa, ".", "")
	e, _ := strconv.Atoi(exponent)
	k, n := len(digits), e+1
	switch { // the cases of Number::toString, in its order
	case k <= n && n <= 21:
		return digits + strings.Repeat("0", n-k)
	case 0 < n && n <= 21:
		return digits[:n] + "." + digits[n:]
	case -6 < n && n <= 0:
		return "0." + strings.Repeat("0", -n) + digits
	}
	sign := "+"
	if n-1 < 0 {
		sign = "-"
	}
	if k > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return digits + "e" + sign + strconv.Itoa(max(n-1, 1-n))
}

func oracleFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	}
	return v.(float64)
}

func oracleSort(keys []string) []string {
	slices.SortFunc(keys, func(a, b string) int {
		return slices.CompareFunc(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)), cmp.Compare[uint16])
	})
	return keys
}

// oracleCanonical is V of the data model, JSON.stringify with its key list.
func oracleCanonical(v any) string {
	switch v := v.(type) {
	case nil, bool:
		return oracleJSON(v, nil)
	case int64, uint64, float64:
		return oracleText(oracleFloat(v))
	case string:
		return v
	}
	return oracleJSON(v, oracleKeys(v))
}

// oracleKeys is Object.keys(v).sort().
func oracleKeys(v any) []string {
	var keys []string
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			keys = append(keys, k)
		}
	case []any:
		for i := range v {
			keys = append(keys, strconv.Itoa(i))
		}
	case []byte:
		for i := range v {
			keys = append(keys, strconv.Itoa(i))
		}
	}
	return oracleSort(keys)
}

func oracleJSON(v any, list []string) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64, uint64, float64:
		f := oracleFloat(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "null"
		}
		return oracleText(f)
	case string:
		return oracleQuote(v)
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, oracleJSON(e, list))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case []byte:
		fields := map[string]any{}
		for i, c := range v {
			fields[strconv.Itoa(i)] = int64(c)
		}
		return oracleJSON(fields, list)
	case map[string]any:
		var parts []string
		for _, k := range list {
			if e, ok := v[k]; ok {
				parts = append(parts, oracleQuote(k)+":"+oracleJSON(e, list))
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "{}"
}

func oracleQuote(s string) string {
	short := map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`}
	var out strings.Builder
	out.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		switch {
		case short[c] != "":
			out.WriteString(short[c])
		case c < 0x20:
			fmt.Fprintf(&out, `\u%04x`, c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}
