package predicate_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// build parses and compiles a decoded condition.
func build(tb testing.TB, cond any) error {
	tb.Helper()
	n, err := predicate.Parse(raw(tb, cond))
	if err == nil {
		_, err = predicate.Compile(n, predicate.Env{})
	}
	return err
}

func list(n int) []any { return make([]any, n) }

func chain(depth int) any {
	var n any = m{"op": "isNull", "attribute": "a"}
	for range depth - 1 {
		n = m{"op": "not", "children": []any{n}}
	}
	return n
}

func TestConditionsThatAreRefused(t *testing.T) {
	leaf := m{"op": "eq", "attribute": "a", "value": 1}
	for _, tc := range []struct {
		name string
		cond any
		path string
		is   error
	}{
		{"no map", 7, "predicate", predicate.ErrSyntax},
		{"nil", nil, "predicate", predicate.ErrSyntax},
		{"no op", m{"attribute": "a"}, "predicate.op", predicate.ErrSyntax},
		{"an op that is no string", m{"op": 7}, "predicate.op", predicate.ErrSyntax},
		{"an unknown op", m{"op": "near", "attribute": "a"}, "predicate.op", predicate.ErrUnsupported},
		{"an op in other letters", m{"op": "EQ", "attribute": "a"}, "predicate.op", predicate.ErrUnsupported},
		{"full text", m{"op": "match", "attribute": "a", "query": "x"}, "predicate.op", predicate.ErrUnsupported},
		{
			"full text deep below",
			m{"op": "and", "children": []any{leaf, leaf, m{"op": "not", "children": []any{m{"op": "matchPrefix"}}}}},
			"predicate.children[2].children[0].op", predicate.ErrUnsupported,
		},
		{"no attribute", m{"op": "eq", "value": 1}, "predicate.attribute", predicate.ErrSyntax},
		{"an attribute that is no string", m{"op": "isNull", "attribute": 1}, "predicate.attribute", predicate.ErrSyntax},
		{"children that are no array", m{"op": "or", "children": m{}}, "predicate.children", predicate.ErrSyntax},
		{"a child that is no map", m{"op": "or", "children": []any{leaf, "x"}}, "predicate.children[1]", predicate.ErrSyntax},
		{"a pattern that is no string", m{"op": "like", "attribute": "a", "value": 1}, "predicate.value", predicate.ErrSyntax},
		{"an affix that is no string", m{"op": "endsWith", "attribute": "a", "value": []any{}}, "predicate.value", predicate.ErrSyntax},
		{"between one value", m{"op": "between", "attribute": "a", "value": []any{1}}, "predicate.value", predicate.ErrSyntax},
		{"between nothing", m{"op": "between", "attribute": "a"}, "predicate.value", predicate.ErrSyntax},
		{"a broken regex", m{"op": "regex", "attribute": "a", "value": "("}, "predicate.value", predicate.ErrSyntax},
		{"a regex beyond RE2", m{"op": "not", "children": []any{m{"op": "regex", "attribute": "a", "value": "(?=a)"}}}, "predicate.children[0].value", predicate.ErrSyntax},
		{"a regex from the document", m{"op": "regex", "attribute": "a", "valueRef": "data.b"}, "predicate.valueRef", predicate.ErrUnsupported},
		{"a reference to nowhere", m{"op": "eq", "attribute": "a", "valueRef": "env.b"}, "predicate.valueRef", predicate.ErrSyntax},
		{"a reference without a path", m{"op": "eq", "attribute": "a", "valueRef": "auth."}, "predicate.valueRef", predicate.ErrSyntax},
		{"a reference for policies", m{"op": "eq", "attribute": "a", "valueRef": "old.b"}, "predicate.valueRef", predicate.ErrSyntax},
		{"a reference to the time", m{"op": "eq", "attribute": "a", "valueRef": "now"}, "predicate.valueRef", predicate.ErrSyntax},
		{"too many operators", m{"op": "and", "children": slices.Repeat([]any{leaf}, predicate.MaxNodes)}, "predicate.children[1023]", predicate.ErrLimit},
		{"too deep", chain(predicate.MaxDepth + 1), "predicate" + strings.Repeat(".children[0]", predicate.MaxDepth), predicate.ErrLimit},
		{"a list too long", m{"op": "in", "attribute": "a", "value": list(predicate.MaxList + 1)}, "predicate.value", predicate.ErrLimit},
		{"too many needles", m{"op": "containsAny", "attribute": "a", "value": list(predicate.MaxNeedles + 1)}, "predicate.value", predicate.ErrLimit},
		{"a pattern too long", m{"op": "like", "attribute": "a", "value": strings.Repeat("x", predicate.MaxPattern+1)}, "predicate.value", predicate.ErrLimit},
		{"a regex too long", m{"op": "regex", "attribute": "a", "value": strings.Repeat("x", predicate.MaxPattern+1)}, "predicate.value", predicate.ErrLimit},
		{"a regex that unfolds", m{"op": "regex", "attribute": "a", "value": "(abcde){1000}"}, "predicate.value", predicate.ErrLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := build(t, tc.cond)
			var e *predicate.Error
			if !errors.Is(err, tc.is) || !errors.As(err, &e) {
				t.Fatalf("got %v, want %v", err, tc.is)
			}
			if e.Path != tc.path {
				t.Errorf("path %s, want %s", e.Path, tc.path)
			}
		})
	}
}

