package conditions

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

var leafOps = []predicate.Op{
	predicate.OpEq, predicate.OpEq, predicate.OpNeq, predicate.OpGt, predicate.OpGte, predicate.OpLt, predicate.OpLte, predicate.OpLike,
	predicate.OpRegex, predicate.OpIn, predicate.OpIn, predicate.OpBetween, predicate.OpIsNull, predicate.OpIsNotNull, predicate.OpContains,
	predicate.OpContainsAll, predicate.OpContainsAny, predicate.OpStartsWith, predicate.OpEndsWith,
}

var attributes = []string{"a", "b", "a.b", "c", "_key"}

// drawValue draws values that often agree.
func drawValue(t *rapid.T) value.Raw {
	return valuetest.Encode(t, rapid.OneOf(
		rapid.Int64Range(0, 6).AsAny(), rapid.SampledFrom([]string{"", "a", "ab", "abc", "b", "k1"}).AsAny(), rapid.Float64Range(0, 6).AsAny(),
		rapid.Bool().AsAny(), rapid.Just[any](nil), valuetest.Any(1),
	).Draw(t, "value"))
}

func drawDoc(t *rapid.T) value.Raw {
	doc := value.AppendMap(nil, 3)
	for _, name := range []string{"a", "b", "a.b"} {
		doc = append(value.AppendStr(doc, name), drawValue(t)...)
	}
	return doc
}

func drawLeaf(t *rapid.T) *predicate.Node {
	n := &predicate.Node{Op: rapid.SampledFrom(leafOps).Draw(t, "op"), Attribute: rapid.SampledFrom(attributes).Draw(t, "attribute")}
	list := func(least, most int) value.Raw {
		count := rapid.IntRange(least, most).Draw(t, "elements")
		v := value.AppendArray(nil, count)
		for range count {
			v = append(v, drawValue(t)...)
		}
		return v
	}
	switch n.Op {
	case predicate.OpIsNull, predicate.OpIsNotNull:
	case predicate.OpLike, predicate.OpRegex, predicate.OpStartsWith, predicate.OpEndsWith:
		n.Value = value.AppendStr(nil, rapid.SampledFrom([]string{"", "a", "ab", "abc", "b"}).Draw(t, "text"))
	case predicate.OpBetween:
		n.Value = list(2, 2)
	case predicate.OpIn:
		if n.Value = drawValue(t); rapid.Bool().Draw(t, "list") {
			n.Value = list(0, 3)
		}
	default:
		n.Value = drawValue(t)
	}
	if rapid.IntRange(0, 9).Draw(t, "reference") == 0 && n.Op != predicate.OpRegex {
		n.ValueRef = "data.b"
	}
	return n
}

func drawNode(t *rapid.T, depth int) *predicate.Node {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 || kind < 4 {
		return drawLeaf(t)
	}
	n := &predicate.Node{Op: predicate.OpAnd}
	switch {
	case kind == 8:
		n.Op = predicate.OpNot
	case kind > 5:
		n.Op = predicate.OpOr
	}
	for range rapid.IntRange(0, 3).Draw(t, "children") {
		n.Children = append(n.Children, drawNode(t, depth-1))
	}
	return n
}

// condition is one that is in the index, with what decides.
type condition struct {
	program *predicate.Program
	entry   *Entry[*condition]
}

// TestNoConditionIsMissed: whatever was added and removed before, the conditions
// that hold for a document are among those that are visited, and none that was
// removed.
func TestNoConditionIsMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x Index[*condition]
		var all []*condition
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				n := drawNode(t, 2)
				p, err := predicate.Compile(n, predicate.Env{})
				if err != nil {
					t.Skip(err)
				}
				c := &condition{program: p}
				c.entry = x.Add(n, c)
				all = append(all, c)
			},
			"remove": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("nothing there")
				}
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.Remove(all[i].entry)
				all = append(all[:i], all[i+1:]...)
			},
			"look": func(t *rapid.T) {
				doc := drawDoc(t)
				key := rapid.SampledFrom([]string{"k1", "ab", ""}).Draw(t, "key")
				seen := map[*condition]bool{}
				note := func(c *condition) bool { seen[c] = true; return true }
				other := value.Raw(nil)
				switch rapid.IntRange(0, 3).Draw(t, "of") {
				case 0:
					other = drawDoc(t)
					x.VisitChange(key, doc, other, note)
				case 1:
					x.VisitChange(key, nil, doc, note)
				case 2:
					x.VisitChange(key, doc, nil, note)
				default:
					x.Visit(key, doc, note)
				}
				for i, c := range all {
					if (c.program.Match(key, doc) || other != nil && c.program.Match(key, other)) && !seen[c] {
						t.Fatalf("condition %d holds and is not visited", i)
					}
					delete(seen, c)
				}
				if len(seen) > 0 {
					t.Fatalf("%d are visited that were removed", len(seen))
				}
			},
			"": func(t *rapid.T) {
				if x.Len() != len(all) {
					t.Fatalf("%d conditions, want %d", x.Len(), len(all))
				}
				if len(all) == 0 && (len(x.attributes) != 0 || len(x.always.filed) != 0) {
					t.Fatalf("empty, and there are %d attributes", len(x.attributes))
				}
			},
		})
	})
}

