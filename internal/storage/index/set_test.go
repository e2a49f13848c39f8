package index

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSetIsAnOrderedSet drives a set and a sorted slice with the same history.
func TestSetIsAnOrderedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		var model []string
		size := rapid.SampledFrom([]int{3, 30, 900}).Draw(t, "longest entry")
		keys := rapid.IntRange(1, 300).Draw(t, "keys")
		entry := func(name string) string {
			n := rapid.IntRange(0, keys).Draw(t, name)
			return fmt.Sprintf("%05d%s", n*7919%keys, strings.Repeat("x", n*31%size))
		}
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			e := entry("entry")
			at, there := slices.BinarySearch(model, e)
			if rapid.IntRange(0, 2).Draw(t, "verb") == 0 {
				if s.Delete([]byte(e)) != there {
					t.Fatalf("Delete(%q) = %v", e, !there)
				}
				if there {
					model = slices.Delete(model, at, at+1)
				}
				continue
			}
			if s.Insert([]byte(e)) == there {
				t.Fatalf("Insert(%q) = %v", e, there)
			}
			if !there {
				model = slices.Insert(model, at, e)
			}
		}
		from, to := entry("from"), entry("to")
		compareSet(t, &s, model, from, to)
		memory := 8 * cap(s.pages)
		for _, p := range s.pages {
			memory += p.memory()
			if len(p.slots) == 0 {
				t.Fatal("an empty page")
			}
		}
		if s.Bytes() != memory || s.Len() != len(model) {
			t.Fatalf("%d bytes, %d entries, want %d and %d", s.Bytes(), s.Len(), memory, len(model))
		}
	})
}

func compareSet(t *rapid.T, s *Set, model []string, from, to string) {
	t.Helper()
	lo, _ := slices.BinarySearch(model, from)
	hi, _ := slices.BinarySearch(model, to)
	want := model[lo:max(lo, hi)]
	var got []string
	s.Ascend([]byte(from), []byte(to), func(b []byte) bool {
		got = append(got, string(b))
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("Ascend(%q, %q) = %q, want %q", from, to, got, want)
	}
	if n := s.Count([]byte(from), []byte(to)); n != len(want) {
		t.Fatalf("Count(%q, %q) = %d, want %d", from, to, n, len(want))
	}
	if n := s.Count([]byte(from), nil); n != len(model)-lo {
		t.Fatalf("Count(%q, end) = %d, want %d", from, n, len(model)-lo)
	}
	before := func(at int, b []byte) {
		var want []byte
		if at > 0 {
			want = []byte(model[at-1])
		}
		if got := s.Before(b); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Fatalf("Before(%q) = %q, want %q", b, got, want)
		}
	}
	before(lo, []byte(from))
	before(len(model), nil)
}

// TestSetIsPacked bounds what an entry costs beyond its bytes, for entries that
// come in order and for others, and after most of them have gone.
func TestSetIsPacked(t *testing.T) {
	const n, size = 100_000, 24
	entry := func(i int) []byte { return fmt.Appendf(nil, "%0*d", size, i) }
	for _, order := range []string{"ascending", "shuffled"} {
		var s Set
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		if order == "shuffled" {
			rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		for _, i := range all {
			s.Insert(entry(i))
		}
		if per := s.Bytes() / n; per > 2*(size+8) {
			t.Errorf("%s: %d bytes an entry of %d", order, per, size)
		}
		for _, i := range all[:n-n/20] {
			s.Delete(entry(i))
		}
		if per := s.Bytes() / s.Len(); per > 6*(size+8) {
			t.Errorf("%s: %d bytes an entry of %d after most have gone", order, per, size)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	var s Set
	rng := rand.New(rand.NewPCG(1, 2))
	entry := func() []byte { return fmt.Appendf(nil, "%024d", rng.IntN(1_000_000)) }
	for range 1_000_000 {
		s.Insert(entry())
	}
	b.Run("insert+delete", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			e := entry()
			if !s.Insert(e) {
				s.Delete(e)
			}
		}
	})
	b.Run("count", func(b *testing.B) {
		for range b.N {
			s.Count(entry(), nil)
		}
	})
	b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/entry")
}
