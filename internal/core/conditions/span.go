package conditions

import (
	"cmp"

	"github.com/topgunbuild/topgun-go/internal/core/ordered"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// span is an interval of the values of one class. A bound that is nil is that of
// the class.
type span struct {
	class     class
	low, high value.Raw
	openLow   bool // low itself is not in it
	openHigh  bool
}

// class is a type whose values are in an order among themselves.
type class uint8

const (
	noClass class = iota
	numbers
	strings
	booleans
	classes
)

func classOf(v value.Raw) class {
	switch k := v.Kind(); {
	case k.Number():
		return numbers
	case k == value.KindStr:
		return strings
	case k == value.KindBool:
		return booleans
	}
	return noClass
}

// spanOf is the interval of a comparison; some is false if nothing is in it.
func spanOf(op predicate.Op, v value.Raw) (s span, some bool) {
	if op == predicate.OpBetween {
		r := value.NewReader(v)
		r.ArrayHeader()
		low, high := r.Raw(), r.Raw()
		s = span{class: classOf(low), low: low, high: high}
		return s, s.class != noClass && classOf(high) == s.class && value.Compare(low, high) <= 0
	}
	s.class = classOf(v)
	switch op {
	case predicate.OpGt:
		s.low, s.openLow = v, true
	case predicate.OpGte:
		s.low = v
	case predicate.OpLt:
		s.high, s.openHigh = v, true
	case predicate.OpLte:
		s.high = v
	}
	return s, s.class != noClass
}

// and is what lies in both; some is false if nothing does.
func (s span) and(o span) (both span, some bool) {
	if s.class != o.class {
		return s, false
	}
	if compareLow(&o, &s) > 0 {
		s.low, s.openLow = o.low, o.openLow
	}
	if compareHigh(&o, &s) < 0 {
		s.high, s.openHigh = o.high, o.openHigh
	}
	if s.low == nil || s.high == nil {
		return s, true
	}
	c := value.Compare(s.low, s.high)
	return s, c < 0 || c == 0 && !s.openLow && !s.openHigh
}

// compareLow orders by where spans begin.
func compareLow(a, b *span) int {
	if a.low == nil || b.low == nil {
		return order(a.low != nil, b.low != nil)
	}
	return cmp.Or(value.Compare(a.low, b.low), order(a.openLow, b.openLow))
}

// compareHigh orders by where spans end.
func compareHigh(a, b *span) int {
	if a.high == nil || b.high == nil {
		return order(a.high == nil, b.high == nil)
	}
	return cmp.Or(value.Compare(a.high, b.high), order(!a.openHigh, !b.openHigh))
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// startsBefore reports whether v is not below the span.
func (s *span) startsBefore(v value.Raw) bool {
	if s.low == nil {
		return true
	}
	c := value.Compare(s.low, v)
	return c < 0 || c == 0 && !s.openLow
}

// endsBehind reports whether v is not above the span.
func (s *span) endsBehind(v value.Raw) bool {
	if s.high == nil {
		return true
	}
	c := value.Compare(v, s.high)
	return c < 0 || c == 0 && !s.openHigh
}

// interval is a span with the conditions that are filed under it, and the end
// that reaches farthest among those below it in the tree.
type interval[T any] struct {
	span     span
	farthest *span
	filed    *bucket[T]
}

func newIntervals[T any]() *ordered.Tree[interval[T]] {
	return &ordered.Tree[interval[T]]{
		Compare: func(a, b *interval[T]) int {
			return cmp.Or(compareLow(&a.span, &b.span), compareHigh(&a.span, &b.span))
		},
		Pull: func(i, left, right *interval[T]) {
			i.farthest = &i.span
			for _, below := range []*interval[T]{left, right} {
				if below != nil && compareHigh(below.farthest, i.farthest) > 0 {
					i.farthest = below.farthest
				}
			}
		},
	}
}
