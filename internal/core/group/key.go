package group

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// key writes the values of a group so that no two groups have the same.
func (s *Set) key(id string) string {
	var b []byte
	r := value.NewReader([]byte(id))
	for i := range s.how.by {
		if i > 0 {
			b = append(b, '|')
		}
		b = AppendKey(b, r.Raw())
	}
	return string(b)
}

// AppendKey writes one value in its normal form, as it stands in a key. A string is written as it is
// unless it could be taken for something else.
func AppendKey(dst []byte, v value.Raw) []byte {
	switch v.Kind() {
	case value.KindStr:
		r := value.NewReader(v)
		s := r.Str()
		if plain(s) {
			return append(dst, s...)
		}
		return value.AppendQuoted(dst, s)
	case value.KindInt: // JavaScript would round those beyond 2^53
		if n, ok := v.Any().(uint64); ok {
			return strconv.AppendUint(dst, n, 10)
		}
		r := value.NewReader(v)
		return strconv.AppendInt(dst, r.Int(), 10)
	case value.KindNil, value.KindBool, value.KindFloat:
		return value.AppendCanonical(dst, v)
	default:
		sum := sha256.Sum256(v)
		return hex.AppendEncode(append(value.AppendCanonical(dst, v), '#'), sum[:8])
	}
}

// plain reports whether a string is not mistaken for anything else.
func plain(s string) bool {
	if s == "" || strings.ContainsAny(s, "|") || strings.ContainsRune(`"[{`, rune(s[0])) {
		return false
	}
	switch s {
	case "null", "true", "false", "NaN", "Infinity", "-Infinity":
		return false
	}
	if s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err != nil
}
