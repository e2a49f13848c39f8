package predicate

import (
	"bytes"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Bind returns the condition with all that is known from env filled in: a
// reference to auth becomes the literal it finds, a comparison that finds none
// becomes one that never holds, and what always or never holds is taken out of
// and, or and not. For every record the result holds where node does under the
// same claims. Where auth is compared with the document from the left it stays
// a reference. Without env.Auth the result is node itself.
func Bind(node *Node, env Env) *Node {
	if node == nil || env.Auth == nil {
		return node
	}
	switch node.Op {
	case OpAnd, OpOr:
		return bindAll(node, env)
	case OpNot:
		if len(node.Children) == 0 {
			return Constant(true)
		}
		child := Bind(node.Children[0], env)
		if holds, ok := child.constant(); ok {
			return Constant(!holds)
		}
		return Not(child)
	}
	return bindLeaf(node, env)
}

func bindAll(node *Node, env Env) *Node {
	neutral := node.Op == OpAnd
	out := &Node{Op: node.Op}
	for _, child := range node.Children {
		child = Bind(child, env)
		holds, ok := child.constant()
		switch {
		case !ok:
			out.Children = append(out.Children, child)
		case holds != neutral:
			return Constant(!neutral)
		}
	}
	if len(out.Children) == 1 {
		return out.Children[0]
	}
	return out
}

func bindLeaf(node *Node, env Env) *Node {
	n := *node
	if v, ok := claim(n.ValueRef, env); ok && !n.Op.unary() {
		if !usable(n.Op, v) {
			return Constant(false)
		}
		n.Value, n.ValueRef = bytes.Clone(v), ""
	}
	if _, ok := claim(n.AttributeRef, env); !ok || (n.ValueRef != "" && !n.Op.unary()) {
		return &n
	}
	p, err := Compile(&n, env)
	if err != nil {
		return &n
	}
	return Constant(p.Eval(Input{}))
}

// claim returns what a reference to auth finds; ok is false for any other.
func claim(ref string, env Env) (v value.Raw, ok bool) {
	o, ok := parseRef(ref)
	if !ok || o.source != sourceAuth {
		return nil, false
	}
	return lookup(env.Auth, o.path), true
}
