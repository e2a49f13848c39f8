package query

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/ordered"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// maxGroups is the most groups of a query. Every one is kept, with its sums.
const maxGroups = 1 << 16

var errManyGroups = &service.Error{
	Code: wire.CodeTooLarge,
	Text: fmt.Sprintf("the query has more than %d groups; narrow it or group by less", maxGroups),
}

// grouping is the part of a plan that makes groups of records.
type grouping struct {
	by         []attribute
	aggregates []aggregate
	over       []attribute // what aggregates look at, each once
	summed     []bool      // of over: there is a sum or an average
	sorted     []bool      // of over: there is a least or a greatest
}

type aggregate struct {
	fn   wire.AggregateFunc
	name string // of its field in the group's value
	over int
}

// newGrouping is nil for a query without groups.
func newGrouping(q *wire.Query) (*grouping, error) {
	if len(q.GroupBy) == 0 && len(q.Aggregations) == 0 {
		return nil, nil
	}
	g := &grouping{}
	for _, f := range q.GroupBy {
		g.by = append(g.by, newAttribute(strings.Clone(f)))
	}
	for i, a := range q.Aggregations {
		if a.Func == wire.AggregateCount {
			continue // every group has it
		}
		if a.Field == "" {
			return nil, invalid(fmt.Errorf("aggregations[%d].field: %s needs a field", i, a.Func))
		}
		name := "__" + string(a.Func) + "_" + a.Field
		if slices.ContainsFunc(g.aggregates, func(have aggregate) bool { return have.name == name }) {
			continue
		}
		at := slices.IndexFunc(g.over, func(have attribute) bool { return have.name == a.Field })
		if at < 0 {
			at = len(g.over)
			g.over = append(g.over, newAttribute(strings.Clone(a.Field)))
			g.summed, g.sorted = append(g.summed, false), append(g.sorted, false)
		}
		sums := a.Func == wire.AggregateSum || a.Func == wire.AggregateAvg
		g.summed[at], g.sorted[at] = g.summed[at] || sums, g.sorted[at] || !sums
		g.aggregates = append(g.aggregates, aggregate{a.Func, name, at})
	}
	return g, nil
}

// text is different for different groupings, and empty for none.
func (g *grouping) text() string {
	if g == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("|by")
	for _, a := range g.by {
		fmt.Fprintf(&b, "%q", a.name)
	}
	for _, a := range g.aggregates {
		fmt.Fprintf(&b, ",%q", a.name)
	}
	return b.String()
}

// groupSet is the groups of a set of records that grows and shrinks.
type groupSet struct {
	*grouping
	groups map[string]*group // by id
	full   bool              // there were too many; the groups are not to be used
}

// group is all records that agree in what is grouped by.
type group struct {
	id    string // the values, in their normal form
	key   string // the same, as people write it
	count int64
	sums  []value.Sum              // by place in over
	bags  []*ordered.Tree[counted] // the same
}

// counted is a value in its normal form, and how many records have it.
type counted struct {
	value value.Raw
	count int64
}

func newGroupSet(g *grouping) *groupSet { return &groupSet{grouping: g, groups: map[string]*group{}} }

// put adds a record, or takes out one that was added, and returns its group,
// which may be empty then.
func (s *groupSet) put(key string, doc value.Raw, sign int64) *group {
	id := make([]byte, 0, 64)
	for _, a := range s.by {
		id = value.AppendNormal(id, a.of(key, doc))
	}
	gr := s.groups[string(id)]
	if gr == nil {
		if gr = s.open(string(id)); gr == nil {
			return nil
		}
	}
	if sign < 0 && mistake.QueryGroupsOnlyGrow {
		return gr
	}
	gr.count += sign
	for i, a := range s.over {
		v := a.of(key, doc)
		if k := v.Kind(); k == value.KindInvalid || k == value.KindNil {
			continue
		}
		if s.summed[i] {
			if sign > 0 {
				gr.sums[i].Add(v)
			} else {
				gr.sums[i].Remove(v)
			}
		}
		if s.sorted[i] {
			bag := gr.bags[i]
			in := bag.Put(counted{value: value.AppendNormal(nil, v)})
			if in.count += sign; in.count == 0 {
				bag.Remove(in)
			}
		}
	}
	if gr.count == 0 {
		delete(s.groups, gr.id)
	}
	return gr
}

