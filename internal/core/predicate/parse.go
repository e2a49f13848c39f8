package predicate

import (
	"bytes"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Parse decodes a condition as clients send it: maps of op, attribute, value,
// children and valueRef. Other fields, the extras of full-text search among
// them, are ignored; absent and nil mean the same. The tree does not alias raw.
//
// The error is an *Error. Whether a regex is one is checked by Compile.
func Parse(raw value.Raw) (*Node, error) {
	if value.Check(raw) != nil {
		return nil, syntaxError("predicate", "not a value")
	}
	p := parser{r: value.NewReader(bytes.Clone(raw))}
	n, err := p.node(1)
	if err != nil {
		return nil, err.within("predicate")
	}
	return n, nil
}

// parser walks over a value that passed Check, once.
type parser struct {
	r     value.Reader
	nodes int // seen so far
}

// count takes note of one more node.
func (p *parser) count() *Error {
	if p.nodes++; p.nodes > MaxNodes {
		return limitError("", "operators", MaxNodes)
	}
	return nil
}

func (p *parser) node(depth int) (*Node, *Error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	if depth > MaxDepth {
		return nil, limitError("", "levels", MaxDepth)
	}
	if k := p.r.Kind(); k != value.KindMap {
		return nil, syntaxError("", fmt.Sprintf("want a map, got %v", k))
	}
	var f fields
	for range p.r.MapHeader() {
		if p.r.Kind() != value.KindStr {
			p.r.Skip()
			p.r.Skip()
			continue
		}
		switch p.r.Str() {
		case "op":
			f.op = p.r.Raw()
		case "attribute":
			f.attribute = p.r.Raw()
		case "value":
			f.value = p.r.Raw()
		case "valueRef":
			f.valueRef = p.r.Raw()
		case "children":
			var err *Error
			if f.children, err = p.children(depth); err != nil {
				return nil, err
			}
		default:
			p.r.Skip()
		}
	}
	return f.node()
}

func (p *parser) children(depth int) ([]*Node, *Error) {
	if p.r.Nil() {
		return nil, nil
	}
	if k := p.r.Kind(); k != value.KindArray {
		return nil, syntaxError("children", fmt.Sprintf("want an array, got %v", k))
	}
	var nodes []*Node
	for i := range p.r.ArrayHeader() {
		n, err := p.node(depth + 1)
		if err != nil {
			return nil, err.within(fmt.Sprintf("children[%d]", i))
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// fields are the parts of an encoded node.
type fields struct {
	op, attribute, value, valueRef value.Raw
	children                       []*Node
}

// node makes a node of its parts.
func (f *fields) node() (*Node, *Error) {
	name, err := text("op", f.op)
	if err != nil {
		return nil, err
	}
	n := &Node{Op: opsByName[name]}
	if n.Op == 0 {
		return nil, unsupportedError("op", name)
	}
	if n.Op.logical() {
		n.Children = f.children
		return n, nil
	}
	if n.Attribute, err = text("attribute", f.attribute); err != nil {
		return nil, err
	}
	if n.Op.unary() {
		return n, nil
	}
	if absent(f.valueRef) {
		n.Value = f.value
		return n, checkValue(n.Op, n.Value)
	}
	if n.ValueRef, err = text("valueRef", f.valueRef); err != nil {
		return nil, err
	}
	if !clientRef(n.ValueRef) {
		return nil, syntaxError("valueRef", fmt.Sprintf("%q is not a reference to auth or data", n.ValueRef))
	}
	return n, nil
}

// text decodes a string field that must be there.
func text(field string, v value.Raw) (string, *Error) {
	if v.Kind() != value.KindStr {
		return "", syntaxError(field, fmt.Sprintf("want a string, got %v", v.Kind()))
	}
	r := value.NewReader(v)
	return r.Str(), nil
}

// absent reports whether v is missing or nil.
func absent(v value.Raw) bool {
	k := v.Kind()
	return k == value.KindInvalid || k == value.KindNil
}
