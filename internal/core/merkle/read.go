package merkle

import "github.com/topgunbuild/topgun-go/internal/core/hash"

// Child is a child of a node that has keys below it.
type Child struct {
	Digit byte   // its lower-case hexadecimal digit, as a character
	Hash  uint32 // 0 if none of its keys has an entry hash
}

// Root returns the hash of the root: 0 for the empty tree.
func (t *Tree) Root() uint32 {
	var scratch [middle]uint32
	nodes := t.middle(&scratch)
	root := uint32(0)
	for i := 0; i < middle; i += 16 {
		root += hash.Mix(sumOf(nodes[i : i+16]))
	}
	return root
}

// Leaf returns the hash of the leaf at path, three digits, and how many keys it
// has. ok is false if path is not that of a leaf.
func (t *Tree) Leaf(path string) (sum uint32, keys int, ok bool) {
	first, last, ok := Range(path)
	if !ok || first != last {
		return 0, 0, false
	}
	l := t.leaf(first)
	return l.sum, int(l.keys), true
}

// Children returns the children of the node at path that have keys below them,
// in the order of their digits. A leaf has none, and neither has what is not a
// path.
func (t *Tree) Children(path string) []Child {
	first, last, ok := Range(path)
	if !ok || first == last {
		return nil
	}
	width := (last - first + 1) / 16 // leaves below one child
	var (
		scratch [middle]uint32
		out     []Child
	)
	nodes := t.middle(&scratch)
	for d, present := range t.present(first, width) {
		if !present {
			continue
		}
		c := Child{Digit: digits[d]}
		switch at := first + uint16(d)*width; width {
		case 1:
			c.Hash = t.leaf(at).sum
		case 16:
			c.Hash = nodes[at/16]
		default:
			c.Hash = sumOf(nodes[at/16 : at/16+16])
		}
		out = append(out, c)
	}
	return out
}

// sumOf is the hash of a node, given those of its children.
func sumOf(children []uint32) uint32 {
	sum := uint32(0)
	for _, h := range children {
		sum += hash.Mix(h)
	}
	return sum
}

func (t *Tree) leaf(i uint16) leaf {
	if t.dense != nil {
		return t.dense.leaves[i]
	}
	if p := t.sparse.find(i); p != nil && p.taken {
		return p.leaf
	}
	return leaf{}
}

// middle returns the hashes of the level above the leaves. The result is
// scratch or part of t.
func (t *Tree) middle(scratch *[middle]uint32) *[middle]uint32 {
	if t.dense != nil {
		return t.dense.settle()
	}
	for i, l := range t.sparse.all() {
		scratch[i/16] += hash.Mix(l.sum)
	}
	return scratch
}

// present says which of sixteen neighbours have keys: the first begins at leaf
// first, and each has so many leaves.
func (t *Tree) present(first, width uint16) (out [16]bool) {
	if t.dense != nil {
		for d := range out {
			at := first + uint16(d)*width
			out[d] = t.dense.has(at, at+width-1)
		}
		return out
	}
	for i, l := range t.sparse.all() {
		if d := int(i) - int(first); d >= 0 && d < 16*int(width) && l.keys != 0 {
			out[d/int(width)] = true
		}
	}
	return out
}
