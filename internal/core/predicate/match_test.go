package predicate_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

type m = map[string]any

func raw(tb testing.TB, v any) value.Raw {
	tb.Helper()
	b, err := value.FromAny(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// program compiles a decoded condition.
func program(tb testing.TB, cond any) *predicate.Program {
	tb.Helper()
	n, err := predicate.Parse(raw(tb, cond))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := predicate.Compile(n, predicate.Env{Auth: raw(tb, m{"id": "u1", "teams": []any{"red", "blue"}, "level": 3})})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// One document, and per operator what it holds for and what it does not.
func TestOperators(t *testing.T) {
	doc := raw(t, m{
		"name": "Ada", "age": 36, "rate": 1.5, "ok": true, "none": nil, "tags": []any{"math", "engine", 7}, "motto": "50% of\nIT",
		"nested": m{"city": "London"}, "nan": math.NaN(), "big": uint64(math.MaxUint64), "owner": "u1", "team": "red", "city.code": 44,
		"greek": "ΣΊΣΥΦΟΣ", "empty": "", "bin": []byte{1}, "self": 36.0, "twice": []any{"a", "a", math.NaN()},
	})
	for _, tc := range []struct {
		op, attribute string
		value         any
		want          bool
	}{
		{"eq", "name", "Ada", true},
		{"eq", "name", "ada", false},
		{"eq", "age", 36.0, true},
		{"eq", "age", "36", false},
		{"eq", "ok", true, true},
		{"eq", "ok", 1, false},
		{"eq", "none", nil, false},
		{"eq", "absent", nil, false},
		{"eq", "nan", math.NaN(), false},
		{"eq", "big", float64(1 << 63), false},
		{"eq", "big", float64(1 << 64), false},
		{"eq", "tags", []any{"math", "engine", 7.0}, true},
		{"eq", "nested", m{"city": "London"}, true},
		{"eq", "nested.city", "London", true},
		{"eq", "tags.1", "engine", true},
		{"eq", "city.code", 44, true},
		{"eq", "_key", "k1", true},
		{"eq", "bin", []byte{1}, true},
		{"neq", "name", "Bob", true},
		{"neq", "name", "Ada", false},
		{"neq", "age", "36", true},
		{"neq", "none", 1, false},
		{"neq", "absent", 1, false},
		{"neq", "name", nil, true},
		{"neq", "nan", math.NaN(), true},
		{"gt", "age", 35.5, true},
		{"gt", "age", 36, false},
		{"gt", "age", "1", false},
		{"gt", "name", "AdA", true},
		{"gt", "ok", false, true},
		{"gt", "absent", 0, false},
		{"gt", "tags", []any{}, false},
		{"gt", "nan", 0, false},
		{"gt", "age", math.NaN(), false},
		{"gte", "age", 36, true},
		{"gte", "age", 36.1, false},
		{"lt", "big", math.Inf(1), true},
		{"lt", "none", 1, false},
		{"lt", "nan", 0, false},
		{"lt", "name", "a", true},
		{"lte", "rate", 1.5, true},
		{"lte", "rate", 1, false},
		{"lte", "nested", m{}, false},
		{"like", "name", "a%", true},
		{"like", "name", "_d_", true},
		{"like", "name", "d", false},
		{"like", "name", "%A", true},
		{"like", "name", "", false},
		{"like", "empty", "", true},
		{"like", "empty", "%%", true},
		{"like", "empty", "_", false},
		{"like", "motto", "50% of%it", true},
		{"like", "motto", "5_%of_it", true},
		{"like", "motto", "%f_i%", true},
		{"like", "motto", "%it%x", false},
		{"like", "greek", "σίσυφος", true},
		{"like", "greek", "σ_συφο_", true},
		{"like", "age", "36", false},
		{"like", "name", nil, false},
		{"regex", "name", "d", true},
		{"regex", "name", "^d", false},
		{"regex", "name", "(?i)^ADA$", true},
		{"regex", "age", "3", false},
		{"regex", "name", nil, false},
		{"in", "name", []any{"Bob", "Ada"}, true},
		{"in", "age", []any{1, 36.0}, true},
		{"in", "age", []any{"36"}, false},
		{"in", "age", []any{}, false},
		{"in", "none", []any{nil}, false},
		{"in", "nan", []any{math.NaN()}, false},
		{"in", "tags", "math", true},
		{"in", "tags", 7.0, true},
		{"in", "tags", "mat", false},
		{"in", "tags", []any{"math"}, false},
		{"in", "tags", []any{[]any{"math", "engine", 7}}, true},
		{"in", "name", "Ada", false},
		{"in", "name", nil, false},
		{"between", "age", []any{36, 40}, true},
		{"between", "age", []any{30, 36.0}, true},
		{"between", "age", []any{37, 40}, false},
		{"between", "age", []any{40, 30}, false},
		{"between", "name", []any{"A", "B"}, true},
		{"between", "age", []any{"A", 40}, false},
		{"isNull", "none", nil, true},
		{"isNull", "absent", nil, true},
		{"isNull", "nested.street", nil, true},
		{"isNull", "empty", nil, false},
		{"isNotNull", "empty", nil, true},
		{"isNotNull", "none", nil, false},
		{"isNotNull", "_key", nil, true},
		{"contains", "tags", "math", true},
		{"contains", "tags", "Math", false},
		{"contains", "tags", "mat", false},
		{"contains", "tags", 7, true},
		{"contains", "twice", math.NaN(), false},
		{"contains", "name", "DA", true},
		{"contains", "name", "", true},
		{"contains", "name", 7, false},
		{"contains", "greek", "ύ", false},
		{"contains", "greek", "υφ", true},
		{"contains", "age", 36, false},
		{"contains", "nested", "city", false},
		{"contains", "name", nil, false},
		{"containsAll", "tags", []any{"engine", "math"}, true},
		{"containsAll", "tags", []any{"engine", "engine", 7.0}, true},
		{"containsAll", "tags", []any{"engine", "x"}, false},
		{"containsAll", "twice", []any{"a", "b"}, false},
		{"containsAll", "twice", []any{"a", math.NaN()}, false},
		{"containsAll", "tags", []any{}, true},
		{"containsAll", "tags", "math", true},
		{"containsAll", "name", []any{"a", "D"}, true},
		{"containsAll", "name", []any{"a", "x"}, false},
		{"containsAll", "name", []any{"a", 7}, false},
		{"containsAll", "name", nil, false},
		{"containsAll", "age", []any{}, false},
		{"containsAny", "tags", []any{"x", 7}, true},
		{"containsAny", "tags", []any{"x", "MATH"}, false},
		{"containsAny", "tags", []any{}, false},
		{"containsAny", "name", []any{"x", "da"}, true},
		{"containsAny", "name", []any{7}, false},
		{"containsAny", "name", "A", true},
		{"containsAny", "age", []any{36}, false},
		{"startsWith", "name", "Ad", true},
		{"startsWith", "name", "ad", false},
		{"startsWith", "age", "3", false},
		{"startsWith", "age", "", false},
		{"startsWith", "_key", "k", true},
		{"endsWith", "name", "da", true},
		{"endsWith", "name", "DA", false},
		{"endsWith", "name", "", true},
		{"endsWith", "tags", "math", false},
	} {
		p := program(t, m{"op": tc.op, "attribute": tc.attribute, "value": tc.value})
		if got := p.Match("k1", doc); got != tc.want {
			t.Errorf("%s %s %v: got %v", tc.attribute, tc.op, tc.value, got)
		}
	}
	for _, tc := range []struct {
		op, attribute, ref string
		want               bool
	}{
		{"eq", "owner", "auth.id", true},
		{"eq", "name", "auth.id", false},
		{"neq", "name", "auth.id", true},
		{"neq", "name", "auth.absent", false},
		{"eq", "absent", "auth.absent", false},
		{"in", "team", "auth.teams", true},
		{"in", "name", "auth.teams", false},
		{"eq", "team", "auth.teams.0", true},
		{"eq", "age", "data.self", true},
		{"neq", "age", "data.none", false},
		{"eq", "_key", "data._key", true},
		{"gt", "age", "auth.level", true},
		{"like", "age", "auth.level", false},
		{"like", "name", "auth.level", false},
		{"contains", "tags", "data.tags.1", true},
		{"containsAll", "tags", "data.tags", true},
		{"containsAny", "team", "auth.teams", true},
		{"between", "age", "auth.teams", false},
		{"isNull", "none", "auth.absent", true},
	} {
		p := program(t, m{"op": tc.op, "attribute": tc.attribute, "valueRef": tc.ref, "value": "not this"})
		if got := p.Match("k1", doc); got != tc.want {
			t.Errorf("%s %s %s: got %v", tc.attribute, tc.op, tc.ref, got)
		}
	}
}

func TestLogic(t *testing.T) {
	yes, no := m{"op": "isNull", "attribute": "absent"}, m{"op": "isNotNull", "attribute": "absent"}
	for _, tc := range []struct {
		name string
		cond m
		want bool
	}{
		{"and of all", m{"op": "and", "children": []any{yes, yes}}, true},
		{"and of some", m{"op": "and", "children": []any{yes, no}}, false},
		{"and without children", m{"op": "and"}, true},
		{"and with nil for children", m{"op": "and", "children": nil}, true},
		{"or of some", m{"op": "or", "children": []any{no, yes}}, true},
		{"or of none", m{"op": "or", "children": []any{no, no}}, false},
		{"or without children", m{"op": "or"}, false},
		{"not", m{"op": "not", "children": []any{no}}, true},
		{"not looks at its first child only", m{"op": "not", "children": []any{yes, no}}, false},
		{"not without children", m{"op": "not"}, true},
		{"not of a comparison with nothing", m{"op": "not", "children": []any{m{"op": "eq", "attribute": "absent", "value": 1}}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := program(t, tc.cond).Match("k", raw(t, m{})); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Policies also look at the record before the change, at claims on the left,
// and at the time.
func TestEvalOfPolicyReferences(t *testing.T) {
	in := predicate.Input{
		Key: "k", Data: raw(t, m{"owner": "u1", "until": 500}), Old: raw(t, m{"owner": "u2"}),
		Auth: raw(t, m{"id": "u1", "roles": []any{"admin"}}), Now: 400,
	}
	for _, tc := range []struct {
		name string
		node predicate.Node
		want bool
	}{
		{"the owner changes", predicate.Node{Op: predicate.OpNeq, Attribute: "owner", ValueRef: "old.owner"}, true},
		{"the caller owned it before", predicate.Node{Op: predicate.OpEq, AttributeRef: "old.owner", ValueRef: "auth.id"}, false},
		{"a role of the caller", predicate.Node{Op: predicate.OpContains, AttributeRef: "auth.roles", Value: raw(t, "admin")}, true},
		{"a role that the caller has not", predicate.Node{Op: predicate.OpContains, AttributeRef: "auth.roles", Value: raw(t, "root")}, false},
		{"a time in the document", predicate.Node{Op: predicate.OpGt, Attribute: "until", ValueRef: "now"}, true},
		{"the time on the left", predicate.Node{Op: predicate.OpLt, AttributeRef: "now", Value: raw(t, 400)}, false},
		{"there was a record", predicate.Node{Op: predicate.OpIsNotNull, AttributeRef: "old.owner"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := predicate.Compile(&tc.node, predicate.Env{})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Eval(in); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
	p, err := predicate.Compile(&predicate.Node{Op: predicate.OpIsNull, AttributeRef: "old.owner"}, predicate.Env{})
	if err != nil || !p.Match("k", in.Data) {
		t.Errorf("a record that did not exist before has an owner (%v)", err)
	}
}

func TestMatchOfABrokenDocumentFindsNoFields(t *testing.T) {
	p := program(t, m{"op": "isNull", "attribute": "a"})
	for _, doc := range []value.Raw{nil, {0xc0}, {0xc1}, {0x81, 0xa1, 'a'}, {0x93, 1, 2, 3}} {
		if !p.Match("k", doc) {
			t.Errorf("%x has a field", []byte(doc))
		}
	}
}

func TestNilNodeHolds(t *testing.T) {
	p, err := predicate.Compile(nil, predicate.Env{})
	if err != nil || !p.Match("", nil) {
		t.Errorf("got %v", err)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	doc := raw(t, m{"name": "Ada", "age": 36, "tags": []any{"math", "engine"}, "nested": m{"city": "London"}})
	for _, cond := range []m{
		{"op": "eq", "attribute": "name", "value": "Ada"},
		{"op": "neq", "attribute": "age", "value": 35.5},
		{"op": "gte", "attribute": "nested.city", "value": "A"},
		{"op": "like", "attribute": "name", "value": "%d_"},
		{"op": "in", "attribute": "age", "value": []any{1, 2, 36}},
		{"op": "in", "attribute": "tags", "value": "math"},
		{"op": "between", "attribute": "age", "value": []any{1, 40}},
		{"op": "contains", "attribute": "name", "value": "da"},
		{"op": "contains", "attribute": "tags", "value": "engine"},
		{"op": "containsAll", "attribute": "tags", "value": []any{"math", "engine"}},
		{"op": "containsAny", "attribute": "name", "value": []any{"x", "a"}},
		{"op": "startsWith", "attribute": "name", "value": "A"},
		{"op": "eq", "attribute": "name", "valueRef": "data.name"},
		{"op": "not", "children": []any{m{"op": "or", "children": []any{m{"op": "isNull", "attribute": "name"}}}}},
	} {
		p := program(t, cond)
		n := testing.AllocsPerRun(100, func() {
			if !p.Match("k", doc) {
				t.Fatalf("%v does not hold", cond)
			}
		})
		if n != 0 {
			t.Errorf("%v: %v allocations", cond, n)
		}
	}
}

// words returns all strings of at most n characters over two letters.
func words(n int) []string {
	all := []string{""}
	for from := 0; n > 0; n-- {
		to := len(all)
		for ; from < to; from++ {
			all = append(all, all[from]+"a", all[from]+"é")
		}
	}
	return all
}

// Needles that overlap themselves are where a linear search goes wrong.
func TestContainsAndLikeFindEveryShortWord(t *testing.T) {
	for _, needle := range words(4) {
		contains := program(t, m{"op": "contains", "attribute": "s", "value": strings.ToUpper(needle)})
		like := program(t, m{"op": "like", "attribute": "s", "value": "%" + needle + "%_"})
		for _, text := range words(8) {
			doc := raw(t, m{"s": text})
			if got := contains.Match("k", doc); got != strings.Contains(text, needle) {
				t.Errorf("%q contains %q: got %v", text, needle, got)
			}
			_, last := utf8.DecodeLastRuneInString(text)
			want := text != "" && strings.Contains(text[:len(text)-last], needle)
			if got := like.Match("k", doc); got != want {
				t.Errorf("%q like %%%s%%_: got %v", text, needle, got)
			}
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	doc := raw(b, m{"name": "Ada Lovelace", "age": 36, "active": true, "updatedAt": 1771700000000.0, "tags": []any{"math", "engine"}})
	ids := make([]any, 10_000)
	for i := range ids {
		ids[i] = i * 7
	}
	for _, bc := range []struct {
		name string
		cond m
	}{
		{"eq", m{"op": "eq", "attribute": "name", "value": "Ada Lovelace"}},
		{"gt", m{"op": "gt", "attribute": "age", "value": 30}},
		{"and3", m{"op": "and", "children": []any{
			m{"op": "eq", "attribute": "active", "value": true},
			m{"op": "gte", "attribute": "age", "value": 18},
			m{"op": "in", "attribute": "tags", "value": "math"},
		}}},
		{"like", m{"op": "like", "attribute": "name", "value": "%love%"}},
		{"contains", m{"op": "contains", "attribute": "name", "value": "love"}},
		{"regex", m{"op": "regex", "attribute": "name", "value": "^Ada"}},
		{"in10000", m{"op": "in", "attribute": "age", "value": ids}},
		{"key", m{"op": "startsWith", "attribute": "_key", "value": "k"}},
	} {
		p := program(b, bc.cond)
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match("k1", doc)
			}
		})
	}
}
