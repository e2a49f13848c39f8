package value_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

func ordered(t *rapid.T, v value.Raw) []byte {
	t.Helper()
	b, whole := value.AppendOrdered(nil, v, 1<<20)
	if !whole || value.OrderedLen(b) != len(b) {
		t.Fatalf("%x is encoded as %x, of which %d bytes are one encoding (whole %v)", v, b, value.OrderedLen(b), whole)
	}
	return b
}

// near draws numbers that are close to each other where floats get coarse.
func near(t *rapid.T) value.Raw {
	base := rapid.SampledFrom([]uint64{0, 1, 1 << 52, 1 << 53, 1 << 54, 1 << 62, 1<<63 - 2000, 1 << 63, math.MaxUint64 - 4096}).Draw(t, "base")
	n := base + rapid.Uint64Range(0, 4000).Draw(t, "offset")
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		return value.AppendUint(nil, n)
	case 1:
		return value.AppendInt(nil, -int64(n>>1))
	default:
		f := float64(n)
		if rapid.Bool().Draw(t, "negative") {
			f = -f
		}
		return value.AppendFloat(nil, f)
	}
}

// TestOrderedComparesAsCompare is the law of the encoding.
func TestOrderedComparesAsCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) value.Raw {
			if rapid.Bool().Draw(t, name) {
				return near(t)
			}
			return valuetest.Encode(t, valuetest.Any(2).Draw(t, name))
		}
		a, b := draw("a"), draw("b")
		if got, want := bytes.Compare(ordered(t, a), ordered(t, b)), value.Compare(a, b); got != want {
			t.Fatalf("%v and %v: the encodings compare as %d, the values as %d", a.Any(), b.Any(), got, want)
		}
	})
}

func TestOrderedEncodingsFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := valuetest.Encode(t, valuetest.Any(1).Draw(t, "a")), valuetest.Encode(t, valuetest.Any(1).Draw(t, "b"))
		both, _ := value.AppendOrdered(ordered(t, a), b, 1<<20)
		if n := value.OrderedLen(both); !bytes.Equal(both[:n], ordered(t, a)) || !bytes.Equal(both[n:], ordered(t, b)) {
			t.Fatalf("%x does not fall apart at %d", both, n)
		}
	})
}

func TestOrderedLongTextsAreCut(t *testing.T) {
	str := func(s string) []byte { return value.AppendStr(nil, s) }
	long, longer, short := strings.Repeat("x", 20), strings.Repeat("x", 30), strings.Repeat("x", 10)
	a, whole := value.AppendOrdered(nil, str(long), 10)
	b, _ := value.AppendOrdered(nil, str(longer), 10)
	c, exact := value.AppendOrdered(nil, str(short), 10)
	if whole || !exact || !bytes.Equal(a, b) || bytes.Compare(c, a) >= 0 {
		t.Errorf("%x %v, %x, %x %v", a, whole, b, c, exact)
	}
	for _, s := range []string{short, long, "x", "", "a\x00b"} {
		full, _ := value.AppendOrdered(nil, str(s+"tail"), 10)
		if p := value.AppendOrderedPrefix(nil, s, 10); !bytes.HasPrefix(full, p) {
			t.Errorf("%q: %x does not begin with %x", s, full, p)
		}
	}
}