func TestConditionsAtTheLimitsPass(t *testing.T) {
	leaf := m{"op": "eq", "attribute": "a", "value": 1}
	for name, cond := range map[string]any{
		"operators": m{"op": "and", "children": slices.Repeat([]any{leaf}, predicate.MaxNodes-1)},
		"levels":    chain(predicate.MaxDepth),
		"list":      m{"op": "in", "attribute": "a", "value": list(predicate.MaxList)},
		"needles":   m{"op": "containsAll", "attribute": "a", "value": list(predicate.MaxNeedles)},
		"pattern":   m{"op": "like", "attribute": "a", "value": strings.Repeat("x", predicate.MaxPattern)},
		"regex":     m{"op": "regex", "attribute": "a", "value": strings.Repeat("x", predicate.MaxPattern)},
		"unfolded":  m{"op": "regex", "attribute": "a", "value": "[a-f]{1000}x{1000}(é|y){500}"},
	} {
		if err := build(t, cond); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnsupportedOperatorsAreNamed(t *testing.T) {
	for _, op := range []string{"match", "matchPhrase", "matchPrefix", "near", ""} {
		var e *predicate.Error
		err := build(t, m{"op": "or", "children": []any{m{"op": op}}})
		if !errors.As(err, &e) || !errors.Is(err, predicate.ErrUnsupported) || e.Op != op || !strings.Contains(err.Error(), `"`+op+`"`) {
			t.Errorf("%q: got %v", op, err)
		}
	}
}

func TestCompileRefusesTreesMadeByHand(t *testing.T) {
	deep := &predicate.Node{Op: predicate.OpIsNull}
	for range predicate.MaxDepth {
		deep = predicate.Not(deep)
	}
	wide := predicate.And(slices.Repeat([]*predicate.Node{{Op: predicate.OpIsNull}}, predicate.MaxNodes)...)
	for _, tc := range []struct {
		name string
		node *predicate.Node
		is   error
	}{
		{"no operator", &predicate.Node{}, predicate.ErrUnsupported},
		{"an operator that is none", &predicate.Node{Op: 200}, predicate.ErrUnsupported},
		{"a child that is nil", predicate.And(nil), predicate.ErrUnsupported},
		{"too deep", deep, predicate.ErrLimit},
		{"too wide", wide, predicate.ErrLimit},
		{"a value that is none", &predicate.Node{Op: predicate.OpEq, Value: value.Raw{0xc1}}, predicate.ErrSyntax},
		{"a reference that is none", &predicate.Node{Op: predicate.OpEq, ValueRef: "then"}, predicate.ErrSyntax},
		{"a reference on the left that is none", &predicate.Node{Op: predicate.OpIsNull, AttributeRef: "data"}, predicate.ErrSyntax},
	} {
		if _, err := predicate.Compile(tc.node, predicate.Env{}); !errors.Is(err, tc.is) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.is)
		}
	}
}

func TestParseIgnoresWhatItDoesNotKnow(t *testing.T) {
	b := raw(t, m{
		"op": "eq", "attribute": "a", "value": "x", "valueRef": nil, "children": nil,
		"query": "q", "matchOptions": m{"minScore": 1}, "slop": 2, "prefix": true, "maxExpansions": 5,
	})
	b[0]++ // one more pair, with a key that is no string
	b = append(b, 0x07, 0x07)
	n, err := predicate.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0
	}
	if n.Op != predicate.OpEq || n.Attribute != "a" || n.Value.Any() != "x" || n.ValueRef != "" || n.Children != nil {
		t.Errorf("got %+v, which may alias the input", n)
	}
}

