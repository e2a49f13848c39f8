package predicate_test

import (
	"bytes"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

var (
	leaves = []string{
		"eq", "neq", "gt", "gte", "lt", "lte", "like", "regex", "in", "between", "isNull", "isNotNull",
		"contains", "containsAll", "containsAny", "startsWith", "endsWith",
	}
	attributes = []string{"a", "b", "c", "a.b", "a.0", "b.c", "_key", "0", "zz"}
	refs       = []string{"auth.a", "auth.b", "auth.c", "data.a", "data.b", "data.c", "data._key"}
	regexes    = []string{"", "a", "^a.?$", "[a-b]+", "(?i)ab", "é|É", "b$"}
	likes      = []string{"", "%", "a%", "%b", "_", "a_c", "%a%b%", "é", "__", "%%", "A%C", "k%", "%_"}
)

// conditions draws decoded conditions as a client would write them.
func conditions(depth int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		if depth == 0 || rapid.Bool().Draw(t, "leaf") {
			return leaf(t)
		}
		n := map[string]any{"op": rapid.SampledFrom([]string{"and", "or", "not"}).Draw(t, "op")}
		if rapid.IntRange(0, 9).Draw(t, "childless") > 0 {
			children := []any{}
			for _, c := range rapid.SliceOfN(conditions(depth-1), 0, 3).Draw(t, "children") {
				children = append(children, c)
			}
			n["children"] = children
		}
		return n
	})
}

func leaf(t *rapid.T) map[string]any {
	op := rapid.SampledFrom(leaves).Draw(t, "op")
	n := map[string]any{"op": op, "attribute": rapid.SampledFrom(attributes).Draw(t, "attribute")}
	if op != "regex" && rapid.IntRange(0, 4).Draw(t, "reference") == 0 {
		n["valueRef"] = rapid.SampledFrom(refs).Draw(t, "valueRef")
		return n
	}
	n["value"] = operand(op).Draw(t, "value")
	return n
}

// operand draws right sides that op accepts.
func operand(op string) *rapid.Generator[any] {
	texts := rapid.OneOf(rapid.SampledFrom(valuetest.Texts), rapid.StringN(0, 3, -1)).AsAny()
	list := func(least, most int) *rapid.Generator[any] {
		return rapid.SliceOfN(rapid.OneOf(valuetest.Any(1), texts), least, most).AsAny()
	}
	switch op {
	case "like":
		return rapid.OneOf(rapid.SampledFrom(likes).AsAny(), texts)
	case "regex":
		return rapid.SampledFrom(regexes).AsAny()
	case "startsWith", "endsWith":
		return texts
	case "between":
		return list(2, 2)
	case "in", "containsAll", "containsAny":
		return rapid.OneOf(list(0, 5), valuetest.Scalar())
	}
	return rapid.OneOf(texts, valuetest.Any(2))
}

// documents draws documents whose fields often are what conditions ask for.
func documents() *rapid.Generator[map[string]any] {
	texts := rapid.OneOf(rapid.SampledFrom(valuetest.Texts), rapid.SampledFrom([]string{"abc", "aXc", "ba", "bab\nab", "ſK"}))
	field := rapid.OneOf(valuetest.Any(3), texts.AsAny(), rapid.SliceOfN(rapid.OneOf(texts.AsAny(), valuetest.Scalar()), 0, 4).AsAny())
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "a.b", "b.c", "0", "_key"}), field, 0, 6)
}

func compile(t rapid.TB, raw value.Raw, env predicate.Env) *predicate.Program {
	t.Helper()
	n, err := predicate.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := predicate.Compile(n, env)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatchAgreesWithItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cond, doc, claims := conditions(3).Draw(t, "condition"), documents().Draw(t, "doc"), documents().Draw(t, "auth")
		key := rapid.SampledFrom(valuetest.Texts).Draw(t, "key")
		auth := valuetest.Encode(t, claims)
		p := compile(t, valuetest.Encode(t, cond), predicate.Env{Auth: auth})
		want := oracle(world{key: key, data: doc, auth: claims}, cond)
		if got := p.Match(key, valuetest.Encode(t, doc)); got != want {
			t.Fatalf("Match = %v, want %v", got, want)
		}
	})
}

