package predicate_test

import (
	"bytes"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
)

func canonical(t *testing.T, cond any) []byte {
	t.Helper()
	n, err := predicate.Parse(raw(t, cond))
	if err != nil {
		t.Fatal(err)
	}
	return predicate.Canonical(n)
}

func TestCanonicalTellsConditionsApart(t *testing.T) {
	leaf := func(op string, v any) m { return m{"op": op, "attribute": "a", "value": v} }
	logic := func(op string, children ...any) m { return m{"op": op, "children": children} }
	for _, tc := range []struct {
		name string
		a, b m
		same bool
	}{
		{"forms of a number", leaf("eq", 1), leaf("eq", 1.0), true},
		{"numbers", leaf("eq", 1), leaf("eq", 2), false},
		{"a number and a string", leaf("eq", 1), leaf("eq", "1"), false},
		{"operators", leaf("gt", 1), leaf("gte", 1), false},
		{"attributes", leaf("eq", 1), m{"op": "eq", "attribute": "b", "value": 1}, false},
		{"order of children", logic("and", leaf("eq", 1), leaf("gt", 2)), logic("and", leaf("gt", 2), leaf("eq", 1)), true},
		{"repeated children", logic("or", leaf("eq", 1), leaf("eq", 1.0)), leaf("eq", 1), true},
		{"and and or", logic("and", leaf("eq", 1), leaf("gt", 2)), logic("or", leaf("eq", 1), leaf("gt", 2)), false},
		{"and and or without children", logic("and"), logic("or"), false},
		{"and in and", logic("and", leaf("eq", 1), logic("and", leaf("gt", 2), leaf("lt", 3))), logic("and", leaf("eq", 1), leaf("gt", 2), leaf("lt", 3)), true},
		{"or in and", logic("and", leaf("eq", 1), logic("or", leaf("gt", 2), leaf("lt", 3))), logic("and", leaf("eq", 1), leaf("gt", 2), leaf("lt", 3)), false},
		{"a nested empty and", logic("and", leaf("eq", 1), logic("and")), leaf("eq", 1), true},
		{"a nested empty or", logic("and", leaf("eq", 1), logic("or")), leaf("eq", 1), false},
		{"not without children", logic("not"), logic("and"), true},
		{"not looks at one child", logic("not", leaf("eq", 1), leaf("eq", 2)), logic("not", leaf("eq", 1)), true},
		{"order in a list", leaf("in", []any{1, 2, 2.0}), leaf("in", []any{2, 1}), true},
		{"order in a list of needles", leaf("containsAll", []any{"x", "y"}), leaf("containsAll", []any{"y", "x", "x"}), true},
		{"lists", leaf("in", []any{1, 2}), leaf("in", []any{1}), false},
		{"a list and its element", leaf("in", []any{1}), leaf("in", 1), false},
		{"order in an array", leaf("eq", []any{1, 2}), leaf("eq", []any{2, 1}), false},
		{"order of bounds", leaf("between", []any{1, 2}), leaf("between", []any{2, 1}), false},
		{"a reference and a literal", leaf("eq", "auth.id"), m{"op": "eq", "attribute": "a", "valueRef": "auth.id"}, false},
		{"references", m{"op": "eq", "attribute": "a", "valueRef": "auth.x"}, m{"op": "eq", "attribute": "a", "valueRef": "auth.id"}, false},
		{"a value that isNull ignores", leaf("isNull", 1), m{"op": "isNull", "attribute": "a"}, true},
		{"no value and nil", m{"op": "eq", "attribute": "a"}, leaf("eq", nil), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := canonical(t, tc.a), canonical(t, tc.b)
			if bytes.Equal(a, b) != tc.same {
				t.Errorf("%x and %x", a, b)
			}
		})
	}
	left := &predicate.Node{Op: predicate.OpIsNull, AttributeRef: "a"}
	if bytes.Equal(predicate.Canonical(left), canonical(t, m{"op": "isNull", "attribute": "a"})) {
		t.Error("a reference on the left passes for an attribute")
	}
	if !bytes.Equal(predicate.Canonical(nil), canonical(t, m{"op": "and"})) {
		t.Error("a nil node is not like an empty and")
	}
}

func TestBindFillsInClaims(t *testing.T) {
	env := predicate.Env{Auth: raw(t, m{"id": "u1", "admin": true, "teams": []any{"red"}})}
	node := func(n predicate.Node) *predicate.Node { return &n }
	own := node(predicate.Node{Op: predicate.OpEq, Attribute: "owner", ValueRef: "auth.id"})
	owned := node(predicate.Node{Op: predicate.OpEq, Attribute: "owner", Value: raw(t, "u1")})
	admin := node(predicate.Node{Op: predicate.OpEq, AttributeRef: "auth.admin", Value: raw(t, true)})
	root := node(predicate.Node{Op: predicate.OpEq, AttributeRef: "auth.root", Value: raw(t, true)})
	adult := node(predicate.Node{Op: predicate.OpGte, Attribute: "age", Value: raw(t, 18)})
	for _, tc := range []struct {
		name     string
		in, want *predicate.Node
	}{
		{"nothing to fill in", adult, adult},
		{"a claim on the right", own, owned},
		{"a list on the right", node(predicate.Node{Op: predicate.OpIn, Attribute: "team", ValueRef: "auth.teams"}), node(predicate.Node{Op: predicate.OpIn, Attribute: "team", Value: raw(t, []any{"red"})})},
		{"a claim that is missing", node(predicate.Node{Op: predicate.OpNeq, Attribute: "owner", ValueRef: "auth.nick"}), predicate.Constant(false)},
		{"a claim that the operator can do nothing with", node(predicate.Node{Op: predicate.OpLike, Attribute: "owner", ValueRef: "auth.admin"}), predicate.Constant(false)},
		{"a claim that holds", admin, predicate.Constant(true)},
		{"a claim that is asked for and missing", node(predicate.Node{Op: predicate.OpIsNull, AttributeRef: "auth.root"}), predicate.Constant(true)},
		{"two claims", node(predicate.Node{Op: predicate.OpEq, AttributeRef: "auth.id", ValueRef: "auth.id"}), predicate.Constant(true)},
		{"true in and", predicate.And(admin, own), owned},
		{"false in and", predicate.And(own, root), predicate.Constant(false)},
		{"true in or", predicate.Or(own, admin), predicate.Constant(true)},
		{"false in or", predicate.Or(root, own, adult), predicate.Or(owned, adult)},
		{"not of a constant", predicate.Not(admin), predicate.Constant(false)},
		{"not of a condition", predicate.Not(own), predicate.Not(owned)},
		{"not of nothing", predicate.Not(predicate.And()), predicate.Constant(false)},
		{"a reference to the document stays", node(predicate.Node{Op: predicate.OpIn, Attribute: "a", ValueRef: "data.b"}), node(predicate.Node{Op: predicate.OpIn, Attribute: "a", ValueRef: "data.b"})},
		{"a claim on the left of the document stays", node(predicate.Node{Op: predicate.OpContains, AttributeRef: "auth.teams", ValueRef: "data.team"}), node(predicate.Node{Op: predicate.OpContains, AttributeRef: "auth.teams", ValueRef: "data.team"})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := predicate.Canonical(tc.in)
			got, want := predicate.Canonical(predicate.Bind(tc.in, env)), predicate.Canonical(tc.want)
			if !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
			if !bytes.Equal(predicate.Canonical(tc.in), before) {
				t.Error("Bind changed its argument")
			}
		})
	}
	if n := predicate.Bind(own, predicate.Env{}); n != own {
		t.Errorf("without claims: got %+v", n)
	}
}
