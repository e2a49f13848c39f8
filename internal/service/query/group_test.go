package query

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// TestGroups is the table of what a grouped query answers.
func TestGroups(t *testing.T) {
	docs := []map[string]any{
		{"g": "a", "n": 1, "deep": map[string]any{"x": 1}},
		{"g": "a", "n": 2.5},
		{"g": "b", "n": "text"},
		{"g": "b", "n": nil},
		{"n": 7},
		{"g": nil, "n": -7},
	}
	alike := []map[string]any{{"g": 1}, {"g": "1"}, {"g": nil}, {"g": "null"}, {"g": "x"}}
	all := []wire.Aggregation{
		{Func: wire.AggregateSum, Field: "n"},
		{Func: wire.AggregateAvg, Field: "n"},
		{Func: wire.AggregateMin, Field: "n"},
		{Func: wire.AggregateMax, Field: "n"},
		{Func: wire.AggregateCount},
	}
	by := func(limit int64, where map[string]any, aggs []wire.Aggregation, fields ...string) *wire.QuerySub {
		m := &wire.QuerySub{QueryID: "q", MapName: liveMap}
		m.Query.GroupBy, m.Query.Aggregations = fields, aggs
		if limit >= 0 {
			m.Query.Limit = wire.Some(limit)
		}
		if where != nil {
			m.Query.Where = raw(t, where)
		}
		return m
	}
	for _, c := range []struct {
		name    string
		message *wire.QuerySub
		want    []string
	}{
		{"that read alike", by(-1, map[string]any{"alike": true}, nil, "g"), []string{
			`["1"] {"__count":1,"__key":"[\"1\"]","g":"1"}`,
			`["null"] {"__count":1,"__key":"[\"null\"]","g":"null"}`,
			`[1] {"__count":1,"__key":"[1]","g":1}`,
			`[null] {"__count":1,"__key":"[null]","g":null}`,
			`x {"__count":1,"__key":"x","g":"x"}`,
		}},
		{"by one field", by(-1, nil, nil, "g"), []string{
			`a {"__count":2,"__key":"a","g":"a"}`,
			`b {"__count":2,"__key":"b","g":"b"}`,
			`null {"__count":2,"__key":"null","g":null}`,
		}},
		{"with every aggregate", by(-1, nil, all, "g"), []string{
			`a {"__avg_n":1.75,"__count":2,"__key":"a","__max_n":2.5,"__min_n":1,"__sum_n":3.5,"g":"a"}`,
			`b {"__avg_n":null,"__count":2,"__key":"b","__max_n":"text","__min_n":"text","__sum_n":0,"g":"b"}`,
			`null {"__avg_n":0,"__count":2,"__key":"null","__max_n":7,"__min_n":-7,"__sum_n":0,"g":null}`,
		}},
		{"of everything", by(-1, nil, []wire.Aggregation{{Func: wire.AggregateCount}}), []string{` {"__count":6,"__key":""}`}},
		{"by two fields", by(2, nil, nil, "g", "deep.x"), []string{
			`a|1 {"__count":1,"__key":"a|1","deep.x":1,"g":"a"}`,
			`a|null {"__count":1,"__key":"a|null","deep.x":null,"g":"a"}`,
		}},
		{"with a condition", by(-1, map[string]any{"g": "a"}, nil, "g"), []string{`a {"__count":2,"__key":"a","g":"a"}`}},
		{"of nothing", by(-1, map[string]any{"g": "z"}, all, "g"), nil},
		{"with room for none", by(0, nil, nil, "g"), nil},
		{"with room for more than there is", by(99999, map[string]any{"g": "b"}, nil, "g"), []string{`b {"__count":2,"__key":"b","g":"b"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, c.name, 1, gridtest.Options{Null: true}, Options{SliceRows: 2})
			for i, doc := range docs {
				h.world.Write(t, gridtest.Put(liveMap, fmt.Sprint("k", i), raw(t, doc), gridtest.At(1, "x")))
			}
			if c.name == "that read alike" {
				for i, doc := range alike {
					doc["alike"] = true
					h.world.Write(t, gridtest.Put(liveMap, fmt.Sprint("alike", i), raw(t, doc), gridtest.At(1, "x")))
				}
			}
			p := h.join()
			h.handle(p, c.message)
			h.settleAll()
			r := servicetest.One[*wire.QueryResp](t, p.Caller)
			var got []string
			for _, row := range r.Results {
				got = append(got, row.Key+" "+string(value.AppendCanonical(nil, row.Value)))
			}
			if a, b := strings.Join(got, "\n"), strings.Join(c.want, "\n"); a != b || r.Error != "" || r.HasMore || r.NextCursor != "" {
				t.Errorf("%s, more %t\n%s\nwant\n%s", r.Error, r.HasMore, a, b)
			}
			// It is answered once: what happens then is not told, and there is
			// nothing to be undone.
			h.world.Write(t, gridtest.Put("elsewhere", "k", raw(t, docs[0]), gridtest.At(2, "x")))
			h.unsubscribe(p, "q")
			h.leave()
		})
	}
}

// TestGroupsAreTheSumOfTheirRows: counts, sums and extremes of random groups are
// those of the rows, computed one by one.
func TestGroupsAreTheSumOfTheirRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &wire.QuerySub{MapName: "m"}
		m.Query.GroupBy = []string{"n"}
		m.Query.Aggregations = []wire.Aggregation{{Func: wire.AggregateMin, Field: "m"}, {Func: wire.AggregateMax, Field: "m"}}
		p := mustPlan(t, m)
		w := newWindow(p)
		type slow struct {
			count       int64
			least, most value.Raw
		}
		want := map[string]*slow{}
		for i := range rapid.IntRange(0, 20).Draw(t, "rows") {
			doc := drawDoc(t)
			key := fmt.Sprint("k", i)
			w.set(key, p.row(key, stateOf(doc), 1), nil)
			g, ok := value.Lookup(doc, value.ParsePath("n"))
			if !ok {
				g = value.AppendNil(nil)
			}
			id := string(value.AppendCanonical(nil, append(value.AppendArray(nil, 1), g...)))
			if want[id] == nil {
				want[id] = &slow{}
			}
			s := want[id]
			s.count++
			if v, ok := value.Lookup(doc, value.ParsePath("m")); ok && v.Kind() != value.KindNil {
				if s.least == nil || value.Compare(v, s.least) < 0 {
					s.least = v
				}
				if s.most == nil || value.Compare(v, s.most) > 0 {
					s.most = v
				}
			}
		}
		rows, err := p.groups.rows(w)
		if err != nil || len(rows) != len(want) {
			t.Fatalf("%d groups of %d, %v", len(rows), len(want), err)
		}
		keys := map[string]bool{}
		for _, r := range rows {
			if err := value.Check(r.Value); err != nil {
				t.Fatalf("the value of %s: %v", r.Key, err)
			}
			if keys[r.Key] {
				t.Fatalf("two groups are called %s", r.Key)
			}
			keys[r.Key] = true
			g, ok := value.Lookup(r.Value, value.ParsePath("n"))
			s := want[string(value.AppendCanonical(nil, append(value.AppendArray(nil, 1), g...)))]
			if s == nil || !ok {
				t.Fatalf("a group %s that is none", r.Key)
				return
			}
			get := func(name string) value.Raw {
				v, _ := value.Lookup(r.Value, value.ParsePath(name))
				return v
			}
			if !value.Equal(get("__count"), value.AppendInt(nil, s.count)) {
				t.Fatalf("%s counts %x, want %d", r.Key, []byte(get("__count")), s.count)
			}
			if value.Compare(get("__min_m"), orNil(s.least)) != 0 || value.Compare(get("__max_m"), orNil(s.most)) != 0 {
				t.Fatalf("%s lies between %x and %x", r.Key, []byte(get("__min_m")), []byte(get("__max_m")))
			}
		}
	})
}
