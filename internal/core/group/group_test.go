package group

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

func grouping(t *testing.T) *Grouping {
	t.Helper()
	g, err := NewGrouping(&wire.Query{GroupBy: []string{"g"}, Aggregations: []wire.Aggregation{
		{Func: wire.AggregateCount},
		{Func: wire.AggregateSum, Field: "n"},
		{Func: wire.AggregateAvg, Field: "n"},
		{Func: wire.AggregateMin, Field: "n"},
		{Func: wire.AggregateMax, Field: "n"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func rows(s *Set) string {
	var out []string
	for gr := range s.All() {
		out = append(out, gr.Key+string(s.Value(gr)))
	}
	slices.Sort(out)
	return fmt.Sprintf("%q", out)
}

// TestTakingOutIsNeverHavingPutIn compares groups of which records were taken out
// again with those of the records that are left.
func TestTakingOutIsNeverHavingPutIn(t *testing.T) {
	g := grouping(t)
	scalar := rapid.OneOf(
		rapid.Just(value.Raw(value.AppendNil(nil))), rapid.Just(value.Raw(value.AppendStr(nil, "x"))),
		rapid.Custom(func(t *rapid.T) value.Raw { return value.AppendInt(nil, rapid.Int64().Draw(t, "int")) }),
		rapid.Custom(func(t *rapid.T) value.Raw { return value.AppendFloat(nil, rapid.Float64().Draw(t, "float")) }),
	)
	rapid.Check(t, func(rt *rapid.T) {
		all := NewSet(g)
		docs := map[string]value.Raw{}
		for range rapid.IntRange(0, 40).Draw(rt, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(rt, "key")
			if old, there := docs[key]; there {
				all.Put(key, old, -1)
				delete(docs, key)
				continue
			}
			doc := value.AppendStr(value.AppendMap(nil, 2), "g")
			doc = append(doc, scalar.Draw(rt, "g")...)
			doc = append(value.AppendStr(doc, "n"), scalar.Draw(rt, "n")...)
			docs[key] = doc
			all.Put(key, doc, +1)
		}
		left := NewSet(g)
		for key, doc := range docs {
			left.Put(key, doc, +1)
		}
		if a, b := rows(all), rows(left); a != b || all.Len() != left.Len() {
			rt.Fatalf("%s\nleft %s", a, b)
		}
	})
}

func TestGroupingsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		query wire.Query
		want  string
	}{
		{wire.Query{GroupBy: make([]string, MaxFields+1)}, "groupBy[16]: at most 16 are possible"},
		{wire.Query{Aggregations: make([]wire.Aggregation, MaxAggregations+1)}, "aggregations[64]: at most 64 are possible"},
		{wire.Query{Aggregations: []wire.Aggregation{{Func: "median", Field: "n"}}}, `aggregations[0].func: "median" is none of count, sum, avg, min and max`},
		{wire.Query{Aggregations: []wire.Aggregation{{Func: wire.AggregateMin}}}, "aggregations[0].field: min needs a field"},
	} {
		if _, err := NewGrouping(&c.query); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if g, err := NewGrouping(&wire.Query{}); g != nil || err != nil || g.Text() != "" {
		t.Errorf("no groups: %v, %v", g, err)
	}
}

func TestThereIsAnEndToGroups(t *testing.T) {
	s := NewSet(grouping(t))
	for i := range int64(MaxGroups) {
		s.Put("k", value.AppendInt(value.AppendStr(value.AppendMap(nil, 1), "g"), i), +1)
	}
	if s.Full() || s.Put("k", value.AppendMap(nil, 0), +1) != nil || !s.Full() || s.Len() != MaxGroups {
		t.Errorf("%d groups, full %t", s.Len(), s.Full())
	}
}
