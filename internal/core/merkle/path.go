package merkle

const (
	// Depth is the number of digits in the path of a leaf.
	Depth = 3
	// Leaves is the number of leaves.
	Leaves = 1 << leafBits

	leafBits  = 4 * Depth
	leafShift = 32 - leafBits
	digits    = "0123456789abcdef"
)

// LeafOf returns the leaf of a key, given the hash.Key of the key.
func LeafOf(keyHash uint32) uint16 { return uint16(keyHash >> leafShift) }

// LeafPath returns the path of a leaf, three lower-case hexadecimal digits.
func LeafPath(leaf uint16) string {
	return string([]byte{digits[leaf>>8&15], digits[leaf>>4&15], digits[leaf&15]})
}

// Range returns the first and the last leaf below a path. A path has up to
// three lower-case hexadecimal digits; "" is the root. ok is false for anything
// else.
func Range(path string) (first, last uint16, ok bool) {
	if len(path) > Depth {
		return 0, 0, false
	}
	for i := range len(path) {
		d := digit(path[i])
		if d < 0 {
			return 0, 0, false
		}
		first = first<<4 | uint16(d)
	}
	rest := 4 * (Depth - len(path))
	first <<= rest
	return first, first | (1<<rest - 1), true
}

// HashRange returns the least and the greatest key hash below a path, so that
// the keys of a subtree can be found where records are ordered by hash.
func HashRange(path string) (least, greatest uint32, ok bool) {
	first, last, ok := Range(path)
	if !ok {
		return 0, 0, false
	}
	return uint32(first) << leafShift, uint32(last)<<leafShift | (1<<leafShift - 1), true
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
