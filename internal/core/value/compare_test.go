package value_test

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

// The order of values, from small to large; those of one row are equal.
func TestCompareOrdersMixedValues(t *testing.T) {
	rows := [][]any{
		{false},
		{true},
		{math.NaN(), -math.NaN(), float32(math.NaN())},
		{math.Inf(-1)},
		{-math.MaxFloat64},
		{int64(math.MinInt64), -float64(1 << 63)},
		{int64(math.MinInt64 + 1)},
		{-1.5},
		{-1, -1.0, int8(-1)},
		{0, 0.0, math.Copysign(0, -1), uint8(0)},
		{5e-324},
		{1, 1.0, float32(1)},
		{1.5, float32(1.5)},
		{int64(1 << 53), float64(1 << 53)},
		{int64(1<<53 + 1)},
		{int64(1<<53 + 2), float64(1<<53 + 2)},
		{int64(1 << 62), float64(1 << 62)},
		{int64(math.MaxInt64)},
		{uint64(1 << 63), float64(1 << 63)},
		{uint64(math.MaxUint64)},
		{float64(1 << 64)},
		{math.MaxFloat64},
		{math.Inf(1)},
		{""},
		{"A"},
		{"a"},
		{"a\x00"},
		{"aa"},
		{"b"},
		{"～"},
		{"😀"},
		{map[string]any{"a": 1}, map[string]any{"a": 1.0}},
		{[]any{1, nil}, []any{1.0, nil}},
		{[]byte{1}},
		{[]byte{2}},
		{nil},
	}
	for i, row := range rows {
		for j, other := range rows {
			for _, a := range row {
				for _, b := range other {
					want := 0
					if i < j {
						want = -1
					} else if i > j {
						want = 1
					}
					x, y := raw(t, a), raw(t, b)
					if got := value.Compare(x, y); got != want {
						t.Errorf("Compare(%v %T, %v %T) = %d, want %d", a, a, b, b, got, want)
					}
					if got := value.Equal(x, y); got != (want == 0) {
						t.Errorf("Equal(%v %T, %v %T) = %v", a, a, b, b, got)
					}
				}
			}
		}
	}
	if value.Compare(nil, raw(t, nil)) != 0 || value.Compare(nil, raw(t, "x")) != 1 {
		t.Error("a missing value does not sort like nil")
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := valuetest.Any(2)
		a, b, c := gen.Draw(t, "a"), gen.Draw(t, "b"), gen.Draw(t, "c")
		x, y, z := valuetest.Encode(t, a), valuetest.Encode(t, b), valuetest.Encode(t, c)
		xy := value.Compare(x, y)
		if yx := value.Compare(y, x); xy != -yx {
			t.Fatalf("Compare is %d one way and %d the other", xy, yx)
		}
		if xy <= 0 && value.Compare(y, z) <= 0 && value.Compare(x, z) > 0 {
			t.Fatal("not transitive")
		}
		if value.Compare(x, valuetest.Encode(t, a)) != 0 {
			t.Fatal("two forms of one value differ")
		}
		if ra, rb := oracleRank(a), oracleRank(b); ra != rb && (ra < rb) != (xy < 0) {
			t.Fatalf("ranks %d and %d, Compare %d", ra, rb, xy)
		}
		if p, ok := oracleNumber(a); ok {
			if q, ok := oracleNumber(b); ok && oracleCompareNumbers(p, q) != xy {
				t.Fatalf("Compare(%v, %v) = %d", p, q, xy)
			}
		}
		want := oracleEqual(a, b)
		if (xy == 0) != want || value.Equal(x, y) != want {
			t.Fatalf("Compare %d, Equal %v, want equal %v", xy, value.Equal(x, y), want)
		}
		if same := bytes.Equal(value.AppendNormal(nil, x), value.AppendNormal(nil, y)); same != want {
			t.Fatalf("normal forms equal %v, values %v", same, want)
		}
	})
}

func TestNormalFormIsTheSameValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := valuetest.Any(4).Draw(t, "value")
		normal := value.Raw(value.AppendNormal([]byte("before"), valuetest.Encode(t, v)))[len("before"):]
		if err := value.Check(normal); err != nil {
			t.Fatal(err)
		}
		if got := normal.Any(); !oracleEqual(got, v) {
			t.Fatalf("got %v", got)
		}
		if again := value.AppendNormal(nil, normal); !bytes.Equal(again, normal) {
			t.Fatalf("%x becomes %x", normal, again)
		}
		switch scalar, ok := value.AppendNormalScalar([]byte("before"), valuetest.Encode(t, v)); {
		case !ok && normal.Kind() != value.KindArray && normal.Kind() != value.KindMap && normal.Kind() != value.KindExt:
			t.Fatalf("%v is a scalar", v)
		case ok && !bytes.Equal(scalar, append([]byte("before"), normal...)):
			t.Fatalf("the scalar form is %x, the normal one %x", scalar, normal)
		}
	})
}

func TestCompareOfScalarsDoesNotAllocate(t *testing.T) {
	for _, pair := range [][2]any{{1, 1.5}, {"a", "b"}, {true, "x"}, {nil, 1}, {uint64(math.MaxUint64), 1e19}} {
		a, b := raw(t, pair[0]), raw(t, pair[1])
		if n := testing.AllocsPerRun(100, func() { value.Compare(a, b); value.Equal(a, b) }); n != 0 {
			t.Errorf("%v: %v allocations", pair, n)
		}
	}
}
