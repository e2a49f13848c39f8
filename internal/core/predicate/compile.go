package predicate

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Env is what is known about the caller when a condition is compiled.
type Env struct {
	// Auth are the caller's claims, a map. References to auth are replaced by
	// what they find there. Nil means not known yet: then Input.Auth is asked
	// at every match. For a caller without claims pass an empty map.
	Auth value.Raw
}

// Compile prepares a condition for matching. A nil node always holds. The
// Program keeps views of the node's values and of env.Auth.
//
// The error is an *Error: ErrSyntax for a value, reference or regex that its
// operator can do nothing with, ErrLimit, or ErrUnsupported for an operator
// that is not one of the constants and for a regex taken from the document.
func Compile(node *Node, env Env) (*Program, error) {
	c := compiler{env: env}
	if node == nil {
		node = Constant(true)
	}
	root, err := c.node(node, 1)
	if err != nil {
		return nil, err.within("predicate")
	}
	return &Program{root: root, uses: c.uses}, nil
}

type compiler struct {
	env   Env
	uses  uses
	nodes int
}

func (c *compiler) node(n *Node, depth int) (test, *Error) {
	if n == nil || !n.Op.valid() {
		return test{}, unsupportedError("op", "")
	}
	if c.nodes++; c.nodes > MaxNodes {
		return test{}, limitError("", "operators", MaxNodes)
	}
	if depth > MaxDepth {
		return test{}, limitError("", "levels", MaxDepth)
	}
	if !n.Op.logical() {
		return c.leaf(n)
	}
	t := test{op: n.Op}
	for i, child := range n.Children {
		kid, err := c.node(child, depth+1)
		if err != nil {
			return test{}, err.within(fmt.Sprintf("children[%d]", i))
		}
		t.kids = append(t.kids, kid)
	}
	if n.Op == OpNot && len(t.kids) == 0 {
		t.op = OpAnd // nothing to negate holds
	}
	return t, nil
}

func (c *compiler) leaf(n *Node) (test, *Error) {
	t := test{op: n.Op, left: attribute(n.Attribute)}
	if n.AttributeRef != "" {
		var err *Error
		if t.left, err = c.reference("attributeRef", n.AttributeRef); err != nil {
			return test{}, err
		}
	}
	c.note(t.left)
	if n.Op.unary() {
		return t, nil
	}
	if n.ValueRef == "" {
		t.right.literal = n.Value
		return c.literal(t)
	}
	var err *Error
	if t.right, err = c.reference("valueRef", n.ValueRef); err != nil {
		return test{}, err
	}
	c.note(t.right)
	if t.right.reference() {
		if n.Op == OpRegex {
			return test{}, unsupportedError("valueRef", n.Op.String())
		}
		return t, nil
	}
	if !usable(n.Op, t.right.literal) {
		return test{}, nil // what a reference of no use does at a match, too
	}
	return c.literal(t)
}

// literal prepares a test whose right side is known.
func (c *compiler) literal(t test) (test, *Error) {
	v := t.right.literal
	if len(v) > 0 && value.Check(v) != nil {
		return test{}, syntaxError("value", "not a value")
	}
	if err := checkValue(t.op, v); err != nil {
		return test{}, err
	}
	t.tools = makeTools(t.op, v)
	if t.op == OpRegex && !absent(v) {
		re, err := compileRegex(v)
		if err != nil {
			return test{}, err
		}
		t.tools = &tools{regex: re}
	}
	return t, nil
}

// reference returns the operand of a reference, a literal if it is known.
func (c *compiler) reference(field, ref string) (operand, *Error) {
	o, ok := parseRef(ref)
	if !ok {
		return operand{}, syntaxError(field, fmt.Sprintf("%q is not a reference to auth, data, old or now", ref))
	}
	if o.source == sourceAuth && c.env.Auth != nil {
		return operand{literal: lookup(c.env.Auth, o.path)}, nil
	}
	return o, nil
}

func (c *compiler) note(o operand) {
	c.uses.key = c.uses.key || o.source == sourceKey
	c.uses.now = c.uses.now || o.source == sourceNow
}
