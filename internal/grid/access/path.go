package access

import (
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// Path is one way to find the records of a query.
type Path struct {
	// Parts are ranges of indexes; the records of all of them together. A path
	// without parts and keys reads the whole map.
	Parts []Part

	// Keys are the records themselves, when HasKeys is set.
	Keys    []string
	HasKeys bool

	// And are two paths that have no And: the records on both of them.
	And []Path

	// Ordered says that the one part gives the records in the order of the query,
	// so that reading may stop when there are enough.
	Ordered bool
}

// Part is a range of one index.
type Part struct {
	Index index.Definition
	Range index.Range
	Why   string // the conditions that it comes from, for people
}

// Whole reports whether the path reads everything.
func (p Path) Whole() bool { return len(p.Parts) == 0 && len(p.And) == 0 && !p.HasKeys }

// String describes the path to people.
func (p Path) String() string {
	switch {
	case p.HasKeys:
		return fmt.Sprintf("%d keys", len(p.Keys))
	case len(p.And) > 0:
		return p.And[0].String() + " & " + p.And[1].String()
	case p.Whole():
		return "scan"
	}
	var parts []string
	for _, t := range p.Parts {
		parts = append(parts, fmt.Sprintf("%s(%s): %s", t.Index.Kind, t.Index.Attribute(), t.Why))
	}
	s := strings.Join(parts, " | ")
	if p.Ordered {
		s += ", in order"
	}
	return s
}

// SortField is one field that a query sorts by.
type SortField struct {
	Field string
	Desc  bool
}

// Question is what paths are looked for.
type Question struct {
	Node    *predicate.Node // nil holds for every record
	Sort    []SortField
	Indexes []index.Definition
}

// maxParts bounds the ranges of one path.
const maxParts = 256

// Paths returns the ways to find the records of a query; the last one reads the
// whole map.
func Paths(q Question) []Path {
	var out []Path
	leaves := conjuncts(nil, q.Node)
	if keys, ok := keysOf(leaves); ok {
		out = append(out, Path{Keys: keys, HasKeys: true})
	}
	for _, d := range q.Indexes {
		out = append(out, q.indexed(d, leaves)...)
	}
	for _, n := range leaves {
		if n.Op == predicate.OpOr {
			if p, ok := q.union(n.Children); ok {
				out = append(out, p)
			}
		}
	}
	return append(out, Path{})
}

// conjuncts appends the conditions that all have to hold.
func conjuncts(dst []*predicate.Node, n *predicate.Node) []*predicate.Node {
	switch {
	case n == nil:
	case n.Op == predicate.OpAnd:
		for _, c := range n.Children {
			dst = conjuncts(dst, c)
		}
	case n.Op == predicate.OpOr && len(n.Children) == 1:
		return conjuncts(dst, n.Children[0])
	default:
		dst = append(dst, n)
	}
	return dst
}

// union joins a path for each of the conditions, if each has one.
func (q Question) union(nodes []*predicate.Node) (Path, bool) {
	var out Path
	for _, n := range nodes {
		best := -1
		var parts []Part
		leaves := conjuncts(nil, n)
		for _, d := range q.Indexes {
			for _, p := range q.indexed(d, leaves) {
				if w := weight(p); len(leaves) > 0 && !p.orderOnly() && w > best {
					best, parts = w, p.Parts
				}
			}
		}
		if best < 0 {
			return Path{}, false
		}
		if out.Parts = append(out.Parts, parts...); len(out.Parts) > maxParts {
			return Path{}, false
		}
	}
	for i := range out.Parts {
		out.Parts[i].Range.Desc = false
	}
	return out, len(nodes) > 0
}

// weight guesses which of two paths is narrower, without counts.
func weight(p Path) int {
	w := 0
	for _, t := range p.Parts {
		w = max(w, len(t.Range.From))
	}
	return w*maxParts - len(p.Parts)
}

// orderOnly reports whether the path has no condition.
func (p Path) orderOnly() bool { return len(p.Parts) == 1 && p.Parts[0].Why == "" }
