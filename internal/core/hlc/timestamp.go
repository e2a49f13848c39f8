package hlc

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrSyntax is wrapped by every error of Parse.
var ErrSyntax = errors.New("not a timestamp")

// Timestamp is one point of hybrid time. The zero Timestamp is older than
// every one that a Clock issues.
type Timestamp struct {
	Millis  int64  // since the Unix epoch
	Counter uint32 // orders what happened within the millisecond
	Node    string // who issued it; no ':' in it, lower-case ASCII, digits and '-' by convention
}

// Compare orders by millis, then counter, then node in byte order, and returns
// -1, 0 or +1. Equal means: the same write.
func Compare(a, b Timestamp) int {
	if c := cmp.Compare(a.Millis, b.Millis); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Counter, b.Counter); c != 0 {
		return c
	}
	return strings.Compare(a.Node, b.Node)
}

// After reports whether t is newer than u.
func (t Timestamp) After(u Timestamp) bool { return Compare(t, u) > 0 }

// IsZero reports whether t is the zero Timestamp, which stands for "none".
func (t Timestamp) IsZero() bool { return t == Timestamp{} }

// String returns "millis:counter:node" in plain decimal.
func (t Timestamp) String() string {
	return string(t.AppendText(make([]byte, 0, 32+len(t.Node))))
}

// AppendText appends the text form to dst.
func (t Timestamp) AppendText(dst []byte) []byte {
	dst = strconv.AppendInt(dst, t.Millis, 10)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, uint64(t.Counter), 10)
	dst = append(dst, ':')
	return append(dst, t.Node...)
}

// Parse reads the text form: exactly three parts, the first two non-negative
// decimal integers of digits only, the third any text without ':' (it may be
// empty). The Node of the result aliases s. Every error wraps ErrSyntax.
func Parse(s string) (Timestamp, error) {
	millis, rest, ok := strings.Cut(s, ":")
	if !ok {
		return Timestamp{}, syntaxError(s)
	}
	counter, node, ok := strings.Cut(rest, ":")
	if !ok || strings.IndexByte(node, ':') >= 0 {
		return Timestamp{}, syntaxError(s)
	}
	m, okMillis := decimal(millis, math.MaxInt64)
	c, okCounter := decimal(counter, math.MaxUint32)
	if !okMillis || !okCounter {
		return Timestamp{}, syntaxError(s)
	}
	return Timestamp{Millis: int64(m), Counter: uint32(c), Node: node}, nil
}

// decimal reads a number of at most limit. Unlike strconv it takes no sign.
func decimal(s string, limit uint64) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		d := uint64(s[i]) - '0' // wraps for what is below '0'
		if d > 9 || n > (limit-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// syntaxError quotes no more of s than a log line should carry.
func syntaxError(s string) error {
	const most = 80
	if len(s) > most {
		return fmt.Errorf("%w: %q and %d bytes more", ErrSyntax, s[:most], len(s)-most)
	}
	return fmt.Errorf("%w: %q", ErrSyntax, s)
}
