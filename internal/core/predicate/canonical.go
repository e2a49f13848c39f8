package predicate

import (
	"bytes"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Canonical returns an encoding of the condition that conditions share if they
// differ only in how they are written: in the order and repetition of the
// children of and and or, in nesting these in themselves or around a single
// child, in the order and repetition of lists where it does not matter, in the
// form of numbers, and in parts that the operator ignores. Equal bytes mean
// equal results; different bytes mean nothing.
//
// The encoding is a condition as Parse takes it, except that Parse refuses the
// references which only policies can write. A nil node is like an empty and.
func Canonical(node *Node) []byte {
	return canonicalize(node).bytes
}

// canonical is the canonical form of a condition.
type canonical struct {
	op    Op // OpAnd or OpOr if parts are its children
	parts []canonical
	bytes []byte
}

func canonicalize(n *Node) canonical {
	if n == nil {
		n = Constant(true)
	}
	if !n.Op.logical() {
		return canonical{bytes: appendLeaf(nil, n)}
	}
	op, parts := n.Op, []canonical{}
	switch {
	case op == OpNot && len(n.Children) == 0:
		op = OpAnd
	case op == OpNot:
		parts = append(parts, canonicalize(n.Children[0]))
		return canonical{bytes: appendLogical(nil, op, parts)}
	}
	for _, child := range n.Children {
		c := canonicalize(child)
		if c.op == op {
			parts = append(parts, c.parts...)
		} else {
			parts = append(parts, c)
		}
	}
	slices.SortFunc(parts, func(a, b canonical) int { return bytes.Compare(a.bytes, b.bytes) })
	parts = slices.CompactFunc(parts, func(a, b canonical) bool { return bytes.Equal(a.bytes, b.bytes) })
	if len(parts) == 1 {
		return parts[0]
	}
	return canonical{op: op, parts: parts, bytes: appendLogical(nil, op, parts)}
}

func appendLogical(dst []byte, op Op, parts []canonical) []byte {
	dst = value.AppendMap(dst, 2)
	dst = value.AppendArray(value.AppendStr(dst, "children"), len(parts))
	for _, p := range parts {
		dst = append(dst, p.bytes...)
	}
	return value.AppendStr(value.AppendStr(dst, "op"), op.String())
}

func appendLeaf(dst []byte, n *Node) []byte {
	size := 3
	if n.Op.unary() {
		size = 2
	}
	dst = value.AppendMap(dst, size)
	if n.AttributeRef != "" {
		dst = value.AppendStr(value.AppendStr(dst, "attributeRef"), n.AttributeRef)
	} else {
		dst = value.AppendStr(value.AppendStr(dst, "attribute"), n.Attribute)
	}
	dst = value.AppendStr(value.AppendStr(dst, "op"), n.Op.String())
	switch {
	case n.Op.unary():
		return dst
	case n.ValueRef != "":
		return value.AppendStr(value.AppendStr(dst, "valueRef"), n.ValueRef)
	}
	return appendOperand(value.AppendStr(dst, "value"), n.Op, n.Value)
}

// appendOperand appends the right side of op, a list as a sorted set where
// neither order nor repetition counts.
func appendOperand(dst []byte, op Op, v value.Raw) []byte {
	list := v.Kind() == value.KindArray && (op == OpIn || op == OpContainsAll || op == OpContainsAny)
	if !list {
		return value.AppendNormal(dst, v)
	}
	s := makeSet(v)
	dst = value.AppendArray(dst, len(s))
	for _, e := range s {
		dst = value.AppendNormal(dst, e)
	}
	return dst
}
