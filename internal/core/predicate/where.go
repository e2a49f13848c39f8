package predicate

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// ParseWhere decodes a `where` map: every entry must hold. A field with a
// literal holds where the attribute equals it, or is nil or missing if the
// literal is nil. A field with a map whose keys all begin with $ is a set of
// operators that must all hold: $eq, $ne, $gt, $gte, $lt, $lte and $in; any
// other is ErrUnsupported. An absent map and an empty one always hold.
//
// The tree does not alias raw; the error is an *Error.
func ParseWhere(raw value.Raw) (*Node, error) {
	if absent(raw) {
		return Constant(true), nil
	}
	if raw.Kind() != value.KindMap || value.Check(raw) != nil {
		return nil, syntaxError("where", fmt.Sprintf("want a map, got %v", raw.Kind()))
	}
	var p parser
	var all []*Node
	for name, v := range value.Fields(bytes.Clone(raw)) {
		nodes, err := p.field(name, v)
		if err != nil {
			return nil, err.within(name).within("where")
		}
		all = append(all, nodes...)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return And(all...), nil
}

// field returns the conditions on one field.
func (p *parser) field(name string, v value.Raw) ([]*Node, *Error) {
	if !operators(v) {
		n, err := p.compare(OpEq, name, v)
		return []*Node{n}, err
	}
	var nodes []*Node
	for key, operand := range value.Fields(v) {
		op := whereOps[key]
		if op == 0 {
			return nil, unsupportedError(key, key)
		}
		n, err := p.compare(op, name, operand)
		if err != nil {
			return nil, err.within(key)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func (p *parser) compare(op Op, attribute string, v value.Raw) (*Node, *Error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	if absent(v) {
		switch op {
		case OpEq:
			return &Node{Op: OpIsNull, Attribute: attribute}, nil
		case OpNeq:
			return &Node{Op: OpIsNotNull, Attribute: attribute}, nil
		}
	}
	if err := checkValue(op, v); err != nil {
		err.Path = ""
		return nil, err
	}
	return &Node{Op: op, Attribute: attribute, Value: v}, nil
}

// operators reports whether v is a map of operators rather than a literal.
func operators(v value.Raw) bool {
	found := false
	for key := range value.Fields(v) {
		if !strings.HasPrefix(key, "$") {
			return false
		}
		found = true
	}
	return found
}
