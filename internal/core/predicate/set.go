package predicate

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// set is a list of distinct values in the order of value.Compare.
type set []value.Raw

// makeSet returns the elements of an array, or the value itself if it is
// another; nothing for nil. It does not copy them.
func makeSet(v value.Raw) set {
	if absent(v) {
		return nil
	}
	if v.Kind() != value.KindArray {
		return set{v}
	}
	n, _ := count(v)
	s := make(set, 0, n)
	for e := range value.Elements(v) {
		s = append(s, e)
	}
	slices.SortFunc(s, value.Compare)
	return slices.CompactFunc(s, value.Equal)
}

// find returns the place of v, -1 if it is not in the set.
func (s set) find(v value.Raw) int {
	if isNaN(v) {
		return -1
	}
	low, high := 0, len(s)
	for low < high {
		mid := int(uint(low+high) / 2)
		switch c := value.Compare(s[mid], v); {
		case c == 0:
			return mid
		case c < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return -1
}

func (s set) has(v value.Raw) bool { return s.find(v) >= 0 }

// covered reports whether every element of the set is among those of array. A
// set has at most MaxNeedles elements here.
func (s set) covered(array value.Raw) bool {
	var seen [MaxNeedles / 64]uint64
	missing := len(s)
	if missing == 0 {
		return true
	}
	for e := range value.Elements(array) {
		i := s.find(e)
		if i < 0 || seen[i/64]&(1<<(i%64)) != 0 {
			continue
		}
		seen[i/64] |= 1 << (i % 64)
		if missing--; missing == 0 {
			return true
		}
	}
	return false
}
