package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

var fields = []string{"a", "b", "c.d"}

func scalar(t *rapid.T, name string) any {
	return rapid.OneOf(
		rapid.Map(rapid.IntRange(-2, 2), func(n int) any { return n }),
		rapid.Map(rapid.SampledFrom([]float64{0.5, 1, -2}), func(f float64) any { return f }),
		rapid.Map(rapid.SampledFrom([]string{"", "a", "ab", "b"}), func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	).Draw(t, name)
}

func raw(t *rapid.T, v any) value.Raw {
	t.Helper()
	b, err := value.FromAny(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func list(t *rapid.T, name string, least int) []any {
	out := make([]any, rapid.IntRange(least, 3).Draw(t, name))
	for i := range out {
		out[i] = scalar(t, name)
	}
	return out
}

func document(t *rapid.T) value.Raw {
	doc := map[string]any{}
	put := func(to map[string]any, name string) {
		switch rapid.IntRange(0, 5).Draw(t, name) {
		case 0:
		case 1:
			to[name] = nil
		case 2:
			to[name] = list(t, name, 0)
		default:
			to[name] = scalar(t, name)
		}
	}
	inner := map[string]any{}
	put(doc, "a")
	put(doc, "b")
	put(inner, "d")
	doc["c"] = inner
	return raw(t, doc)
}

func condition(t *rapid.T, depth int) *predicate.Node {
	ops := []predicate.Op{
		predicate.OpEq, predicate.OpNeq, predicate.OpGt, predicate.OpGte, predicate.OpLt, predicate.OpLte, predicate.OpIn,
		predicate.OpBetween, predicate.OpIsNull, predicate.OpIsNotNull, predicate.OpContains, predicate.OpContainsAll,
		predicate.OpContainsAny, predicate.OpStartsWith, predicate.OpEndsWith,
	}
	if depth > 0 {
		ops = append(ops, predicate.OpAnd, predicate.OpAnd, predicate.OpAnd, predicate.OpOr, predicate.OpNot)
	}
	n := &predicate.Node{Op: rapid.SampledFrom(ops).Draw(t, "op")}
	switch n.Op {
	case predicate.OpAnd, predicate.OpOr:
		for range rapid.IntRange(0, 3).Draw(t, "children") {
			n.Children = append(n.Children, condition(t, depth-1))
		}
		return n
	case predicate.OpNot:
		n.Children = []*predicate.Node{condition(t, depth-1)}
		return n
	case predicate.OpIsNull, predicate.OpIsNotNull:
	case predicate.OpContainsAll, predicate.OpContainsAny:
		n.Value = raw(t, list(t, "list", 0))
	case predicate.OpIn:
		if n.Value = raw(t, list(t, "list", 0)); rapid.IntRange(0, 3).Draw(t, "of the field") == 0 {
			n.Value = raw(t, scalar(t, "element"))
		}
	case predicate.OpBetween:
		n.Value = raw(t, []any{scalar(t, "low"), scalar(t, "high")})
	case predicate.OpStartsWith, predicate.OpEndsWith:
		n.Value = raw(t, rapid.SampledFrom([]string{"", "a", "ab", "b"}).Draw(t, "text"))
	default:
		n.Value = raw(t, scalar(t, "value"))
	}
	n.Attribute = rapid.SampledFrom(fields).Draw(t, "field")
	if rapid.IntRange(0, 9).Draw(t, "by key") == 0 {
		n.Attribute = predicate.KeyAttribute
		if n.Op == predicate.OpEq {
			n.Value = raw(t, fmt.Sprint("k", rapid.IntRange(0, 9).Draw(t, "key")))
		}
	}
	return n
}

func definitions(t *rapid.T) []index.Definition {
	var out []index.Definition
	for range rapid.IntRange(0, 3).Draw(t, "indexes") {
		d := index.Definition{Map: "m", Kind: rapid.SampledFrom([]index.Kind{index.Ordered, index.Ordered, index.Hash, index.Inverted}).Draw(t, "kind")}
		n := rapid.IntRange(1, 3).Draw(t, "fields")
		if d.Kind == index.Inverted {
			n = 1
		}
		d.Fields = rapid.Permutation(fields).Draw(t, "which")[:n]
		out = append(out, d)
	}
	return out
}

// here are records with their indexes.
type here struct {
	records map[string]value.Raw
	indexes map[string]*index.Index
}

func (h here) Records() int { return len(h.records) }

func (h here) at(d index.Definition) *index.Index { return h.indexes[string(d.Kind)+d.Name()] }

func (h here) Entries(d index.Definition, r index.Range) (n int, whole, ok bool) {
	x := h.at(d)
	return x.Count(r), x.Whole(), true
}

// keys are those that a path leads to, in its order.
func (h here) keys(p Path) []string {
	if p.Whole() {
		return slices.Sorted(maps.Keys(h.records))
	}
	if len(p.And) > 0 {
		other := h.keys(p.And[1])
		return slices.DeleteFunc(h.keys(p.And[0]), func(k string) bool { return !slices.Contains(other, k) })
	}
	out := slices.Clone(p.Keys)
	for _, part := range p.Parts {
		h.at(part.Index).Read(part.Range, index.Cursor{}, func(key string, _ []byte) bool {
			out = append(out, key)
			return true
		})
	}
	return out
}

// TestEveryPathLeadsToAllThatMatch takes every path of random conditions over
// random records, with random indexes: what matches is on it, and on one that
// says so in the order of the query.
func TestEveryPathLeadsToAllThatMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Question{Indexes: definitions(t)}
		h := here{records: map[string]value.Raw{}, indexes: map[string]*index.Index{}}
		for _, d := range q.Indexes {
			h.indexes[string(d.Kind)+d.Name()] = index.New(d)
		}
		for i := range rapid.IntRange(0, 10).Draw(t, "records") {
			key := fmt.Sprint("k", i)
			h.records[key] = document(t)
			for _, x := range h.indexes {
				x.Put(key, h.records[key])
			}
		}
		if rapid.Bool().Draw(t, "conditional") {
			q.Node = condition(t, 2)
		}
		for _, f := range rapid.Permutation(fields).Draw(t, "sort")[:rapid.IntRange(0, 2).Draw(t, "sort fields")] {
			q.Sort = append(q.Sort, SortField{f, rapid.Bool().Draw(t, "desc")})
		}
		match, err := predicate.Compile(q.Node, predicate.Env{})
		if err != nil {
			t.Skip("the condition is refused")
		}
		want := matching(q, h, match)
		estimates := Choose(Paths(q), h, rapid.IntRange(0, 3).Draw(t, "wanted"))
		if len(estimates) == 0 {
			t.Fatal("there is no path")
		}
		for _, e := range estimates {
			got := slices.DeleteFunc(h.keys(e.Path), func(k string) bool {
				return h.records[k] == nil || !match.Match(k, h.records[k])
			})
			if !e.Path.Ordered {
				slices.Sort(got)
				got = slices.Compact(got)
				slices.Sort(want)
			} else {
				want = matching(q, h, match)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("the path %v leads to %v, want %v", e.Path, got, want)
			}
		}
	})
}

