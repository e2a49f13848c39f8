package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
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
	alike := []map[string]any{{"g": 1}, {"g": 1.0}, {"g": "1"}, {"g": nil}, {"g": "null"}, {"g": "x"}, {"g": ""}, {"g": "a|b"}}
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
			`"" {"__count":1,"__key":"\"\"","g":""}`,
			`"1" {"__count":1,"__key":"\"1\"","g":"1"}`,
			`"a|b" {"__count":1,"__key":"\"a|b\"","g":"a|b"}`,
			`"null" {"__count":1,"__key":"\"null\"","g":"null"}`,
			`1 {"__count":2,"__key":"1","g":1}`,
			`null {"__count":1,"__key":"null","g":null}`,
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
			if a, b := strings.Join(got, "\n"), strings.Join(c.want, "\n"); a != b || r.Error != "" {
				t.Errorf("%s, more %t\n%s\nwant\n%s", r.Error, r.HasMore, a, b)
			}
			h.unsubscribe(p, "q")
			h.leave()
		})
	}
}

// TestManyGroupsAreRefused: a query with more groups than are kept is answered
// with the reason, at once or when it gets too many.
func TestManyGroupsAreRefused(t *testing.T) {
	h := newHarness(t, "many", 1, gridtest.Options{Null: true}, Options{})
	var ops []records.Op
	for n := range group.MaxGroups {
		ops = append(ops, gridtest.Put(liveMap, fmt.Sprint("g", n), raw(t, map[string]any{"n": int64(n)}), gridtest.At(1, "x")))
	}
	h.world.Write(t, ops...)
	m := &wire.QuerySub{QueryID: "q", MapName: liveMap, Query: wire.Query{GroupBy: []string{"n"}, Limit: wire.Some(int64(1))}}
	p := h.join()
	h.handle(p, m)
	h.settleAll()
	if r := servicetest.One[*wire.QueryResp](t, p.Caller); len(r.Results) != 1 || !r.HasMore {
		t.Fatalf("%+v", r)
	}
	h.world.Write(t, gridtest.Put(liveMap, "one more", raw(t, map[string]any{"n": "x"}), gridtest.At(1, "x")))
	if r := servicetest.One[*wire.QueryResp](t, p.Caller); r.Code != wire.CodeTooLarge.Name() || r.Error == "" {
		t.Errorf("%+v", r)
	}
	h.handle(p, m)
	h.settleAll()
	if r := servicetest.One[*wire.QueryResp](t, p.Caller); r.Code != wire.CodeTooLarge.Name() || r.Error == "" {
		t.Errorf("%+v", r)
	}
	h.leave()
}
