package topgun_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/topgunbuild/topgun-go/clients/go"
)

// TestRowsVectors answers the queries of spec/vectors/query/rows.json from a
// replica; the server answers them in internal/service/query.
func TestRowsVectors(t *testing.T) {
	text, err := os.ReadFile("../../spec/vectors/query/rows.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Records []struct {
			Key string
			Doc map[string]any
		}
		Cases []struct {
			Query  json.RawMessage
			Fields []string
			Rows   []vectorRow
			More   bool
		}
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	c := must(topgun.Connect(t.Context(), "ws://127.0.0.1:1/ws", topgun.StartOffline()))(t)
	t.Cleanup(c.Close)
	m := topgun.MapOf[any](c, "m")
	for _, r := range f.Records {
		must(m.Set(r.Key, r.Doc))(t)
	}
	for _, vector := range f.Cases {
		q, ok := queryOf(t, vector.Query)
		if !ok {
			continue
		}
		q.Fields = vector.Fields
		r := must(must(m.QueryLocal(t.Context(), q))(t).Next())(t)
		rows := []vectorRow{}
		for _, row := range r.Rows {
			rows = append(rows, vectorRow{row.Key, plain(t, row.Value)})
		}
		if !reflect.DeepEqual(rows, vector.Rows) || r.More != vector.More {
			t.Errorf("%s\ngot  %v, more %t\nwant %v, more %t", vector.Query, rows, r.More, vector.Rows, vector.More)
		}
	}
}

type vectorRow struct {
	Key   string
	Value any
}

// plain is a value as JSON has it: all numbers are alike.
func plain(t *testing.T, v any) (out any) {
	t.Helper()
	if err := json.Unmarshal(must(json.Marshal(v))(t), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// queryOf reads a query as it is on the wire. A limit of 0 cannot be asked for.
func queryOf(t *testing.T, text []byte) (q topgun.Query, ok bool) {
	t.Helper()
	var wire struct {
		Where        map[string]any
		Predicate    *vectorNode
		Sort         []struct{ Field, Direction string }
		Limit        *int
		GroupBy      []string
		Aggregations []struct{ Func, Field string }
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		t.Fatal(err)
	}
	q.GroupBy, q.Where = wire.GroupBy, wire.Where
	if wire.Predicate != nil {
		q.Predicate = wire.Predicate.of()
	}
	for _, s := range wire.Sort {
		q.Sort = append(q.Sort, topgun.Sort{By: s.Field, Descending: s.Direction == "desc"})
	}
	for _, a := range wire.Aggregations {
		q.Aggregations = append(q.Aggregations, topgun.Aggregation{Func: a.Func, Of: a.Field})
	}
	if wire.Limit != nil {
		q.Limit = *wire.Limit
	}
	return q, wire.Limit == nil || q.Limit > 0
}

type vectorNode struct {
	Op, Attribute string
	Value         any
	Children      []vectorNode
}

func (n *vectorNode) of() topgun.Predicate {
	var children []topgun.Predicate
	for i := range n.Children {
		children = append(children, n.Children[i].of())
	}
	switch n.Op {
	case "and":
		return topgun.All(children...)
	case "or":
		return topgun.Any(children...)
	case "not":
		return topgun.Not(children[0])
	}
	return topgun.Is(n.Attribute, n.Op, n.Value)
}