// Whether claims are known early, late, or filled in by Bind makes no
// difference.
func TestBindKeepsTheResult(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cond, claims := conditions(3).Draw(t, "condition"), documents().Draw(t, "auth")
		doc, old := valuetest.Encode(t, documents().Draw(t, "doc")), valuetest.Encode(t, documents().Draw(t, "old"))
		env := predicate.Env{Auth: valuetest.Encode(t, claims)}
		in := predicate.Input{Key: "a", Data: doc, Old: old, Auth: env.Auth, Now: rapid.Int64Range(-3, 3).Draw(t, "now")}

		node, err := predicate.Parse(valuetest.Encode(t, cond))
		if err != nil {
			t.Fatal(err)
		}
		node = turn(t, node)
		var results []bool
		for _, c := range []struct {
			node *predicate.Node
			env  predicate.Env
		}{{node, predicate.Env{}}, {node, env}, {predicate.Bind(node, env), predicate.Env{}}, {predicate.Bind(node, env), env}} {
			p, err := predicate.Compile(c.node, c.env)
			if err != nil {
				t.Fatal(err)
			}
			results = append(results, p.Eval(in))
		}
		for _, r := range results[1:] {
			if r != results[0] {
				t.Fatalf("late, early, bound, both: %v", results)
			}
		}
	})
}

// turn makes some leaves look at references on the left, as policies do.
func turn(t *rapid.T, n *predicate.Node) *predicate.Node {
	for i, c := range n.Children {
		n.Children[i] = turn(t, c)
	}
	if n.Attribute != "" && rapid.Bool().Draw(t, "turn") {
		n.AttributeRef = rapid.SampledFrom([]string{"auth.a", "auth.b", "old.a", "data.b", "now"}).Draw(t, "attributeRef")
		if n.ValueRef != "" {
			n.ValueRef = rapid.SampledFrom([]string{"auth.c", "old.b", "data.c", "now"}).Draw(t, "valueRef")
		}
	}
	return n
}

func TestCanonicalFormIsTheSameCondition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cond, doc := conditions(3).Draw(t, "condition"), valuetest.Encode(t, documents().Draw(t, "doc"))
		env := predicate.Env{Auth: valuetest.Encode(t, documents().Draw(t, "auth"))}
		raw := valuetest.Encode(t, cond)
		node, err := predicate.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		canonical := predicate.Canonical(node)
		if err := value.Check(canonical); err != nil {
			t.Fatal(err)
		}
		if got, want := compile(t, canonical, env).Match("a", doc), compile(t, raw, env).Match("a", doc); got != want {
			t.Fatalf("Match = %v, of the original %v", got, want)
		}
		again, err := predicate.Parse(canonical)
		if err != nil {
			t.Fatal(err)
		}
		if b := predicate.Canonical(again); !bytes.Equal(b, canonical) {
			t.Fatalf("the canonical form of %x is %x", canonical, b)
		}
		other, err := predicate.Parse(valuetest.Encode(t, rewrite(t, cond)))
		if err != nil {
			t.Fatal(err)
		}
		if b := predicate.Canonical(other); !bytes.Equal(b, canonical) {
			t.Fatalf("written differently: %x, not %x", b, canonical)
		}
	})
}

// rewrite returns an equal condition written differently.
func rewrite(t *rapid.T, n map[string]any) map[string]any {
	n = maps.Clone(n)
	n["matchOptions"] = "ignored"
	op := n["op"].(string)
	if children, ok := n["children"].([]any); ok {
		out := []any{}
		for _, c := range children {
			out = append(out, rewrite(t, c.(map[string]any)))
		}
		if op != "not" && len(out) > 0 {
			out = rapid.Permutation(out).Draw(t, "order")
			out = append(out, out[0])
			out = []any{map[string]any{"op": op, "children": out[:1]}, map[string]any{"op": op, "children": out[1:]}}
		}
		n["children"] = out
	}
	if list, ok := n["value"].([]any); ok && len(list) > 0 && (op == "in" || op == "containsAll" || op == "containsAny") {
		list = rapid.Permutation(list).Draw(t, "list")
		n["value"] = append([]any{list[0]}, list...)
	}
	if op == "isNull" || op == "isNotNull" {
		n["value"] = "ignored"
	}
	if n["valueRef"] != nil {
		n["value"] = "ignored"
	}
	if rapid.Bool().Draw(t, "wrap") {
		return map[string]any{"op": "or", "children": []any{n}}
	}
	return n
}
