package merkle

import "github.com/topgunbuild/topgun-go/internal/core/hash"

// middle is the number of nodes on the level above the leaves.
const middle = Leaves / 16

// dense holds all leaves, and the hashes of the level above them as far as they
// are not stale.
type dense struct {
	leaves [Leaves]leaf
	nodes  [middle]uint32
	stale  [middle / 64]uint64 // one bit a node
}

func (d *dense) add(i uint16, l leaf) {
	at := &d.leaves[i%Leaves]
	at.sum += l.sum
	at.keys += l.keys
	d.stale[i>>10%(middle/64)] |= 1 << (i >> 4 & 63)
}

// settle computes what is stale and returns the hashes of the middle level.
func (d *dense) settle() *[middle]uint32 {
	for i := range d.nodes {
		if d.stale[i>>6]&(1<<(i&63)) == 0 {
			continue
		}
		sum := uint32(0)
		for _, l := range d.leaves[16*i : 16*i+16] {
			sum += hash.Mix(l.sum)
		}
		d.nodes[i] = sum
	}
	d.stale = [middle / 64]uint64{}
	return &d.nodes
}

// has reports whether there is a key in the leaves from first to last.
func (d *dense) has(first, last uint16) bool {
	for _, l := range d.leaves[first : int(last)+1] {
		if l.keys != 0 {
			return true
		}
	}
	return false
}
