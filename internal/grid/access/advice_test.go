package access

import (
	"fmt"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

func node(op predicate.Op, field string) *predicate.Node {
	n := &predicate.Node{Op: op, Attribute: field, Value: value.AppendStr(nil, "x")}
	if op == predicate.OpContainsAll {
		n.Value = append(value.AppendArray(nil, 1), value.AppendStr(nil, "x")...)
	}
	return n
}

func TestSuggestions(t *testing.T) {
	eq := func(f string) *predicate.Node { return node(predicate.OpEq, f) }
	for _, c := range []struct {
		name string
		q    Question
		want string
	}{
		{"one value", Question{Node: eq("a")}, "hash a"},
		{"two values, in any order", Question{Node: predicate.And(eq("b"), eq("a"))}, "hash a,b"},
		{"a range", Question{Node: node(predicate.OpGt, "a")}, "navigable a"},
		{"a value and a range", Question{Node: predicate.And(node(predicate.OpLt, "b"), eq("a"))}, "navigable a,b"},
		{"an order", Question{Sort: []SortField{{"a", true}, {"b", true}}}, "navigable a,b"},
		{"an order in two directions", Question{Sort: []SortField{{"a", true}, {"b", false}}}, ""},
		{"a value and an order", Question{Node: eq("c"), Sort: []SortField{{"a", false}}}, "navigable c,a"},
		{"a range and another order", Question{Node: node(predicate.OpGt, "a"), Sort: []SortField{{"b", false}}}, "navigable a"},
		{"an element", Question{Node: node(predicate.OpContainsAll, "a")}, "inverted a"},
		{"a key", Question{Node: eq(predicate.KeyAttribute)}, ""},
		{"nothing that can be looked up", Question{Node: predicate.Not(eq("a"))}, ""},
		{"everything", Question{}, ""},
	} {
		d, ok := Suggest("m", c.q)
		got := ""
		if ok {
			got = fmt.Sprintf("%s %s", d.Kind, d.Attribute())
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if ok {
			c.q.Indexes = []index.Definition{d}
			if p := Paths(c.q)[0]; p.Whole() {
				t.Errorf("%s: nothing uses the index that is suggested", c.name)
			}
		}
	}
}

func TestAdviceIsBoundedAndOrdered(t *testing.T) {
	var a Adviser
	q := func(i int) Question { return Question{Node: node(predicate.OpEq, fmt.Sprint("f", i))} }
	for i := range adviceKept + 50 {
		a.Saw("m", q(i), adviceLeast+i, 0)
	}
	a.Saw("m", q(7), 1<<20, 10)
	a.Saw("m", q(8), 100, 0)     // quickly read
	a.Saw("m", q(9), 5000, 4000) // most of it was wanted
	none := func(index.Definition) bool { return false }
	all := a.Advice(none)
	if len(all) != adviceKept || all[0].Attribute() != "f7" || all[0].Queries != 1 || all[0].Spared != 1<<20-10 {
		t.Errorf("%d pieces of advice, the first %+v", len(all), all[0])
	}
	for i := 1; i < len(all); i++ {
		if all[i].Spared > all[i-1].Spared {
			t.Fatalf("advice %d spares more than the one before", i)
		}
	}
	if rest := a.Advice(func(d index.Definition) bool { return d.Attribute() == "f7" }); len(rest) != adviceKept-1 {
		t.Errorf("%d pieces of advice without the index that is there", len(rest))
	}
}