func eq(attribute string, n int) *predicate.Node {
	return &predicate.Node{Op: predicate.OpEq, Attribute: attribute, Value: value.AppendInt(nil, int64(n))}
}

func between(attribute string, low, high int) *predicate.Node {
	v := value.AppendInt(value.AppendInt(value.AppendArray(nil, 2), int64(low)), int64(high))
	return &predicate.Node{Op: predicate.OpBetween, Attribute: attribute, Value: v}
}

// TestFewAreVisited: conditions that a document does not concern are left alone,
// also where the part of an and that tells them apart is not the first.
func TestFewAreVisited(t *testing.T) {
	gte := func(attribute string, n int) *predicate.Node {
		return &predicate.Node{Op: predicate.OpGte, Attribute: attribute, Value: value.AppendInt(nil, int64(n))}
	}
	lt := func(attribute string, n int) *predicate.Node {
		return &predicate.Node{Op: predicate.OpLt, Attribute: attribute, Value: value.AppendInt(nil, int64(n))}
	}
	starts := func(i int) *predicate.Node {
		return &predicate.Node{Op: predicate.OpStartsWith, Attribute: "s", Value: value.AppendStr(nil, fmt.Sprintf("%04d", i))}
	}
	for name, make := range map[string]func(i int) *predicate.Node{
		"equality":          func(i int) *predicate.Node { return eq("n", i) },
		"one that matters":  func(i int) *predicate.Node { return predicate.And(eq("g", 1), eq("n", i)) },
		"range":             func(i int) *predicate.Node { return between("n", 3*i, 3*i+2) },
		"range of two":      func(i int) *predicate.Node { return predicate.And(gte("n", i), lt("n", i+1), gte("g", 0)) },
		"or":                func(i int) *predicate.Node { return predicate.Or(eq("n", i), eq("m", i)) },
		"beginning":         starts,
		"nested and":        func(i int) *predicate.Node { return predicate.And(predicate.And(gte("n", i), lt("n", i+1))) },
		"never":             func(i int) *predicate.Node { return predicate.Or() },
		"nothing in common": func(i int) *predicate.Node { return predicate.And(gte("n", i+1), lt("n", i)) },
	} {
		t.Run(name, func(t *testing.T) {
			var x Index[int]
			for i := range 1000 {
				x.Add(make(i), i)
			}
			doc := value.AppendInt(value.AppendStr(value.AppendMap(nil, 3), "n"), 500)
			doc = value.AppendInt(value.AppendStr(doc, "g"), 1)
			doc = value.AppendStr(value.AppendStr(doc, "s"), "0500 and more")
			visited := 0
			x.Visit("k", doc, func(int) bool { visited++; return true })
			if visited > 20 {
				t.Errorf("%d of 1000 are visited", visited)
			}
		})
	}
}

func TestVisitStops(t *testing.T) {
	var x Index[int]
	for i := range 3 {
		x.Add(nil, i)
		x.Add(eq("n", 1), i)
		x.Add(between("n", 0, 2+i), i)
	}
	doc := value.AppendInt(value.AppendStr(value.AppendMap(nil, 1), "n"), 1)
	for most := 1; most <= 9; most++ {
		n := 0
		if x.Visit("k", doc, func(int) bool { n++; return n < most }) || n != most {
			t.Errorf("stopped after %d of %d", n, most)
		}
	}
}

func BenchmarkVisit(b *testing.B) {
	doc := value.AppendStr(value.AppendStr(value.AppendMap(nil, 2), "name"), "somebody")
	doc = value.AppendInt(value.AppendStr(doc, "n"), 999_999)
	for name, make := range map[string]func(i int) *predicate.Node{
		"100000 equalities": func(i int) *predicate.Node { return eq("n", i) },
		"100000 ranges":     func(i int) *predicate.Node { return between("n", i, i+3) },
	} {
		b.Run(name, func(b *testing.B) {
			var x Index[int]
			for i := range 100_000 {
				x.Add(make(i), i)
			}
			b.ReportAllocs()
			for b.Loop() {
				x.Visit("k", doc, func(int) bool { return true })
			}
		})
	}
}
