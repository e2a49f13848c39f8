package predicate

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Limits of a condition.
const (
	// MaxNodes is the number of operators in one condition.
	MaxNodes = 1024
	// MaxDepth is how deep operators may be nested.
	MaxDepth = 64
	// MaxList is the number of elements in the list of in.
	MaxList = 10_000
	// MaxNeedles is the number of elements in the list of containsAll and
	// containsAny, which are all looked for in every string.
	MaxNeedles = 1024
	// MaxPattern is the length of the pattern of like and regex, in bytes.
	MaxPattern = 1024
	// MaxRegexCost is the size of a regex with its repetitions written out, in
	// characters and operators: x{500} costs 500.
	MaxRegexCost = 4096
)

// KeyAttribute is the attribute that stands for the key of the record. A field
// of that name in the document cannot be asked for.
const KeyAttribute = "_key"

// Node is one operator of a condition.
//
// The operators and and or combine all their Children, not negates the first;
// without children and and not hold, or does not. All other operators compare a
// left side, Attribute or AttributeRef, with a right side, Value or ValueRef;
// isNull and isNotNull have no right side.
type Node struct {
	Op       Op
	Children []*Node

	// Attribute is a path in the document, or KeyAttribute.
	Attribute string

	// AttributeRef, if not empty, is a reference that takes the place of
	// Attribute. Clients cannot write it; policies do.
	AttributeRef string

	// Value is the literal on the right side; nil counts as an encoded nil.
	Value value.Raw

	// ValueRef, if not empty, is a reference that takes the place of Value:
	// auth.<path> in the claims of the caller, data.<path> in the document
	// itself, old.<path> in the document before the change, or now, the time in
	// milliseconds since 1970. Clients can write the first two.
	ValueRef string
}

// And returns the condition that all of nodes hold.
func And(nodes ...*Node) *Node { return &Node{Op: OpAnd, Children: nodes} }

// Or returns the condition that one of nodes holds.
func Or(nodes ...*Node) *Node { return &Node{Op: OpOr, Children: nodes} }

// Not returns the condition that node does not hold.
func Not(node *Node) *Node { return &Node{Op: OpNot, Children: []*Node{node}} }

// Constant returns the condition that always or never holds.
func Constant(holds bool) *Node {
	if holds {
		return And()
	}
	return Or()
}

// constant reports whether n always or never holds whatever the record.
func (n *Node) constant() (holds, ok bool) {
	switch {
	case n == nil || len(n.Children) > 0:
		return false, false
	case n.Op == OpAnd, n.Op == OpNot:
		return true, true
	case n.Op == OpOr:
		return false, true
	}
	return false, false
}
