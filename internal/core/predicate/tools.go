package predicate

import (
	"bytes"
	"math"
	"regexp"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// tools is what an operator prepares from its right side, once if that is a
// literal. A test uses those of its operator.
type tools struct {
	set     set      // in, containsAll, containsAny: the elements of the list
	needles []needle // contains, containsAll, containsAny: the strings to find
	regex   *regexp.Regexp
}

// makeTools prepares everything but a regex; nil for an operator that needs
// nothing, as most do. right has passed checkValue.
func makeTools(op Op, right value.Raw) *tools {
	switch op {
	case OpIn:
		if right.Kind() == value.KindArray {
			return &tools{set: makeSet(right)}
		}
	case OpContains:
		return &tools{needles: makeNeedles(right)}
	case OpContainsAll, OpContainsAny:
		set := makeSet(right)
		return &tools{set: set, needles: makeNeedles(set...)}
	}
	return nil
}

// holds evaluates an operator that compares. left is neither missing nor nil.
func (t *tools) holds(op Op, left, right value.Raw) bool {
	switch op {
	case OpEq, OpNeq, OpGt, OpGte, OpLt, OpLte:
		return compare(op, left, right)
	case OpLike:
		return bothStrings(left, right) && like(view(right), view(left))
	case OpRegex:
		return t != nil && left.Kind() == value.KindStr && t.regex.Match(view(left))
	case OpStartsWith:
		return bothStrings(left, right) && bytes.HasPrefix(view(left), view(right))
	case OpEndsWith:
		return bothStrings(left, right) && bytes.HasSuffix(view(left), view(right))
	case OpIn:
		if right.Kind() == value.KindArray {
			return t.set.has(left)
		}
		return hasElement(left, right)
	case OpBetween:
		return between(left, right)
	case OpContains:
		if left.Kind() == value.KindStr {
			return len(t.needles) == 1 && t.needles[0].in(view(left))
		}
		return hasElement(left, right)
	case OpContainsAll:
		return t.containsAll(left, right)
	case OpContainsAny:
		return t.containsAny(left)
	}
	return false
}

// compare evaluates the six comparisons. Values of different types are unequal
// and in no order, and so are NaN and everything.
func compare(op Op, a, b value.Raw) bool {
	ka, kb := a.Kind(), b.Kind()
	if ka != kb && (!ka.Number() || !kb.Number()) || isNaN(a) || isNaN(b) {
		return op == OpNeq
	}
	switch op {
	case OpEq:
		return value.Equal(a, b)
	case OpNeq:
		return !value.Equal(a, b)
	}
	if ka != value.KindBool && ka != value.KindStr && !ka.Number() {
		return false
	}
	c := value.Compare(a, b)
	switch op {
	case OpGt:
		return c > 0
	case OpGte:
		return c >= 0
	case OpLt:
		return c < 0
	}
	return c <= 0
}

// same is equality between elements: that of values, but NaN equals nothing.
func same(a, b value.Raw) bool { return value.Equal(a, b) && !isNaN(a) }

func isNaN(v value.Raw) bool {
	if v.Kind() != value.KindFloat {
		return false
	}
	r := value.NewReader(v)
	return math.IsNaN(r.Float())
}

func bothStrings(a, b value.Raw) bool {
	return a.Kind() == value.KindStr && b.Kind() == value.KindStr
}

// hasElement reports whether an array has an element; false if left is none.
func hasElement(left, element value.Raw) bool {
	if absent(element) {
		return false
	}
	for e := range value.Elements(left) {
		if same(e, element) {
			return true
		}
	}
	return false
}

func between(left, pair value.Raw) bool {
	r := value.NewReader(pair)
	r.ArrayHeader()
	low, high := r.Raw(), r.Raw()
	return compare(OpGte, left, low) && compare(OpLte, left, high)
}

// containsAll reports whether every element of the list is in left.
func (t *tools) containsAll(left, right value.Raw) bool {
	switch left.Kind() {
	case value.KindStr:
		if len(t.needles) != len(t.set) || absent(right) {
			return false // elements that are not strings are in none
		}
		for i := range t.needles {
			if !t.needles[i].in(view(left)) {
				return false
			}
		}
		return true
	case value.KindArray:
		return !absent(right) && t.set.covered(left)
	}
	return false
}

// containsAny reports whether an element of the list is in left.
func (t *tools) containsAny(left value.Raw) bool {
	if left.Kind() == value.KindStr {
		for i := range t.needles {
			if t.needles[i].in(view(left)) {
				return true
			}
		}
		return false
	}
	for e := range value.Elements(left) {
		if t.set.has(e) {
			return true
		}
	}
	return false
}
