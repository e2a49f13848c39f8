package record

import "slices"

// filter says which hashes may belong to keys that are only in the store. It
// never denies one that was added. It is a row of Bloom filters, each twice as
// large as the one before, so that it grows without being asked how far; at
// about ten bits for each hash one in a hundred is taken for another.
type filter struct {
	parts []part
	count int // hashes added to the last part
}

// part is one Bloom filter. All bits of a hash lie in one word of 64.
type part []uint64

const (
	firstPart   = 64 // words
	bitsPerHash = 10
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
	last := f.parts[n-1]
	w, mask := last.place(hash)
	last[w] |= mask
	f.count++
}

// has reports whether a hash may have been added.
func (f *filter) has(hash uint32) bool {
	for _, p := range slices.Backward(f.parts) {
		if w, mask := p.place(hash); p[w]&mask == mask {
			return true
		}
	}
	return false
}

// place is the word of a hash and its five bits in it. The hashes of one
// partition are all alike modulo 271, so they are mixed first.
func (p part) place(hash uint32) (word int, mask uint64) {
	x := uint64(hash) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	for i := range 5 {
		mask |= 1 << (x >> (6 * i) & 63)
	}
	return int((x >> 32) & uint64(len(p)-1)), mask
}

// bytes is the memory that the filter takes.
func (f *filter) bytes() int {
	n := 0
	for _, p := range f.parts {
		n += 8 * len(p)
	}
	return n
}
