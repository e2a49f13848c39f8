package backing

import (
	"math"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// Range is the keys from From, inclusive, up to To, exclusive. A zero To means
// no upper bound, so the zero Range is everything. A Range whose To is not
// after its From is empty.
type Range struct {
	From, To Key
}

// MapRange is all keys of one map.
func MapRange(tenant uint32, name string) Range {
	return Range{From: Key{Tenant: tenant, Map: name}, To: afterMap(tenant, name)}
}

// PartitionRange is all keys of one map in one partition.
func PartitionRange(tenant uint32, name string, p partition.ID) Range {
	return HashRange(tenant, name, p, [2]uint32{0, math.MaxUint32})
}

// HashRange is the keys of one map in one partition whose hash lies between the
// two bounds, both inclusive: a leaf of the Merkle tree is one of these.
func HashRange(tenant uint32, name string, p partition.ID, bounds [2]uint32) Range {
	from := Key{Tenant: tenant, Map: name, Partition: p, Hash: bounds[0]}
	to := Key{Tenant: tenant, Map: name, Partition: p}
	switch {
	case bounds[1] < math.MaxUint32:
		to.Hash = bounds[1] + 1
	case p < math.MaxUint16:
		to.Partition = p + 1
	default:
		to = afterMap(tenant, name)
	}
	return Range{From: from, To: to}
}

// afterMap is the least key behind every key of a map.
func afterMap(tenant uint32, name string) Key {
	return Key{Tenant: tenant, Map: name + "\x00"}
}

// Unbounded reports whether r has no upper bound.
func (r Range) Unbounded() bool { return r.To == Key{} }

// Empty reports whether no key can be in r.
func (r Range) Empty() bool { return !r.Unbounded() && r.From.Compare(r.To) >= 0 }

// Contains reports whether k lies in r.
func (r Range) Contains(k Key) bool {
	return r.From.Compare(k) <= 0 && (r.Unbounded() || k.Compare(r.To) < 0)
}

// Union returns the same keys as rs together: sorted, without empty ranges and
// without overlaps. It does not change rs.
func Union(rs []Range) []Range {
	sorted := slices.DeleteFunc(slices.Clone(rs), Range.Empty)
	slices.SortFunc(sorted, func(a, b Range) int { return a.From.Compare(b.From) })
	out := sorted[:0]
	for _, r := range sorted {
		if n := len(out); n > 0 && out[n-1].touches(r) {
			out[n-1] = out[n-1].extend(r)
			continue
		}
		out = append(out, r)
	}
	return out
}

// touches reports whether next, which does not begin before r, begins in r or
// right behind it.
func (r Range) touches(next Range) bool {
	return r.Unbounded() || next.From.Compare(r.To) <= 0
}

// extend returns r made long enough to hold next as well.
func (r Range) extend(next Range) Range {
	if !r.Unbounded() && (next.Unbounded() || next.To.Compare(r.To) > 0) {
		r.To = next.To
	}
	return r
}
