package merkle

import "github.com/topgunbuild/topgun-go/internal/core/hash"

// Tree is the tree of a map, or of a part of one. The zero Tree is empty.
//
// While it uses few leaves it keeps only those, in up to 6 KB; from maxSparse on
// it keeps all of them, in 33 KB.
type Tree struct {
	sparse sparse
	dense  *dense
}

// leaf is what the tree stores.
type leaf struct {
	sum  uint32 // of the mixed entry hashes
	keys uint32 // how many keys there are, with and without entry hash
}

// Update changes the leaf of one key. oldEntry is the entry hash that the tree
// holds for it and newEntry the one that it shall hold, 0 for none. keyDelta is
// +1 when the key is new, -1 when it goes, else 0.
//
// The tree cannot check oldEntry; a wrong one spoils the leaf until the tree is
// built anew.
func (t *Tree) Update(keyHash, oldEntry, newEntry uint32, keyDelta int) {
	t.add(LeafOf(keyHash), leaf{
		sum:  hash.Mix(newEntry) - hash.Mix(oldEntry),
		keys: uint32(keyDelta),
	})
}

// add adds d to the leaf at i, modulo 2^32.
func (t *Tree) add(i uint16, d leaf) {
	if t.dense != nil {
		t.dense.add(i, d)
		return
	}
	if !t.sparse.add(i, d) {
		t.spread()
		t.dense.add(i, d)
	}
}

// spread turns a sparse tree into a dense one.
func (t *Tree) spread() {
	t.dense = new(dense)
	for i, l := range t.sparse.all() {
		t.dense.add(i, l)
	}
	t.sparse = sparse{}
}

// AddTo adds every leaf of t to dst. If the keys of both are disjoint, dst is
// then the tree of all of them. dst must not be t.
func (t *Tree) AddTo(dst *Tree) { t.addRange(0, Leaves-1, dst) }

// AddBelow is AddTo for the leaves below a path; it adds nothing if that is not
// one.
func (t *Tree) AddBelow(path string, dst *Tree) {
	if first, last, ok := Range(path); ok {
		t.addRange(first, last, dst)
	}
}

func (t *Tree) addRange(first, last uint16, dst *Tree) {
	if t.dense == nil {
		for i, l := range t.sparse.all() {
			if i >= first && i <= last {
				dst.add(i, l)
			}
		}
		return
	}
	for i := int(first); i <= int(last); i++ {
		if l := t.dense.leaves[i]; l != (leaf{}) {
			dst.add(uint16(i), l)
		}
	}
}
