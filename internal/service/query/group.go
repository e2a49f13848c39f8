package query

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// maxGrouped is the most records that a grouped query may select: its groups are
// computed from all of them at once.
const maxGrouped = 1 << 20

// grouping is the part of a plan that makes groups of rows. Its result is
// answered once; the protocol defines no live updates for it (02 §6).
type grouping struct {
	by         []named
	aggregates []aggregate
	limit      int
}

type named struct {
	name string
	path value.Path
}

type aggregate struct {
	fn    wire.AggregateFunc
	field named
}

// groupPlan makes the plan of a query with groupBy or aggregations.
func groupPlan(p *plan, m *wire.QuerySub, who policy.Principal) (*plan, error) {
	q := &m.Query
	g := &grouping{limit: p.limit}
	if q.Limit.Set && q.Limit.Value >= 0 && q.Limit.Value <= int64(p.limit) {
		g.limit = int(q.Limit.Value)
	}
	node, err := parseFilter(q, who)
	if err != nil {
		return nil, err
	}
	if p.match, err = predicate.Compile(node, predicate.Env{}); err != nil {
		return nil, invalid(err)
	}
	for _, f := range q.GroupBy {
		g.by = append(g.by, newNamed(f))
	}
	for i, a := range q.Aggregations {
		if a.Field == "" && a.Func != wire.AggregateCount {
			return nil, invalid(fmt.Errorf("aggregations[%d]: %s needs a field", i, a.Func))
		}
		g.aggregates = append(g.aggregates, aggregate{a.Func, newNamed(a.Field)})
	}
	p.groups, p.limit = g, maxGrouped
	// Grouped queries are answered one by one and never shared.
	p.base = fmt.Sprintf("%p", g)
	p.same = p.base
	return p, nil
}

func newNamed(field string) named {
	field = strings.Clone(field)
	return named{field, value.ParsePath(field)}
}

// rows groups the rows of a window. A group's key is the text of the values it
// is grouped by, in another form where two groups would read alike; its value
// holds them, __key, __count, and the aggregates.
func (g *grouping) rows(w *window) ([]wire.QueryRow, error) {
	if w.more() {
		return nil, &service.Error{
			Code: wire.CodeTooLarge, Text: fmt.Sprintf("the query selects more than %d records; narrow it", maxGrouped),
		}
	}
	groups := map[string]*group{}
	called := map[string]int{} // groups by key
	var order []*group
	for _, r := range w.rows {
		gr := g.of(r)
		if have := groups[gr.id]; have != nil {
			gr = have
		} else {
			groups[gr.id] = gr
			called[gr.key]++
			order = append(order, gr)
		}
		gr.add(g, r)
	}
	for _, gr := range order {
		if called[gr.key] > 1 {
			gr.key = gr.id // 1 and "1" read alike
		}
	}
	slices.SortFunc(order, func(a, b *group) int { return strings.Compare(a.key, b.key) })
	var out []wire.QueryRow
	for _, gr := range order[:min(len(order), g.limit)] {
		out = append(out, wire.QueryRow{Key: gr.key, Value: gr.encode(g)})
	}
	return out, nil
}

// of is the group that a row belongs to, as yet without rows.
func (g *grouping) of(r *row) *group {
	gr := &group{sums: make([]accumulator, len(g.aggregates))}
	var key []byte
	all := value.AppendArray(nil, len(g.by))
	for i, f := range g.by {
		v, _ := value.Lookup(r.value, f.path)
		if len(v) == 0 {
			v = value.AppendNil(nil)
		}
		gr.by = append(gr.by, v)
		all = append(all, v...)
		if i > 0 {
			key = append(key, '|')
		}
		key = value.AppendCanonical(key, v)
	}
	gr.key, gr.id = string(key), string(value.AppendCanonical(nil, all))
	return gr
}

// group is one group on its way.
type group struct {
	id    string // different for different values
	key   string // the same, as people write it
	by    []value.Raw
	count int64
	sums  []accumulator
}

// accumulator is one aggregate of one group. Sum and average are of numbers;
// least and greatest are by the order of values.
type accumulator struct {
	numbers     int64
	sum         float64
	least, most value.Raw
}

func (gr *group) add(g *grouping, r *row) {
	gr.count++
	for i, a := range g.aggregates {
		v, ok := value.Lookup(r.value, a.field.path)
		if a.fn == wire.AggregateCount || !ok || v.Kind() == value.KindNil {
			continue
		}
		s := &gr.sums[i]
		if v.Kind().Number() {
			rd := value.NewReader(v)
			s.sum += rd.Float()
			s.numbers++
		}
		if s.least == nil || value.Compare(v, s.least) < 0 {
			s.least = v
		}
		if s.most == nil || value.Compare(v, s.most) > 0 {
			s.most = v
		}
	}
}

func (gr *group) encode(g *grouping) value.Raw {
	n := 2 + len(g.by)
	var body bytes.Buffer
	put := func(name string, v value.Raw) {
		body.Write(value.AppendStr(nil, name))
		body.Write(v)
	}
	put("__key", value.AppendStr(nil, gr.key))
	put("__count", value.AppendInt(nil, gr.count))
	for i, f := range g.by {
		put(f.name, gr.by[i])
	}
	for i, a := range g.aggregates {
		if v := gr.sums[i].result(a.fn); v != nil {
			put("__"+string(a.fn)+"_"+a.field.name, v)
			n++
		}
	}
	return append(value.AppendMap(nil, n), body.Bytes()...)
}

// result is the value of an aggregate, nil for a count, which every group has.
func (s *accumulator) result(fn wire.AggregateFunc) value.Raw {
	switch fn {
	case wire.AggregateSum:
		return value.AppendNumber(nil, s.sum)
	case wire.AggregateAvg:
		if s.numbers == 0 {
			return value.AppendNil(nil)
		}
		return value.AppendNumber(nil, s.sum/float64(s.numbers))
	case wire.AggregateMin:
		return orNil(s.least)
	case wire.AggregateMax:
		return orNil(s.most)
	}
	return nil
}

func orNil(v value.Raw) value.Raw {
	if v == nil {
		return value.AppendNil(nil)
	}
	return v
}
