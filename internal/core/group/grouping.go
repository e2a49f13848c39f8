package group

import (
	"fmt"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Limits of what is grouped.
const (
	MaxFields       = 16      // that are grouped by
	MaxAggregations = 64      // of a query
	MaxGroups       = 1 << 16 // every one is kept, with its sums
)

// Grouping says how groups are made of records. It is immutable.
type Grouping struct {
	by         []document.Attribute
	aggregates []aggregate
	over       []document.Attribute // what aggregates look at, each once
	summed     []bool               // of over: there is a sum or an average
	sorted     []bool               // of over: there is a least or a greatest
}

type aggregate struct {
	fn   wire.AggregateFunc
	name string // of its field in the group's value
	over int
}

// NewGrouping is nil for a query without groups. An error names the part of the
// query that is wrong.
func NewGrouping(q *wire.Query) (*Grouping, error) {
	switch {
	case len(q.GroupBy) == 0 && len(q.Aggregations) == 0:
		return nil, nil
	case len(q.GroupBy) > MaxFields:
		return nil, fmt.Errorf("groupBy[%d]: at most %[1]d are possible", MaxFields)
	case len(q.Aggregations) > MaxAggregations:
		return nil, fmt.Errorf("aggregations[%d]: at most %[1]d are possible", MaxAggregations)
	}
	g := &Grouping{}
	for _, f := range q.GroupBy {
		g.by = append(g.by, document.NewAttribute(strings.Clone(f)))
	}
	for i, a := range q.Aggregations {
		switch a.Func {
		case wire.AggregateCount:
			continue // every group has it
		case wire.AggregateSum, wire.AggregateAvg, wire.AggregateMin, wire.AggregateMax:
		default:
			return nil, fmt.Errorf("aggregations[%d].func: %q is none of count, sum, avg, min and max", i, a.Func)
		}
		if a.Field == "" {
			return nil, fmt.Errorf("aggregations[%d].field: %s needs a field", i, a.Func)
		}
		name := "__" + string(a.Func) + "_" + a.Field
		if slices.ContainsFunc(g.aggregates, func(have aggregate) bool { return have.name == name }) {
			continue
		}
		at := slices.IndexFunc(g.over, func(have document.Attribute) bool { return have.Name == a.Field })
		if at < 0 {
			at = len(g.over)
			g.over = append(g.over, document.NewAttribute(strings.Clone(a.Field)))
			g.summed, g.sorted = append(g.summed, false), append(g.sorted, false)
		}
		sums := a.Func == wire.AggregateSum || a.Func == wire.AggregateAvg
		g.summed[at], g.sorted[at] = g.summed[at] || sums, g.sorted[at] || !sums
		g.aggregates = append(g.aggregates, aggregate{a.Func, name, at})
	}
	return g, nil
}

// Text is different for different groupings, and empty for none.
func (g *Grouping) Text() string {
	if g == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("|by")
	for _, a := range g.by {
		fmt.Fprintf(&b, "%q", a.Name)
	}
	for _, a := range g.aggregates {
		fmt.Fprintf(&b, ",%q", a.name)
	}
	return b.String()
}
