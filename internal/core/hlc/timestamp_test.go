package hlc_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// timestamps draws from few values, so that equal parts are common.
func timestamps() *rapid.Generator[hlc.Timestamp] {
	return rapid.Custom(func(t *rapid.T) hlc.Timestamp {
		return hlc.Timestamp{
			Millis:  rapid.Int64Range(0, 4).Draw(t, "millis"),
			Counter: rapid.Uint32Range(0, 4).Draw(t, "counter"),
			Node:    rapid.SampledFrom([]string{"", "a", "b", "node-1", "node-10", "é"}).Draw(t, "node"),
		}
	})
}

func TestCompareOrdersByMillisThenCounterThenNode(t *testing.T) {
	ascending := []hlc.Timestamp{
		{Millis: -1, Counter: 9, Node: "z"},
		{},
		{Millis: 0, Counter: 0, Node: "a"},
		{Millis: 5, Counter: 1, Node: ""},
		{Millis: 5, Counter: 1, Node: "A"},
		{Millis: 5, Counter: 1, Node: "a"},
		{Millis: 5, Counter: 1, Node: "node-1"},
		{Millis: 5, Counter: 1, Node: "node-10"},
		{Millis: 5, Counter: 1, Node: "node-2"},
		{Millis: 5, Counter: 1, Node: "node_1"},
		{Millis: 5, Counter: 1, Node: "é"},
		{Millis: 5, Counter: 1, Node: "\uffff"},
		{Millis: 5, Counter: 1, Node: "😀"},
		{Millis: 5, Counter: 2, Node: ""},
		{Millis: 6, Counter: 0, Node: ""},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := min(1, max(-1, i-j))
			if got := hlc.Compare(a, b); got != want {
				t.Errorf("Compare(%v, %v) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ts := rapid.SliceOfN(timestamps(), 3, 3).Draw(t, "ts")
		for _, a := range ts {
			for _, b := range ts {
				if hlc.Compare(a, b) != -hlc.Compare(b, a) {
					t.Fatalf("%v and %v are not antisymmetric", a, b)
				}
				if (hlc.Compare(a, b) == 0) != (a == b) {
					t.Fatalf("%v and %v: equal in order but not in value, or the reverse", a, b)
				}
			}
		}
		slices.SortFunc(ts, hlc.Compare)
		if hlc.Compare(ts[0], ts[2]) > 0 {
			t.Fatalf("order is not transitive: %v", ts)
		}
	})
}

func TestParseTakesThreePartsOfStrictDecimals(t *testing.T) {
	for in, want := range map[string]hlc.Timestamp{
		"0:0:a":                            {Node: "a"},
		"1771700000123:42:node-1":          {Millis: 1771700000123, Counter: 42, Node: "node-1"},
		"12:34:":                           {Millis: 12, Counter: 34},
		"007:01:x y":                       {Millis: 7, Counter: 1, Node: "x y"},
		"9223372036854775807:4294967295:n": {Millis: 1<<63 - 1, Counter: 1<<32 - 1, Node: "n"},
	} {
		got, err := hlc.Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ":", "1:2", "1:2:3:4", "::n", "1::n", ":1:n", "-1:0:n", "+1:0:n", "1:-1:n", "1.5:0:n", "1e3:0:n",
		" 1:0:n", "1 :0:n", "x:0:n", "0:4294967296:n", "9223372036854775808:0:n", "99999999999999999999:0:n", "１:0:n",
		strings.Repeat("9", 5000),
	} {
		got, err := hlc.Parse(in)
		if !errors.Is(err, hlc.ErrSyntax) {
			t.Errorf("Parse(%.40q) = %v, %v, want ErrSyntax", in, got, err)
			continue
		}
		if len(err.Error()) > 500 {
			t.Errorf("Parse of %d bytes fails with a message of %d bytes", len(in), len(err.Error()))
		}
	}
}

func FuzzParseIsTheInverseOfString(f *testing.F) {
	for _, s := range []string{"0:0:a", "1771700000123:42:node-1", "12:34:", "1:2:3:4", "::", "-1:0:n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ts, err := hlc.Parse(s)
		if err != nil {
			if !errors.Is(err, hlc.ErrSyntax) || !ts.IsZero() {
				t.Fatalf("Parse(%q) = %v, %v, want zero and ErrSyntax", s, ts, err)
			}
			return
		}
		again, err := hlc.Parse(ts.String())
		if err != nil || again != ts {
			t.Fatalf("Parse(%q) = %v, but Parse of its String = %v, %v", s, ts, again, err)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	x := hlc.Timestamp{Millis: 1771700000123, Counter: 4, Node: "550e8400-e29b-41d4-a716-446655440000"}
	y := x
	y.Node = "550e8400-e29b-41d4-a716-446655440001"
	sum := 0
	for b.Loop() {
		sum += hlc.Compare(x, y)
	}
	if sum >= 0 {
		b.Fatal("wrong order")
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hlc.Parse("1771700000123:42:550e8400-e29b-41d4-a716-446655440000"); err != nil {
			b.Fatal(err)
		}
	}
}
