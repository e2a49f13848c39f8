package ordered_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/ordered"
)

// span is an item whose subtree knows its greatest end.
type span struct{ from, to, most int }

func newTree() *ordered.Tree[span] {
	return &ordered.Tree[span]{
		Compare: func(a, b *span) int { return cmp.Compare(a.from, b.from) },
		Pull: func(s, left, right *span) {
			s.most = s.to
			for _, below := range []*span{left, right} {
				if below != nil {
					s.most = max(s.most, below.most)
				}
			}
		},
	}
}

// TestTreeIsASortedMap runs random histories against a map, and looks for the
// spans around a point by the aggregate and one by one.
func TestTreeIsASortedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, model := newTree(), map[int]int{}
		held := map[int]*span{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				from := rapid.IntRange(0, 50).Draw(t, "from")
				to := from + rapid.IntRange(0, 10).Draw(t, "length")
				at := tree.Put(span{from: from, to: to})
				if _, ok := model[from]; !ok {
					model[from], held[from] = to, at
				}
				if at != held[from] || at.to != model[from] {
					t.Fatalf("put %d gives %+v", from, at)
				}
			},
			"remove": func(t *rapid.T) {
				from := rapid.IntRange(0, 50).Draw(t, "from")
				tree.Remove(&span{from: from})
				delete(model, from)
				delete(held, from)
			},
			"": func(t *rapid.T) {
				want := slices.Sorted(maps.Keys(model))
				var got []int
				tree.Visit(func(*span) bool { return true }, func(s *span) bool { got = append(got, s.from); return true })
				if !slices.Equal(got, want) || tree.Len() != len(model) {
					t.Fatalf("%d items %v, want %v", tree.Len(), got, want)
				}
				for from, at := range held {
					if tree.Find(&span{from: from}) != at || at.to != model[from] {
						t.Fatalf("%d has moved", from)
					}
				}
				if len(want) > 0 && (tree.Min().from != want[0] || tree.Max().from != want[len(want)-1]) {
					t.Fatalf("between %d and %d, want %v", tree.Min().from, tree.Max().from, want)
				}
				for x := range 62 {
					var around []int
					tree.Visit(func(s *span) bool { return s.most >= x }, func(s *span) bool {
						if s.from <= x && s.to >= x {
							around = append(around, s.from)
						}
						return s.from <= x
					})
					var slow []int
					for _, from := range want {
						if from <= x && model[from] >= x {
							slow = append(slow, from)
						}
					}
					if !slices.Equal(around, slow) {
						t.Fatalf("around %d are %v, want %v", x, around, slow)
					}
				}
			},
		})
	})
}

// TestTreeStaysFlat adds and removes in the orders that degenerate a tree that
// is not balanced.
func TestTreeStaysFlat(t *testing.T) {
	tree := newTree()
	const n = 1 << 12
	for i := range n {
		tree.Put(span{from: i, to: i})
	}
	for i := range n / 2 {
		tree.Remove(&span{from: i})
	}
	compared := 0
	count := tree.Compare
	tree.Compare = func(a, b *span) int { compared++; return count(a, b) }
	for i := n / 2; i < n; i++ {
		tree.Find(&span{from: i})
	}
	if most := 16 * n / 2; compared > most {
		t.Errorf("%d comparisons for %d items", compared, n/2)
	}
}
