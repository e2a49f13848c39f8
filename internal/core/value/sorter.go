package value

import "slices"

// sorter puts the pairs of maps in order after they were written in the order
// of the input. Writing first and sorting then keeps a walk over nested maps a
// single pass over the input.
type sorter struct {
	pairs []pair // of all maps that are open, innermost last
	moved []byte // scratch for pairs on their way
}

// pair is one written entry: dst[from:to].
type pair struct {
	key      string
	from, to int
}

// arrange sorts the pairs from base on by key in UTF-16 order, keeps only the
// last of equal keys, moves their bytes in dst accordingly and closes the map:
// those pairs are gone from s. It returns dst and how many pairs were kept.
func (s *sorter) arrange(dst []byte, base int) (out []byte, kept int) {
	pairs := s.pairs[base:]
	s.pairs = s.pairs[:base]
	if len(pairs) == 0 {
		return dst, 0
	}
	if increasing(pairs) {
		return dst, len(pairs)
	}
	start := pairs[0].from
	slices.SortStableFunc(pairs, func(a, b pair) int { return compareUTF16(a.key, b.key) })
	s.moved = append(s.moved[:0], dst[start:]...)
	dst = dst[:start]
	for i, p := range pairs {
		if i+1 < len(pairs) && pairs[i+1].key == p.key {
			continue
		}
		dst = append(dst, s.moved[p.from-start:p.to-start]...)
		kept++
	}
	return dst, kept
}

func increasing(pairs []pair) bool {
	for i := 1; i < len(pairs); i++ {
		if compareUTF16(pairs[i-1].key, pairs[i].key) >= 0 {
			return false
		}
	}
	return true
}

// compareUTF16 orders UTF-8 strings as JavaScript does, by UTF-16 code units.
// That differs from byte order only where a character from U+E000 to U+FFFF
// (lead bytes ee and ef) meets one above U+FFFF (lead bytes f0 to f4).
func compareUTF16(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return order(unitRank(a[i]), unitRank(b[i]))
		}
	}
	return order(len(a), len(b))
}

func unitRank(c byte) int {
	if c == 0xee || c == 0xef {
		return int(c) + 0x10
	}
	return int(c)
}