func (s *groupSet) open(id string) *group {
	if len(s.groups) >= maxGroups {
		s.full = true
		return nil
	}
	gr := &group{id: id, key: s.key(id), sums: make([]value.Sum, len(s.over)), bags: make([]*ordered.Tree[counted], len(s.over))}
	for i := range gr.bags {
		if s.sorted[i] {
			gr.bags[i] = &ordered.Tree[counted]{Compare: func(a, b *counted) int { return value.Compare(a.value, b.value) }}
		}
	}
	s.groups[id] = gr
	return gr
}

// key writes the values of a group so that no two groups have the same.
func (s *groupSet) key(id string) string {
	var b []byte
	r := value.NewReader([]byte(id))
	for i := range s.by {
		if i > 0 {
			b = append(b, '|')
		}
		b = appendKey(b, r.Raw())
	}
	return string(b)
}

// appendKey writes one value in its normal form. A string is written as it is
// unless it could be taken for something else.
func appendKey(dst []byte, v value.Raw) []byte {
	switch v.Kind() {
	case value.KindStr:
		r := value.NewReader(v)
		s := r.Str()
		if plain(s) {
			return append(dst, s...)
		}
		return value.AppendQuoted(dst, s)
	case value.KindInt: // JavaScript would round those beyond 2^53
		if n, ok := v.Any().(uint64); ok {
			return strconv.AppendUint(dst, n, 10)
		}
		r := value.NewReader(v)
		return strconv.AppendInt(dst, r.Int(), 10)
	case value.KindNil, value.KindBool, value.KindFloat:
		return value.AppendCanonical(dst, v)
	default:
		sum := sha256.Sum256(v)
		return hex.AppendEncode(append(value.AppendCanonical(dst, v), '#'), sum[:8])
	}
}

// plain reports whether a string is not mistaken for anything else.
func plain(s string) bool {
	if s == "" || strings.ContainsAny(s, "|") || strings.ContainsRune(`"[{`, rune(s[0])) {
		return false
	}
	switch s {
	case "null", "true", "false", "NaN", "Infinity", "-Infinity":
		return false
	}
	if s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err != nil
}

// row is the row of a group, nil for an empty one or one that the plan leaves
// out.
func (s *groupSet) row(p *plan, gr *group) *row {
	if gr.count == 0 {
		return nil
	}
	v := s.value(gr)
	return p.place(&row{key: gr.key, state: string(v), value: v, made: true}, v)
}

// value is the value of a group's row.
func (s *groupSet) value(gr *group) value.Raw {
	b := value.AppendMap(nil, 2+len(s.by)+len(s.aggregates))
	b = value.AppendStr(value.AppendStr(b, "__key"), gr.key)
	b = value.AppendInt(value.AppendStr(b, "__count"), gr.count)
	r := value.NewReader([]byte(gr.id))
	for _, a := range s.by {
		b = append(value.AppendStr(b, a.name), r.Raw()...)
	}
	for _, a := range s.aggregates {
		b = gr.appendAggregate(value.AppendStr(b, a.name), a)
	}
	return b
}

func (gr *group) appendAggregate(dst []byte, a aggregate) []byte {
	sum, bag := &gr.sums[a.over], gr.bags[a.over]
	switch a.fn {
	case wire.AggregateSum:
		return value.AppendNumber(dst, sum.Float())
	case wire.AggregateAvg:
		if sum.Count() == 0 {
			return value.AppendNil(dst)
		}
		return value.AppendNumber(dst, sum.Float()/float64(sum.Count()))
	case wire.AggregateMin:
		if least := bag.Min(); least != nil {
			return append(dst, least.value...)
		}
	case wire.AggregateMax:
		if most := bag.Max(); most != nil {
			return append(dst, most.value...)
		}
	}
	return value.AppendNil(dst)
}