func TestParseWhere(t *testing.T) {
	doc := raw(t, m{"age": 36, "name": "Ada", "none": nil, "nested": m{"city": "London"}, "id": "i1", "price": m{"$": 5}})
	for _, tc := range []struct {
		name  string
		where any
		want  bool
	}{
		{"nothing", nil, true},
		{"an empty map", m{}, true},
		{"a literal", m{"name": "Ada"}, true},
		{"literals that all hold", m{"name": "Ada", "age": 36.0}, true},
		{"literals of which one fails", m{"name": "Ada", "age": 37}, false},
		{"nil for nil", m{"none": nil}, true},
		{"nil for missing", m{"absent": nil}, true},
		{"nil for something", m{"name": nil}, false},
		{"a range", m{"age": m{"$gt": 35, "$lte": 36}}, true},
		{"a range beside it", m{"age": m{"$gt": 35, "$lt": 36}}, false},
		{"$gte", m{"age": m{"$gte": 37}}, false},
		{"$ne", m{"name": m{"$ne": "Bob"}}, true},
		{"$ne of a missing field", m{"absent": m{"$ne": "Bob"}}, false},
		{"$ne of nil", m{"absent": m{"$ne": nil}}, false},
		{"$eq", m{"name": m{"$eq": "Ada"}}, true},
		{"$eq of nil", m{"name": m{"$eq": nil}}, false},
		{"$in", m{"age": m{"$in": []any{35, 36}}}, true},
		{"$in beside it", m{"age": m{"$in": []any{35}}}, false},
		{"a map for a literal", m{"nested": m{"city": "London"}}, true},
		{"another map for a literal", m{"nested": m{"city": "Paris"}}, false},
		{"an empty map for a literal", m{"nested": m{}}, false},
		{"a map with some keys of operators is a literal", m{"age": m{"$gt": 1, "x": 1}}, false},
		{"a path", m{"nested.city": "London"}, true},
		{"the key", m{"_key": "k1"}, true},
		{"the key in a list", m{"_key": m{"$in": []any{"k1", "k2"}}}, true},
		{"id is a field like others", m{"id": "i1"}, true},
		{"key is a field like others", m{"key": "k1"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, err := predicate.ParseWhere(raw(t, tc.where))
			if err != nil {
				t.Fatal(err)
			}
			p, err := predicate.Compile(n, predicate.Env{})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match("k1", doc); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWheresThatAreRefused(t *testing.T) {
	many := m{}
	for i := range predicate.MaxNodes + 1 {
		many[string(rune('a'+i))] = i
	}
	for _, tc := range []struct {
		name  string
		where any
		path  string
		is    error
	}{
		{"no map", []any{}, "where", predicate.ErrSyntax},
		{"an unknown operator", m{"age": m{"$gt": 1, "$near": 2}}, "where.age.$near", predicate.ErrUnsupported},
		{"a list too long", m{"age": m{"$in": list(predicate.MaxList + 1)}}, "where.age.$in", predicate.ErrLimit},
		{"too many fields", many, "", predicate.ErrLimit},
	} {
		_, err := predicate.ParseWhere(raw(t, tc.where))
		var e *predicate.Error
		if !errors.Is(err, tc.is) || !errors.As(err, &e) || (tc.path != "" && e.Path != tc.path) {
			t.Errorf("%s: got %v, want %v at %s", tc.name, err, tc.is, tc.path)
		}
	}
}

func FuzzParse(f *testing.F) {
	doc := raw(f, m{"a": 1, "b": "text", "c": []any{"x", 2}, "d": m{"e": nil}})
	env := predicate.Env{Auth: raw(f, m{"id": "u1", "list": []any{1, 2}})}
	for _, cond := range []any{
		m{"op": "and", "children": []any{m{"op": "eq", "attribute": "a", "value": 1}, m{"op": "not", "children": []any{}}}},
		m{"op": "or", "children": []any{m{"op": "in", "attribute": "c", "valueRef": "auth.list"}, m{"op": "regex", "attribute": "b", "value": "^t.*(x|y){2}"}}},
		m{"op": "like", "attribute": "b", "value": "%e_t%"},
		m{"op": "containsAll", "attribute": "b", "value": []any{"T", "ex"}},
		m{"op": "between", "attribute": "a", "value": []any{0, 1.5}},
		m{"op": "match", "attribute": "b", "query": "x", "matchOptions": m{}},
		m{"a": m{"$gt": 1, "$in": []any{1}}, "b": nil},
		chain(70),
	} {
		f.Add([]byte(raw(f, cond)))
	}
	bad, err := hex.DecodeString("82a26f70a3616e64a86368696c6472656eddffffffff")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bad)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func(value.Raw) (*predicate.Node, error){predicate.Parse, predicate.ParseWhere} {
			n, err := parse(b)
			var e *predicate.Error
			if err != nil && (n != nil || !errors.As(err, &e) || e.Path == "" || e.Unwrap() == nil) {
				t.Fatalf("node %v with error %#v", n, err)
			}
			if err != nil {
				continue
			}
			early, err := predicate.Compile(n, env)
			if err != nil {
				continue
			}
			want := early.Match("k", doc)
			again, err := predicate.Parse(predicate.Canonical(n))
			if err != nil {
				t.Fatalf("canonical form: %v", err)
			}
			for _, node := range []*predicate.Node{again, predicate.Bind(n, env)} {
				p, err := predicate.Compile(node, env)
				if err != nil {
					t.Fatalf("another form: %v", err)
				}
				if got := p.Match("k", doc); got != want {
					t.Fatalf("another form gives %v, the original %v", got, want)
				}
			}
			early.Match("", b)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	cond := raw(b, m{"op": "and", "children": []any{
		m{"op": "eq", "attribute": "active", "value": true},
		m{"op": "gte", "attribute": "age", "value": 18},
		m{"op": "in", "attribute": "tags", "value": "math"},
	}})
	b.ReportAllocs()
	for b.Loop() {
		n, err := predicate.Parse(cond)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := predicate.Compile(n, predicate.Env{}); err != nil {
			b.Fatal(err)
		}
	}
}
