package query

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// The oracle answers a query the slow way: it makes every document from scratch,
// tries the condition on each, and groups, sorts and cuts what is left.

// slowDoc is a record as the oracle sees it.
type slowDoc struct {
	key        string
	value, doc value.Raw
}

// slowDocs are all documents of a map.
func slowDocs(t failer, mapName string, tab table) []slowDoc {
	t.Helper()
	var out []slowDoc
	for key, state := range tab {
		switch mapName {
		case records.CounterMap:
			out = append(out, slowDoc{key: key, value: raw(t, slowCounter(crdt.CounterState(state)))})
		case setMap:
			fields, values := map[string]any{}, []any{}
			for r := range crdt.ORState(state).Records() {
				fields[r.Tag] = r.Value
				values = append(values, r.Value)
			}
			if len(fields) == 0 {
				continue
			}
			d := slowDoc{key: key, value: raw(t, fields)}
			fields["_values"] = values
			d.doc = raw(t, fields)
			out = append(out, d)
			continue
		default:
			rec, err := crdt.ParseLWW(state)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if rec.Tombstone() {
				continue
			}
			out = append(out, slowDoc{key: key, value: rec.Value})
		}
		out[len(out)-1].doc = out[len(out)-1].value
	}
	slices.SortFunc(out, func(a, b slowDoc) int { return strings.Compare(a.key, b.key) })
	return out
}

func slowCounter(s crdt.CounterState) map[string]any {
	var up, down int64
	for e := range s.Entries() {
		up, down = up+int64(e.Pos), down+int64(e.Neg)
	}
	return map[string]any{"value": up - down, "positive": up, "negative": down}
}

func (d slowDoc) at(name string) value.Raw {
	if name == "_key" {
		return value.AppendStr(nil, d.key)
	}
	v, ok := value.Lookup(d.doc, value.ParsePath(name))
	if !ok {
		return nil
	}
	return v
}

// slowAnswer is what a query gives.
func slowAnswer(t failer, m *wire.QuerySub, tab table) (rows []slowDoc, more bool, total int64) {
	t.Helper()
	holds := slowCondition(t, m)
	for _, d := range slowDocs(t, m.MapName, tab) {
		if holds.Match(d.key, d.doc) {
			rows = append(rows, d)
		}
	}
	if len(m.Query.GroupBy) > 0 || len(m.Query.Aggregations) > 0 {
		rows = slowGroups(t, m, rows)
	}
	total = int64(len(rows))
	slices.SortStableFunc(rows, func(a, b slowDoc) int {
		for _, f := range m.Query.Sort {
			c := value.Compare(a.at(f.Field), b.at(f.Field))
			if f.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.key, b.key)
	})
	if n := int(m.Query.Limit.Or(int64(len(rows)))); len(rows) > n {
		rows, more = rows[:n], true
	}
	for i := range rows {
		if len(m.Fields) > 0 {
			rows[i].value = value.Project(rows[i].doc, m.Fields)
		}
	}
	return rows, more, total
}

