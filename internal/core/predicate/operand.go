package predicate

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// checkValue reports what is wrong with v as the right side of op: its kind
// where the operator can do nothing with another, and its size. A nil is
// accepted by every operator but between; it makes the comparison false.
func checkValue(op Op, v value.Raw) *Error {
	if absent(v) && op != OpBetween {
		return nil
	}
	switch op {
	case OpLike, OpRegex:
		if err := wantString(v); err != nil {
			return err
		}
		if len(view(v)) > MaxPattern {
			return limitError("value", "bytes in a pattern", MaxPattern)
		}
	case OpStartsWith, OpEndsWith:
		return wantString(v)
	case OpIn:
		return checkCount(v, MaxList)
	case OpContainsAll, OpContainsAny:
		return checkCount(v, MaxNeedles)
	case OpBetween:
		if n, ok := count(v); !ok || n != 2 {
			return syntaxError("value", fmt.Sprintf("want an array of two, got %v", v.Kind()))
		}
	}
	return nil
}

// usable reports whether what a reference found can be the right side of op. If
// it cannot, the comparison is false.
func usable(op Op, v value.Raw) bool { return !absent(v) && checkValue(op, v) == nil }

func wantString(v value.Raw) *Error {
	if v.Kind() != value.KindStr {
		return syntaxError("value", fmt.Sprintf("want a string, got %v", v.Kind()))
	}
	return nil
}

func checkCount(v value.Raw, limit int) *Error {
	if n, _ := count(v); n > limit {
		return limitError("value", "elements", limit)
	}
	return nil
}

// count returns the number of elements of an array.
func count(v value.Raw) (n int, ok bool) {
	if v.Kind() != value.KindArray {
		return 0, false
	}
	r := value.NewReader(v)
	n = r.ArrayHeader()
	return n, r.Err() == nil
}

// view returns the content of a string value in place, nil for any other.
func view(v value.Raw) []byte {
	if v.Kind() != value.KindStr {
		return nil
	}
	r := value.NewReader(v)
	return r.StrBytes()
}
