package group

import (
	"iter"
	"maps"

	"github.com/topgunbuild/topgun-go/internal/core/ordered"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Set is the groups of a set of records that grows and shrinks.
type Set struct {
	how    *Grouping
	groups map[string]*Group // by id
	full   bool
}

// Group is all records that agree in what is grouped by.
type Group struct {
	Key   string // the values as people write them; no two groups have the same
	Count int64  // records; a group without any is none

	id   string                   // the values, in their normal form
	sums []value.Sum              // by place in over
	bags []*ordered.Tree[counted] // the same
}

// counted is a value in its normal form, and how many records have it.
type counted struct {
	value value.Raw
	count int64
}

// NewSet makes the groups of no records.
func NewSet(g *Grouping) *Set { return &Set{how: g, groups: map[string]*Group{}} }

// Len is how many groups there are.
func (s *Set) Len() int { return len(s.groups) }

// All are the groups, in no order.
func (s *Set) All() iter.Seq[*Group] { return maps.Values(s.groups) }

// Full reports whether there were more than MaxGroups. Then the groups are not to
// be used.
func (s *Set) Full() bool { return s.full }

// Put adds a record (sign is 1), or takes out one that was added (-1), and
// returns its group, which may be empty then; nil where there are too many.
func (s *Set) Put(key string, doc value.Raw, sign int64) *Group {
	id := make([]byte, 0, 64)
	for _, a := range s.how.by {
		id = value.AppendNormal(id, a.Of(key, doc))
	}
	gr := s.groups[string(id)]
	if gr == nil {
		if gr = s.open(string(id)); gr == nil {
			return nil
		}
	}
	gr.Count += sign
	for i, a := range s.how.over {
		v := a.Of(key, doc)
		if k := v.Kind(); k == value.KindInvalid || k == value.KindNil {
			continue
		}
		if s.how.summed[i] {
			if sign > 0 {
				gr.sums[i].Add(v)
			} else {
				gr.sums[i].Remove(v)
			}
		}
		if s.how.sorted[i] {
			bag := gr.bags[i]
			in := bag.Put(counted{value: value.AppendNormal(nil, v)})
			if in.count += sign; in.count == 0 {
				bag.Remove(in)
			}
		}
	}
	if gr.Count == 0 {
		delete(s.groups, gr.id)
	}
	return gr
}

func (s *Set) open(id string) *Group {
	if len(s.groups) >= MaxGroups {
		s.full = true
		return nil
	}
	gr := &Group{id: id, Key: s.key(id), sums: make([]value.Sum, len(s.how.over)), bags: make([]*ordered.Tree[counted], len(s.how.over))}
	for i := range gr.bags {
		if s.how.sorted[i] {
			gr.bags[i] = &ordered.Tree[counted]{Compare: func(a, b *counted) int { return value.Compare(a.value, b.value) }}
		}
	}
	s.groups[id] = gr
	return gr
}

// Value is the value of a group's row: __key, __count, what is grouped by, and
// the aggregates.
func (s *Set) Value(gr *Group) value.Raw {
	b := value.AppendMap(nil, 2+len(s.how.by)+len(s.how.aggregates))
	b = value.AppendStr(value.AppendStr(b, "__key"), gr.Key)
	b = value.AppendInt(value.AppendStr(b, "__count"), gr.Count)
	r := value.NewReader([]byte(gr.id))
	for _, a := range s.how.by {
		b = append(value.AppendStr(b, a.Name), r.Raw()...)
	}
	for _, a := range s.how.aggregates {
		b = gr.appendAggregate(value.AppendStr(b, a.name), a)
	}
	return b
}

func (gr *Group) appendAggregate(dst []byte, a aggregate) []byte {
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