func slowCondition(t failer, m *wire.QuerySub) *predicate.Program {
	t.Helper()
	var node *predicate.Node
	var err error
	switch {
	case len(m.Query.Predicate) > 0:
		node, err = predicate.Parse(m.Query.Predicate)
	case len(m.Query.Where) > 0:
		node, err = predicate.ParseWhere(m.Query.Where)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	p, err := predicate.Compile(node, predicate.Env{Auth: value.AppendMap(nil, 0)})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// slowGroups groups by the text of the values.
func slowGroups(t failer, m *wire.QuerySub, rows []slowDoc) []slowDoc {
	t.Helper()
	groups := map[string][]slowDoc{}
	for _, d := range rows {
		var id []byte
		for _, f := range m.Query.GroupBy {
			id = value.AppendNormal(id, d.at(f))
		}
		groups[string(id)] = append(groups[string(id)], d)
	}
	var out []slowDoc
	for _, in := range groups {
		g := map[string]any{"__count": int64(len(in))}
		var texts []string
		for _, f := range m.Query.GroupBy {
			v := value.Raw(value.AppendNormal(nil, in[0].at(f)))
			g[f] = v
			texts = append(texts, string(group.AppendKey(nil, v)))
		}
		g["__key"] = strings.Join(texts, "|")
		for _, a := range m.Query.Aggregations {
			if a.Func != wire.AggregateCount {
				g["__"+string(a.Func)+"_"+a.Field] = slowAggregate(a, in)
			}
		}
		v := raw(t, g)
		out = append(out, slowDoc{strings.Join(texts, "|"), v, v})
	}
	return out
}

func slowAggregate(a wire.Aggregation, in []slowDoc) any {
	sum, numbers := new(big.Float).SetPrec(4096), 0
	var all []value.Raw
	for _, d := range in {
		v := d.at(a.Field)
		if k := v.Kind(); k == value.KindInvalid || k == value.KindNil {
			continue
		}
		all = append(all, value.AppendNormal(nil, v))
		if v.Kind().Number() {
			r := value.NewReader(v)
			sum.Add(sum, big.NewFloat(r.Float()))
			numbers++
		}
	}
	slices.SortFunc(all, value.Compare)
	f, _ := sum.Float64()
	switch {
	case a.Func == wire.AggregateSum:
		return value.Raw(value.AppendNumber(nil, f))
	case a.Func == wire.AggregateAvg && numbers > 0:
		return value.Raw(value.AppendNumber(nil, f/float64(numbers)))
	case a.Func == wire.AggregateMin && len(all) > 0:
		return all[0]
	case a.Func == wire.AggregateMax && len(all) > 0:
		return all[len(all)-1]
	}
	return nil
}

// The maps of the histories beside liveMap.
const setMap = "tags"

var liveMaps = []string{liveMap, liveMap, liveMap, setMap, records.CounterMap}

// asker makes random queries.
type asker struct {
	t   failer
	rng *rand.Rand
}

// paths are what documents of a map have, and what they have not.
func paths(mapName string) []string {
	switch mapName {
	case setMap:
		return []string{"_values", "_values.0", "_values.1", "_key", "none"}
	case records.CounterMap:
		return []string{"value", "positive", "_key"}
	}
	return []string{"n", "g", "deep.n", "s", "list", "list.0", "_key", "none"}
}

func pick[T any](a *asker, from ...T) T { return from[a.rng.IntN(len(from))] }

// scalar is a value that documents have, or nearly.
func (a *asker) scalar() any {
	switch a.rng.IntN(8) {
	case 0:
		return pick(a, "a", "ab", "abc", "b", "", "k1")
	case 1:
		return pick[any](a, true, false, nil)
	case 2:
		return float64(a.rng.IntN(20)) / 2
	}
	return int64(a.rng.IntN(10))
}

func (a *asker) list(least, most int) []any {
	out := []any{}
	for range least + a.rng.IntN(most-least+1) {
		out = append(out, a.scalar())
	}
	return out
}

// operators are all that a query may have.
var operators = []string{
	"eq", "eq", "neq", "gt", "gte", "lt", "lte", "like", "regex", "in", "in", "between", "isNull", "isNotNull", "contains", "containsAll",
	"containsAny", "startsWith", "endsWith",
}

func (a *asker) leaf(mapName string) map[string]any {
	n := map[string]any{"op": pick(a, operators...), "attribute": pick(a, paths(mapName)...)}
	switch n["op"] {
	case "like", "regex", "startsWith", "endsWith":
		n["value"] = pick(a, "a", "ab", "b", "k1")
	case "between":
		n["value"] = a.list(2, 2)
	case "in":
		if n["value"] = a.scalar(); a.rng.IntN(4) > 0 {
			n["value"] = a.list(0, 4)
		}
	case "containsAll", "containsAny":
		n["value"] = a.list(0, 2)
	default:
		n["value"] = a.scalar()
	}
	if n["op"] != "regex" && a.rng.IntN(12) == 0 {
		n["valueRef"] = "data." + pick(a, paths(mapName)...)
	}
	return n
}

func (a *asker) condition(mapName string, depth int) map[string]any {
	if depth == 0 || a.rng.IntN(2) == 0 {
		return a.leaf(mapName)
	}
	children := []any{}
	for range a.rng.IntN(4) {
		children = append(children, a.condition(mapName, depth-1))
	}
	return map[string]any{"op": pick(a, "and", "and", "or", "or", "not"), "children": children}
}

// query makes a random query.
func (a *asker) query() *wire.QuerySub {
	a.t.Helper()
	m := &wire.QuerySub{MapName: pick(a, liveMaps...), Positions: a.rng.IntN(2) == 0}
	names := paths(m.MapName)
	q := &m.Query
	switch a.rng.IntN(5) {
	case 0:
	case 1:
		q.Where = raw(a.t, map[string]any{pick(a, names...): a.scalar(), pick(a, names...): map[string]any{"$gte": a.scalar()}})
	default:
		q.Predicate = raw(a.t, a.condition(m.MapName, 2))
	}
	if a.rng.IntN(4) == 0 {
		a.group(m)
		names = []string{"__count", "__key", "__sum_" + names[0], "__max_" + names[0], names[1], names[0]}
	}
	for range a.rng.IntN(3) {
		q.Sort = append(q.Sort, wire.SortField{Field: pick(a, names...), Descending: a.rng.IntN(2) == 0})
	}
	if a.rng.IntN(3) > 0 {
		q.Limit = wire.Some(int64(a.rng.IntN(8)))
	}
	if a.rng.IntN(4) == 0 {
		m.Fields = []string{pick(a, names...), pick(a, names...)}
	}
	q.TotalCount = a.rng.IntN(3) == 0
	return m
}

func (a *asker) group(m *wire.QuerySub) {
	names := paths(m.MapName)
	for range a.rng.IntN(3) {
		if name := pick(a, names...); !slices.Contains(m.Query.GroupBy, name) {
			m.Query.GroupBy = append(m.Query.GroupBy, name)
		}
	}
	m.Query.Aggregations = append(m.Query.Aggregations, wire.Aggregation{Func: wire.AggregateCount})
	for range a.rng.IntN(4) {
		f := pick(a, wire.AggregateSum, wire.AggregateAvg, wire.AggregateMin, wire.AggregateMax)
		m.Query.Aggregations = append(m.Query.Aggregations, wire.Aggregation{Func: f, Field: pick(a, names[0], names[1])})
	}
}

// doc is a random document.
func (a *asker) doc() value.Raw {
	d := map[string]any{"n": int64(a.rng.IntN(10)), "g": int64(a.rng.IntN(3))}
	for _, name := range []string{"n", "g", "s", "list"} {
		switch a.rng.IntN(8) {
		case 0:
			delete(d, name)
		case 1:
			d[name] = a.scalar()
		case 2:
			d[name] = a.list(0, 3)
		case 3:
			d[name] = a.rng.NormFloat64() * 1e3
		case 4:
			d[name] = pick(a, "a", "ab", "abc", "b")
		}
	}
	if a.rng.IntN(4) == 0 {
		d["deep"] = map[string]any{"n": a.scalar()}
	}
	return raw(a.t, d)
}

// text is a result in one line, rows by key.
func text(rows []slowDoc) string {
	s := screen{}
	for _, r := range rows {
		s[r.key] = string(r.value)
	}
	return s.text()
}
