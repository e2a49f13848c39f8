package topgun

import (
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Predicate is a condition on records. The zero Predicate holds for all.
//
// An attribute is a field of the value, or a path of fields joined by dots;
// _key is the record's key. A missing attribute is like nil: every comparison
// with it is false, neq as well.
type Predicate struct {
	node map[string]any
}

// Is compares an attribute with a value. The operators are
//
//	eq neq gt gte lt lte     numbers by value, strings by bytes
//	in between               a list; between takes two, and includes both
//	like regex               a pattern: % and _, ignoring case; RE2
//	startsWith endsWith      a string
//	contains containsAll containsAny
//	                         elements of an array, or parts of a string ignoring case
//	isNull isNotNull         the value is ignored, pass nil
//
// A wrong operator or value is told by Query.
func Is(attribute, operator string, v any) Predicate {
	return Predicate{map[string]any{"op": operator, "attribute": attribute, "value": v}}
}

// Conditional is a Predicate, or a Condition on records of any type.
type Conditional interface {
	~struct{ node map[string]any }
}

// All holds when all of cs do.
func All[C Conditional](cs ...C) C { return combine("and", cs) }

// Any holds when one of cs does.
func Any[C Conditional](cs ...C) C { return combine("or", cs) }

// Not holds when c does not.
func Not[C Conditional](c C) C { return combine("not", []C{c}) }

func combine[C Conditional](operator string, cs []C) C {
	children := make([]any, len(cs))
	for i, c := range cs {
		node := Predicate(c).node
		if node == nil {
			node = map[string]any{"op": "and"} // of nothing: it holds for all
		}
		children[i] = node
	}
	return C(Predicate{map[string]any{"op": operator, "children": children}})
}

// encodePredicate returns the condition as the server takes it, nil for the zero
// Predicate. The error is a *QueryError.
func (c *codec) encodePredicate(p Predicate) (value.Raw, error) {
	if p.node == nil {
		return nil, nil
	}
	raw, err := c.encode(p.node)
	if err == nil {
		var node *predicate.Node
		if node, err = predicate.Parse(raw); err == nil {
			_, err = predicate.Compile(node, predicate.Env{})
		}
	}
	return raw, queryError(err)
}

func (c *codec) encodeWhere(where map[string]any) (value.Raw, error) {
	if len(where) == 0 {
		return nil, nil
	}
	raw, err := c.encode(where)
	if err == nil {
		_, err = predicate.ParseWhere(raw)
	}
	return raw, queryError(err)
}

func queryError(err error) error {
	if err == nil {
		return nil
	}
	return &QueryError{Name: "INVALID_QUERY", Reason: err.Error()}
}
