package hash

// Mix spreads the bits of h over the whole word (the 32-bit finaliser of
// MurmurHash3). It is a bijection with Mix(0) = 0, so that 0 can stand for
// "nothing here" in a sum of mixed hashes.
func Mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	h ^= h >> 16
	return h
}

// Combine folds hashes into one, independent of their order: the sum of their
// mixes modulo 2^32. Combine() is 0, and Combine(h) is Mix(h), not h.
func Combine(hs ...uint32) uint32 {
	var sum uint32
	for _, h := range hs {
		sum += Mix(h)
	}
	return sum
}
