package access

import (
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// literal reports whether a condition compares a field of the record with a
// value that is known.
func literal(n *predicate.Node) bool { return n.AttributeRef == "" && n.ValueRef == "" }

// onField returns the conditions on a field.
func onField(leaves []*predicate.Node, field string, ops ...predicate.Op) []*predicate.Node {
	var out []*predicate.Node
	for _, n := range leaves {
		if literal(n) && n.Attribute == field && slices.Contains(ops, n.Op) {
			out = append(out, n)
		}
	}
	return out
}

// keysOf returns the keys of the only records that can match.
func keysOf(leaves []*predicate.Node) (keys []string, ok bool) {
	for _, n := range onField(leaves, predicate.KeyAttribute, predicate.OpEq, predicate.OpIn) {
		var found []string
		for _, v := range elements(n) {
			if v.Kind() == value.KindStr {
				r := value.NewReader(v)
				found = append(found, strings.Clone(r.Str()))
			}
		}
		slices.Sort(found)
		if found = slices.Compact(found); !ok || len(found) < len(keys) {
			keys, ok = found, true
		}
	}
	return keys, ok
}

// elements are the values that eq, or in with a list, asks for.
func elements(n *predicate.Node) []value.Raw {
	if n.Op != predicate.OpIn {
		return []value.Raw{n.Value}
	}
	return slices.Collect(value.Elements(n.Value))
}

// points returns the values that a field must have one of; missing is among them
// as nil. ok is false when it may have any.
func points(leaves []*predicate.Node, field string) (values []value.Raw, why string, ok bool) {
	for _, n := range onField(leaves, field, predicate.OpEq, predicate.OpIn, predicate.OpIsNull) {
		var found []value.Raw
		switch {
		case n.Op == predicate.OpIsNull:
			found = []value.Raw{nil}
		case n.Op == predicate.OpIn && n.Value.Kind() != value.KindArray:
			continue // the field is an array that has the value
		default:
			found = elements(n)
		}
		slices.SortFunc(found, value.Compare)
		found = slices.CompactFunc(found, value.Equal)
		if !ok || len(found) < len(values) {
			values, why, ok = found, field+" "+n.Op.String(), true
		}
	}
	return values, why, ok && len(values) <= maxParts
}

// indexed returns the paths that use an index.
func (q Question) indexed(d index.Definition, leaves []*predicate.Node) []Path {
	switch d.Kind {
	case index.Hash:
		return q.hashed(d, leaves)
	case index.Inverted:
		return inverted(d, leaves)
	default:
		return q.ordered(d, leaves)
	}
}

// hashed needs the values of all fields.
func (q Question) hashed(d index.Definition, leaves []*predicate.Node) []Path {
	tuples, why, ok := tuplesOf(d.Fields, leaves)
	if !ok || len(tuples) == 0 || len(tuples[0]) < len(d.Fields) {
		return nil
	}
	var p Path
	for _, t := range tuples {
		p.Parts = append(p.Parts, Part{d, d.Equal(t...), why})
	}
	p.Ordered = len(tuples) == 1 && len(q.Sort) == 0
	return []Path{p}
}

// tuplesOf returns the values that the first fields must have, each a tuple: of
// as many fields as have conditions for points. ok is false when there are too
// many.
func tuplesOf(fields []string, leaves []*predicate.Node) (tuples [][]value.Raw, why string, ok bool) {
	tuples = [][]value.Raw{nil}
	var reasons []string
	for _, f := range fields {
		values, why, ok := points(leaves, f)
		if !ok {
			break
		}
		if len(values)*len(tuples) > maxParts {
			return nil, "", false
		}
		var next [][]value.Raw
		for _, t := range tuples {
			for _, v := range values {
				next = append(next, append(slices.Clone(t), v))
			}
		}
		tuples, reasons = next, append(reasons, why)
	}
	return tuples, strings.Join(reasons, ", "), true
}

// ordered uses values of the first fields, then a range of the next one, and the
// order of those behind the values.
func (q Question) ordered(d index.Definition, leaves []*predicate.Node) []Path {
	tuples, why, ok := tuplesOf(d.Fields, leaves)
	if !ok || len(tuples) == 0 {
		return nil
	}
	fixed := len(tuples[0])
	in, desc := q.inOrder(d.Fields[fixed:])
	if fixed < len(d.Fields) {
		if low, high, prefix, reason, some := rangeOf(leaves, d.Fields[fixed]); some {
			var p Path
			for _, t := range tuples {
				r := d.Between(t, low, high)
				if prefix != nil {
					r = d.StartsWith(t, *prefix)
				}
				p.Parts = append(p.Parts, Part{d, r, join(why, reason)})
			}
			return []Path{finish(p, in, desc)}
		}
	}
	if fixed == 0 && !in {
		return nil
	}
	var p Path
	for _, t := range tuples {
		p.Parts = append(p.Parts, Part{d, d.Equal(t...), why})
	}
	return []Path{finish(p, in, desc)}
}

// finish makes a path an ordered one if it can be.
func finish(p Path, in, desc bool) Path {
	if p.Ordered = in && len(p.Parts) == 1; p.Ordered {
		p.Parts[0].Range.Desc = desc
	}
	return p
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// inOrder reports whether records that are equal in all fields before these
// come in the order of the query: it sorts by the first of them, all in one
// direction, and those that it does not sort by would not come between.
func (q Question) inOrder(fields []string) (in, desc bool) {
	if len(q.Sort) != len(fields) {
		return false, false
	}
	for i, s := range q.Sort {
		if s.Field != fields[i] || s.Desc != q.Sort[0].Desc {
			return false, false
		}
	}
	return true, len(q.Sort) > 0 && q.Sort[0].Desc
}

// rangeOf returns the narrowest range that the conditions on a field give, or a
// prefix that its strings begin with.
func rangeOf(leaves []*predicate.Node, field string) (low, high index.Bound, prefix *string, why string, some bool) {
	var reasons []string
	note := func(n *predicate.Node) {
		some = true
		reasons = append(reasons, field+" "+n.Op.String())
	}
	for _, n := range onField(leaves, field, predicate.OpStartsWith) {
		if n.Value.Kind() == value.KindStr {
			r := value.NewReader(n.Value)
			s := strings.Clone(r.Str())
			note(n)
			return low, high, &s, strings.Join(reasons, ", "), true
		}
	}
	for _, n := range onField(leaves, field, predicate.OpGt, predicate.OpGte, predicate.OpLt, predicate.OpLte, predicate.OpBetween) {
		lo, hi, ok := bounds(n)
		if !ok || !sameType(first(lo, hi), first(low, high)) {
			continue // another type: nothing can match both; one of them is enough
		}
		note(n)
		if tighter(lo, low, 1) {
			low = lo
		}
		if tighter(hi, high, -1) {
			high = hi
		}
	}
	return low, high, nil, strings.Join(reasons, ", "), some
}

func first(a, b index.Bound) value.Raw {
	if a.Value != nil {
		return a.Value
	}
	return b.Value
}

func sameType(a, b value.Raw) bool {
	return a == nil || b == nil || a.Kind() == b.Kind() || a.Kind().Number() && b.Kind().Number()
}

// bounds are the ends of the values for which a comparison can hold.
func bounds(n *predicate.Node) (low, high index.Bound, ok bool) {
	switch n.Op {
	case predicate.OpGt, predicate.OpGte:
		low = index.Bound{Value: n.Value, Open: n.Op == predicate.OpGt}
	case predicate.OpLt, predicate.OpLte:
		high = index.Bound{Value: n.Value, Open: n.Op == predicate.OpLt}
	default:
		pair := elements(&predicate.Node{Op: predicate.OpIn, Value: n.Value})
		if len(pair) != 2 || !sameType(pair[0], pair[1]) {
			return low, high, false
		}
		low, high = index.Bound{Value: pair[0]}, index.Bound{Value: pair[1]}
	}
	k := first(low, high).Kind()
	return low, high, k.Number() || k == value.KindStr || k == value.KindBool
}

// tighter reports whether a bound leaves less than another one of its side.
func tighter(b, than index.Bound, side int) bool {
	switch {
	case b.Value == nil:
		return false
	case than.Value == nil:
		return true
	}
	c := value.Compare(b.Value, than.Value) * side
	return c > 0 || c == 0 && b.Open
}

// inverted has a path for each condition on the elements of the field.
func inverted(d index.Definition, leaves []*predicate.Node) []Path {
	var out []Path
	for _, n := range onField(leaves, d.Fields[0], predicate.OpContains, predicate.OpContainsAll, predicate.OpContainsAny, predicate.OpIn) {
		why := d.Fields[0] + " " + n.Op.String()
		switch n.Op {
		case predicate.OpContains, predicate.OpIn:
			if n.Op == predicate.OpContains || n.Value.Kind() != value.KindArray {
				out = append(out, having(d, why, n.Value))
			}
		case predicate.OpContainsAny:
			list := slices.Collect(value.Elements(n.Value))
			if len(list) > 0 && len(list) <= maxParts/4 {
				out = append(out, having(d, why, list...))
			}
		default: // each element has to be there
			for i, e := range slices.Collect(value.Elements(n.Value)) {
				if i < 8 {
					out = append(out, having(d, why, e))
				}
			}
		}
	}
	return out
}

func having(d index.Definition, why string, elements ...value.Raw) Path {
	var p Path
	seen := map[string]bool{}
	for _, e := range elements {
		for _, r := range d.Contains(e) {
			if !seen[string(r.From)] {
				seen[string(r.From)] = true
				p.Parts = append(p.Parts, Part{d, r, why})
			}
		}
	}
	return p
}