// matching are the keys that match, in the order of the query.
func matching(q Question, h here, match *predicate.Program) []string {
	var out []string
	for k, v := range h.records {
		if match.Match(k, v) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		for _, s := range q.Sort {
			x, _ := value.Lookup(h.records[a], value.ParsePath(s.Field))
			y, _ := value.Lookup(h.records[b], value.ParsePath(s.Field))
			if c := value.Compare(x, y); c != 0 {
				if s.Desc {
					return -c
				}
				return c
			}
		}
		return strings.Compare(a, b)
	})
	return out
}

// many pretends to have many records, of which each range has as many as told.
type many map[string]int

func (m many) Records() int { return m["records"] }

func (m many) Entries(d index.Definition, r index.Range) (int, bool, bool) {
	n, ok := m[d.Attribute()]
	if r.From == nil {
		n = m["records"]
	}
	return n, true, ok
}

func TestTheCheapestPathIsTaken(t *testing.T) {
	str := func(s string) value.Raw { return value.AppendStr(nil, s) }
	eq := func(f, v string) *predicate.Node {
		return &predicate.Node{Op: predicate.OpEq, Attribute: f, Value: str(v)}
	}
	status := index.Definition{Map: "m", Kind: index.Hash, Fields: []string{"status"}}
	owner := index.Definition{Map: "m", Kind: index.Hash, Fields: []string{"owner"}}
	rank := index.Definition{Map: "m", Kind: index.Ordered, Fields: []string{"rank"}}
	both := index.Definition{Map: "m", Kind: index.Ordered, Fields: []string{"status", "rank"}}
	byRank := []SortField{{"rank", false}}
	for _, c := range []struct {
		name   string
		q      Question
		counts many
		wanted int
		path   string
		rows   int
	}{
		{"no condition", Question{Indexes: []index.Definition{status}}, many{"records": 1000, "status": 10}, 0, "scan", 1000},
		{
			"an index that finds little",
			Question{Node: eq("status", "x"), Indexes: []index.Definition{status}},
			many{"records": 1000, "status": 10},
			0, "hash(status): status eq, in order", 10,
		},
		{
			"an index that finds nearly all",
			Question{Node: eq("status", "x"), Indexes: []index.Definition{status}},
			many{"records": 1000, "status": 900},
			0, "scan", 1000,
		},
		{
			"the narrower of two",
			Question{Node: predicate.And(eq("status", "x"), eq("owner", "y")), Indexes: []index.Definition{status, owner}},
			many{"records": 1000, "status": 100, "owner": 5},
			0, "hash(owner): owner eq, in order", 5,
		},
		{
			"the order, for a few of all",
			Question{Sort: byRank, Indexes: []index.Definition{rank}},
			many{"records": 1_000_000, "rank": 0},
			20, "navigable(rank): , in order", 20,
		},
		{
			"the order, for a few that are not rare",
			Question{Node: eq("status", "x"), Sort: byRank, Indexes: []index.Definition{status, rank}},
			many{"records": 1_000_000, "status": 500_000, "rank": 0},
			20, "navigable(rank): , in order", 40,
		},
		{
			"not the order, when few match",
			Question{Node: eq("status", "x"), Sort: byRank, Indexes: []index.Definition{status, rank}},
			many{"records": 1_000_000, "status": 50, "rank": 0},
			20, "hash(status): status eq", 50,
		},
		{
			"a compound index for both",
			Question{Node: eq("status", "x"), Sort: byRank, Indexes: []index.Definition{status, rank, both}},
			many{"records": 1_000_000, "status": 1000, "rank": 0, "status,rank": 1000},
			20, "navigable(status,rank): status eq, in order", 20,
		},
		{"keys", Question{Node: eq(predicate.KeyAttribute, "k")}, many{"records": 1000}, 0, "1 keys", 1},
		{
			"either of two",
			Question{Node: predicate.Or(eq("status", "x"), eq("owner", "y")), Indexes: []index.Definition{status, owner}},
			many{"records": 1000, "status": 10, "owner": 5},
			0, "hash(status): status eq | hash(owner): owner eq", 15,
		},
		{
			"either, one without an index",
			Question{Node: predicate.Or(eq("status", "x"), eq("owner", "y")), Indexes: []index.Definition{status}},
			many{"records": 1000, "status": 10},
			0, "scan", 1000,
		},
		{
			"an index that is not complete",
			Question{Node: eq("owner", "x"), Indexes: []index.Definition{owner}},
			many{"records": 1000},
			0, "scan", 1000,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			best := Choose(Paths(c.q), c.counts, c.wanted)[0]
			if best.Path.String() != c.path || best.Rows != c.rows {
				t.Errorf("took %q for %d rows, want %q for %d", best.Path, best.Rows, c.path, c.rows)
			}
		})
	}
}
