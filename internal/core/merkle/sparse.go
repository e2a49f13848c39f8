package merkle

import "iter"

// maxSparse is how many leaves a sparse tree uses at most.
const maxSparse = 256

// sparse is a hash table from leaf to its content, with linear probing. Slots
// are not freed; a leaf that became empty goes when the table grows.
type sparse struct {
	slots []slot // length is a power of two, never full
	used  int
}

// slot is free when taken is false.
type slot struct {
	leaf
	index uint16
	taken bool
}

// add adds d to the leaf at i. It returns false, having done nothing, when that
// would take more leaves than a sparse tree may have.
func (s *sparse) add(i uint16, d leaf) bool {
	if at := s.find(i); at != nil && at.taken {
		at.sum += d.sum
		at.keys += d.keys
		return true
	}
	if 4*(s.used+1) > 3*len(s.slots) && !s.grow() {
		return false
	}
	*s.find(i) = slot{d, i, true}
	s.used++
	return true
}

// find returns the slot of the leaf at i, or the free one where it belongs; nil
// in a table without slots.
func (s *sparse) find(i uint16) *slot {
	if len(s.slots) == 0 {
		return nil
	}
	mask := len(s.slots) - 1
	// Leaves that are in use tend to be neighbours; the multiplier spreads them.
	for at := int(uint32(i) * 0x9e3779b1 >> 16); ; at++ {
		if p := &s.slots[at&mask]; p.index == i || !p.taken {
			return p
		}
	}
}

// grow makes room for one more leaf.
func (s *sparse) grow() bool {
	live := 0
	for range s.all() {
		live++
	}
	if live >= maxSparse {
		return false
	}
	size := 8
	for 3*size < 4*(live+1)+size { // leave room to grow before the next time
		size *= 2
	}
	old := *s
	*s = sparse{slots: make([]slot, size), used: live}
	for i, l := range old.all() {
		*s.find(i) = slot{l, i, true}
	}
	return true
}

// all yields the leaves that are not empty, in no particular order.
func (s *sparse) all() iter.Seq2[uint16, leaf] {
	return func(yield func(uint16, leaf) bool) {
		for _, p := range s.slots {
			if p.leaf != (leaf{}) && !yield(p.index, p.leaf) {
				return
			}
		}
	}
}
