package crdt_test

import (
	"errors"
	"maps"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
)

type counts = map[string]float64

func counter(t interface{ Fatalf(string, ...any) }, pos, neg counts) crdt.CounterState {
	b, err := crdt.AppendCounter(nil, pos, neg)
	if err != nil {
		t.Fatalf("AppendCounter(%v, %v): %v", pos, neg, err)
	}
	return crdt.CounterState(b)
}

// perNode returns the maps that a state was made of.
func perNode(s crdt.CounterState) (pos, neg counts) {
	pos, neg = counts{}, counts{}
	for e := range s.Entries() {
		if e.Pos != 0 {
			pos[e.Node] = e.Pos
		}
		if e.Neg != 0 {
			neg[e.Node] = e.Neg
		}
	}
	return pos, neg
}

func countMaps() *rapid.Generator[counts] {
	n := rapid.SampledFrom([]float64{0, 1, 2, 0.5, 3.25, 1 << 53, math.SmallestNonzeroFloat64, math.MaxFloat64})
	return rapid.MapOfN(rapid.SampledFrom([]string{"", "a", "b", "c", "é"}), n, 0, 5)
}

func merge(t interface{ Fatalf(string, ...any) }, a, b crdt.CounterState) crdt.CounterState {
	next, changed, err := a.Merge([]byte("x"), b)
	if err != nil || next[0] != 'x' {
		t.Fatalf("merge: %v, result %x", err, next)
	}
	if !changed {
		if len(next) != 1 {
			t.Fatalf("nothing changed, but the result is %x", next)
		}
		return a
	}
	if s := crdt.CounterState(next[1:]); s != a {
		return s
	}
	t.Fatalf("merge claims a change and returned the same state")
	return ""
}

func TestCounterTakesTheGreaterCountOfEachNode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p1, n1 := countMaps().Draw(t, "p1"), countMaps().Draw(t, "n1")
		p2, n2 := countMaps().Draw(t, "p2"), countMaps().Draw(t, "n2")
		got := merge(t, counter(t, p1, n1), counter(t, p2, n2))
		greater := func(a, b counts) counts {
			out := maps.Clone(a)
			for node, n := range b {
				out[node] = max(out[node], n)
			}
			maps.DeleteFunc(out, func(_ string, n float64) bool { return n == 0 })
			return out
		}
		pos, neg := perNode(got)
		if !maps.Equal(pos, greater(p1, p2)) || !maps.Equal(neg, greater(n1, n2)) {
			t.Fatalf("merged to %v and %v", pos, neg)
		}
		if err := got.Validate(); err != nil {
			t.Fatal(err)
		}
		if v := got.Value(); v-v != 0 {
			t.Fatalf("value %v is not finite", v)
		}
	})
}

func TestCounterMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := func(name string) crdt.CounterState {
			return counter(t, countMaps().Draw(t, name+" pos"), countMaps().Draw(t, name+" neg"))
		}
		a, b, c := state("a"), state("b"), state("c")
		if merge(t, a, b) != merge(t, b, a) {
			t.Fatalf("not commutative")
		}
		if merge(t, merge(t, a, b), c) != merge(t, a, merge(t, b, c)) {
			t.Fatalf("not associative")
		}
		if merge(t, a, a) != a || merge(t, a, "") != a || merge(t, "", a) != a || merge(t, merge(t, a, b), b) != merge(t, a, b) {
			t.Fatalf("not idempotent")
		}
	})
}

func TestCounterValue(t *testing.T) {
	for _, c := range []struct {
		name     string
		pos, neg counts
		want     float64
	}{
		{"nobody", nil, nil, 0},
		{"zeros only", counts{"a": 0}, counts{"b": math.Copysign(0, -1)}, 0},
		{"two nodes", counts{"a": 5, "b": 2}, counts{"a": 3}, 4},
		{"fractions", counts{"a": 1.5, "b": 0.5}, counts{"c": 0.25}, 1.75},
		{"below zero", counts{"a": 1}, counts{"a": 4}, -3},
		{"beyond the range", counts{"a": math.MaxFloat64, "b": math.MaxFloat64}, nil, math.MaxFloat64},
	} {
		if got := counter(t, c.pos, c.neg).Value(); got != c.want {
			t.Errorf("%s: value %v, want %v", c.name, got, c.want)
		}
	}
	if s := counter(t, counts{"a": 0}, nil); s != "" {
		t.Errorf("a counter of zeros is %x, want the empty state", s)
	}
}

func TestCountsThatAreNoCountsAreRefused(t *testing.T) {
	for _, n := range []float64{-1, -math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, both := range [][2]counts{{{"a": 1, "bad": n}, nil}, {nil, {"bad": n}}} {
			got, err := crdt.AppendCounter([]byte("x"), both[0], both[1])
			var ce *crdt.CountError
			if !errors.Is(err, crdt.ErrNotCount) || !errors.As(err, &ce) || ce.Node != "bad" || string(got) != "x" {
				t.Errorf("count %v: %q, %v", n, got, err)
			}
		}
	}
}

func FuzzCounterState(f *testing.F) {
	f.Add("")
	f.Add("\x30")
	f.Add(string(counter(f, counts{"a": 1, "b": 2.5}, counts{"b": 1, "": 4})))
	f.Fuzz(func(t *testing.T, b string) {
		s := crdt.CounterState(b)
		s.Value()
		pos, neg := perNode(s)
		_, _, mergeErr := s.Merge(nil, "")
		if err := s.Validate(); err != nil {
			if !errors.Is(err, crdt.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if mergeErr != nil {
			t.Fatalf("%x is valid but does not merge: %v", b, mergeErr)
		}
		if again := counter(t, pos, neg); again != s {
			t.Fatalf("%x is valid, but its entries make %x", b, again)
		}
	})
}
