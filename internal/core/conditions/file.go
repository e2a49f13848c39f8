package conditions

import (
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// maxSpots bounds the spots of one condition; one with more is always visited.
const maxSpots = 256

// how says what a spot demands of an attribute.
type how uint8

const (
	equals  how = iota // the attribute equals value
	element            // the attribute is an array that has value as an element
	within             // the attribute lies in span
	begins             // the attribute is a string that begins with text
	missing            // the attribute is missing or nil
)

// spot is something that one document has and another has not, and where
// conditions are filed that hold for none without it.
type spot struct {
	attribute string
	how       how
	value     value.Raw
	span      span
	text      string
}

// spotsOf returns spots of which a document must have at least one for the
// condition to hold. ok is false if there are none to be had. size estimates how
// many others are filed under a spot, to choose between the parts of an and.
func spotsOf(n *predicate.Node, size func(spot) int) (spots []spot, ok bool) {
	switch n.Op {
	case predicate.OpAnd:
		return bestPart(n, size)
	case predicate.OpOr:
		for _, child := range n.Children {
			below, ok := spotsOf(child, size)
			if !ok || len(spots)+len(below) > maxSpots {
				return nil, false
			}
			spots = append(spots, below...)
		}
		return spots, true
	case predicate.OpNot:
		return nil, false
	}
	return leafSpots(n)
}

// bestPart returns the spots of the part of an and that promises the fewest
// visits.
func bestPart(n *predicate.Node, size func(spot) int) (best []spot, ok bool) {
	least := 0
	consider := func(spots []spot) {
		cost := len(spots)
		for _, s := range spots {
			cost += size(s)
		}
		if !ok || cost < least {
			best, least, ok = spots, cost, true
		}
	}
	spans := map[string]span{}
	var order []string
	for _, child := range n.Children {
		spots, has := spotsOf(child, size)
		if !has {
			continue
		}
		if len(spots) != 1 || spots[0].how != within {
			consider(spots)
			continue
		}
		s := spots[0]
		if have, twice := spans[s.attribute]; twice {
			if s.span, has = have.and(s.span); !has {
				return nil, true // nothing lies in both
			}
		} else {
			order = append(order, s.attribute)
		}
		spans[s.attribute] = s.span
	}
	for _, name := range order {
		consider([]spot{{attribute: name, how: within, span: spans[name]}})
	}
	return best, ok
}

func leafSpots(n *predicate.Node) ([]spot, bool) {
	if n.AttributeRef != "" {
		return nil, false
	}
	if n.Op == predicate.OpIsNull {
		return []spot{{attribute: n.Attribute, how: missing}}, true
	}
	if n.ValueRef != "" || n.Op == predicate.OpIsNotNull {
		return nil, false
	}
	if k := n.Value.Kind(); (k == value.KindNil || k == value.KindInvalid) && n.Op != predicate.OpNeq {
		return nil, true // no other comparison with nil holds
	}
	one := func(s spot) ([]spot, bool) {
		s.attribute = n.Attribute
		return []spot{s}, true
	}
	switch n.Op {
	case predicate.OpEq:
		return one(spot{how: equals, value: n.Value})
	case predicate.OpIn:
		if n.Value.Kind() != value.KindArray {
			return one(spot{how: element, value: n.Value})
		}
		return listSpots(n)
	case predicate.OpContains:
		if n.Value.Kind() != value.KindStr { // which may be a part of a string
			return one(spot{how: element, value: n.Value})
		}
	case predicate.OpStartsWith:
		return one(spot{how: begins, text: text(n.Value)})
	case predicate.OpGt, predicate.OpGte, predicate.OpLt, predicate.OpLte, predicate.OpBetween:
		s, some := spanOf(n.Op, n.Value)
		if !some {
			return nil, true
		}
		return one(spot{how: within, span: s})
	}
	return nil, false
}

// listSpots has one for each element of the list of an in.
func listSpots(n *predicate.Node) ([]spot, bool) {
	var spots []spot
	for e := range value.Elements(n.Value) {
		if e.Kind() == value.KindNil {
			continue
		}
		if spots = append(spots, spot{attribute: n.Attribute, how: equals, value: e}); len(spots) > maxSpots {
			return nil, false
		}
	}
	return spots, true
}

// text is the content of a string.
func text(v value.Raw) string {
	r := value.NewReader(v)
	return r.Str()
}
