package vectors_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// queryFile has whole queries over records.
type queryFile struct {
	Records []queryRecord `json:"records"`
	Cases   []*queryCase  `json:"cases"`
}

type queryCase struct {
	Query randomQuery `json:"query"`
	// Pages are the results of the query, each behind the one before.
	Pages []queryPage `json:"pages"`
}

type queryPage struct {
	Rows []queryRecord `json:"rows"`
	More bool          `json:"more"`
}

type randomQuery struct {
	Where     json.RawMessage `json:"where,omitempty"`
	Predicate json.RawMessage `json:"predicate,omitempty"`
	Sort      []randomSort    `json:"sort,omitempty"`
	Limit     int             `json:"limit"`
	Fields    []string        `json:"fields,omitempty"`

	GroupBy      []string          `json:"groupBy,omitempty"`
	Aggregations []randomAggregate `json:"aggregations,omitempty"`
}

type randomAggregate struct {
	Func  string `json:"func"`
	Field string `json:"field,omitempty"`
}

type randomSort struct {
	Field     string `json:"field"`
	Direction string `json:"direction"`
}

// randomQueries makes queries without references, which a client of Go has not.
func randomQueries(t *testing.T, seed uint64, n int) *queryFile {
	t.Helper()
	conditions := randomConditions(t, seed, 1)
	d := drawer{rand.New(rand.NewPCG(seed, 1))}
	f := &queryFile{Records: conditions.Records}
	for range n {
		q := randomQuery{Limit: 1 + d.IntN(30)}
		switch d.IntN(3) {
		case 0:
			q.Where = text(t, map[string]any{d.attribute(): map[string]any{one(d, "$gt", "$lte", "$ne"): d.scalar()}})
		case 1:
			q.Predicate = text(t, map[string]any{"op": one(d, "gt", "lte", "neq", "contains"), "attribute": d.attribute(), "value": d.scalar()})
		}
		attribute := d.attribute
		if d.IntN(3) == 0 {
			attribute = d.group(&q)
		}
		for range d.IntN(3) {
			q.Sort = append(q.Sort, randomSort{attribute(), one(d, "asc", "desc")})
		}
		for range d.IntN(3) {
			q.Fields = append(q.Fields, attribute())
		}
		f.Cases = append(f.Cases, &queryCase{Query: q})
	}
	return f
}

// group makes groups, and returns what draws attributes of their rows.
func (d drawer) group(q *randomQuery) func() string {
	names := []string{"__key", "__count"}
	for range d.IntN(3) {
		q.GroupBy = append(q.GroupBy, d.attribute())
	}
	for range 1 + d.IntN(4) {
		a := randomAggregate{one(d, "count", "sum", "avg", "min", "max"), one(d, "n", "n", "a", "s", "o.a", "l.0", "_key", "missing")}
		q.Aggregations = append(q.Aggregations, a)
		names = append(names, "__"+a.Func+"_"+a.Field)
	}
	names = append(names, q.GroupBy...)
	return func() string { return one(d, names...) }
}

// answer fills in what follows.
func (f *queryFile) answer(t *testing.T) {
	t.Helper()
	c, err := topgun.Connect(t.Context(), "ws://127.0.0.1:1/ws", topgun.StartOffline())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := topgun.MapOf[topgun.Raw](c, "m")
	for _, r := range f.Records {
		if doc := rawOf(t, r.Value); doc.Kind() != value.KindNil {
			if _, err := m.Set(r.Key, topgun.Raw(doc)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range f.Cases {
		c.Pages = nil
		q := c.Query.of(t)
		for more := true; more; {
			r := first(t, m, q)
			page := queryPage{Rows: []queryRecord{}, More: r.More}
			for _, row := range r.Rows {
				page.Rows = append(page.Rows, queryRecord{row.Key, jsonOf(t, value.Raw(row.Value))})
			}
			c.Pages = append(c.Pages, page)
			more, q.After = r.More, r.Cursor
		}
	}
}

func first(t *testing.T, m *topgun.Map[topgun.Raw], q topgun.Query) topgun.Result[topgun.Raw] {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	live, err := m.QueryLocal(ctx, q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	r, err := live.Next()
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return r
}

// of is the query as a client of Go has it.
func (q randomQuery) of(t *testing.T) topgun.Query {
	t.Helper()
	out := topgun.Query{Limit: q.Limit, Fields: q.Fields, GroupBy: q.GroupBy}
	for _, a := range q.Aggregations {
		out.Aggregations = append(out.Aggregations, topgun.Aggregation{Func: a.Func, Of: a.Field})
	}
	for _, s := range q.Sort {
		out.Sort = append(out.Sort, topgun.Sort{By: s.Field, Descending: s.Direction == "desc"})
	}
	if q.Where != nil {
		out.Where = map[string]any{}
		for name, v := range value.Fields(rawOf(t, q.Where)) {
			out.Where[name] = topgun.Raw(v)
		}
	}
	if q.Predicate != nil {
		node := rawOf(t, q.Predicate)
		part := func(name string) value.Raw {
			v, _ := value.Lookup(node, value.ParsePath(name))
			return v
		}
		attribute, op := part("attribute").Any().(string), part("op").Any().(string)
		out.Predicate = topgun.Is(attribute, op, topgun.Raw(part("value")))
	}
	return out
}
