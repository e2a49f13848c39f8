package record

import "slices"

// filter says which hashes may belong to keys that are only in the store. It
// never denies one that was added. It is a row of Bloom filters, each twice as
// large as the one before, so that it grows without being asked how far; at
// twelve bits for each hash about three in a hundred are taken for others.
type filter struct {
	parts []part
	count int // hashes added to the last part
	all   int // hashes added
}

// part is one Bloom filter. A hash has three bits in each of two words.
type part []uint64

const (
	firstPart   = 8 // words
	bitsPerHash = 12
)

// add notes a hash.
func (f *filter) add(hash uint32) {
	if f.has(hash) {
		return
	}
	n := len(f.parts)
	if n == 0 || f.count >= len(f.parts[n-1])*64/bitsPerHash {
		size := firstPart
		if n > 0 {
			size = 2 * len(f.parts[n-1])
		}
		f.parts = append(f.parts, make(part, size))
		f.count = 0
		n++
	}
	p := f.parts[n-1]
	x := mix(hash)
	i, j, mi, mj := p.place(x)
	p[i] |= mi
	p[j] |= mj
	f.count++
	f.all++
}

// has reports whether a hash may have been added.
func (f *filter) has(hash uint32) bool {
	x := mix(hash)
	for _, p := range slices.Backward(f.parts) {
		if i, j, mi, mj := p.place(x); p[i]&mi == mi && p[j]&mj == mj {
			return true
		}
	}
	return false
}

// mix spreads a hash: those of one partition are all alike modulo 271.
func mix(hash uint32) uint64 {
	x := uint64(hash) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// place is the two words of a mixed hash and its bits in them.
func (p part) place(x uint64) (i, j int, mi, mj uint64) {
	last := uint64(len(p) - 1)
	i, j = int(x&last), int(x>>28&last)
	y := x * 0x9e3779b97f4a7c15
	mi = 1<<(y>>58) | 1<<(y>>52&63) | 1<<(y>>46&63)
	mj = 1<<(y>>40&63) | 1<<(y>>34&63) | 1<<(y>>28&63)
	return i, j, mi, mj
}

// bytes is the memory that the filter takes.
func (f *filter) bytes() int {
	n := 0
	for _, p := range f.parts {
		n += 8 * len(p)
	}
	return n
}
