package backing

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

func drawKey(t *rapid.T, label string) Key {
	names := rapid.SampledFrom([]string{"", "\x00", "a", "a\x00", "b"})
	return Key{
		Tenant:    rapid.Uint32Max(1).Draw(t, label+" tenant"),
		Map:       names.Draw(t, label+" map"),
		Partition: partition.ID(rapid.SampledFrom([]uint16{0, 1, math.MaxUint16}).Draw(t, label+" partition")),
		Hash:      rapid.SampledFrom([]uint32{0, 1, math.MaxUint32}).Draw(t, label+" hash"),
		Key:       names.Draw(t, label+" key"),
	}
}

func drawRange(t *rapid.T, label string) Range {
	k := drawKey(t, label)
	switch rapid.IntRange(0, 4).Draw(t, label) {
	case 0:
		return MapRange(k.Tenant, k.Map)
	case 1:
		return PartitionRange(k.Tenant, k.Map, k.Partition)
	case 2:
		return HashRange(k.Tenant, k.Map, k.Partition, [2]uint32{0, k.Hash})
	case 3:
		return Range{From: k}
	default:
		return Range{From: k, To: drawKey(t, label+" to")}
	}
}

func TestKeysAreOrderedPartByPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawKey(t, "a"), drawKey(t, "b"), drawKey(t, "c")
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Errorf("%v and %v are not in one order", a, b)
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Errorf("%v, %v and %v go in a circle", a, b, c)
		}
		if a.Compare(b) < 0 && a.Next().Compare(b) > 0 || a.Compare(a.Next()) >= 0 {
			t.Errorf("%v lies between %v and what is next", b, a)
		}
	})
}

func TestRangesHoldWhatTheyAreNamedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, o := drawKey(t, "key"), drawKey(t, "other")
		lo, hi := o.Hash, rapid.Uint32Min(o.Hash).Draw(t, "hi")
		sameMap := k.Tenant == o.Tenant && k.Map == o.Map
		samePart := sameMap && k.Partition == o.Partition
		for name, c := range map[string]struct {
			r    Range
			want bool
		}{
			"everything": {Range{}, true},
			"map":        {MapRange(o.Tenant, o.Map), sameMap},
			"partition":  {PartitionRange(o.Tenant, o.Map, o.Partition), samePart},
			"hashes":     {HashRange(o.Tenant, o.Map, o.Partition, [2]uint32{lo, hi}), samePart && lo <= k.Hash && k.Hash <= hi},
			"from":       {Range{From: o}, o.Compare(k) <= 0},
			"one":        {Range{From: o, To: o.Next()}, k == o},
			"none":       {Range{From: o.Next(), To: o}, o == Key{} && k != o}, // a zero To is no bound
		} {
			if got := c.r.Contains(k); got != c.want {
				t.Errorf("%s of %v contains %v: %t", name, o, k, got)
			}
			if c.r.Empty() && c.want {
				t.Errorf("%s of %v is empty", name, o)
			}
		}
	})
}

func TestUnionHoldsTheSameKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ranges := make([]Range, rapid.IntRange(0, 6).Draw(t, "n"))
		for i := range ranges {
			ranges[i] = drawRange(t, "range")
		}
		before := slices.Clone(ranges)
		union := Union(ranges)
		if !slices.Equal(before, ranges) {
			t.Error("Union changed what it was given")
		}
		for range 20 {
			k := drawKey(t, "key")
			in := func(r Range) bool { return r.Contains(k) }
			if got, want := slices.ContainsFunc(union, in), slices.ContainsFunc(ranges, in); got != want {
				t.Errorf("%v in the union: %t, want %t", k, got, want)
			}
		}
		for i, r := range union {
			if r.Empty() || i > 0 && (union[i-1].Unbounded() || union[i-1].To.Compare(r.From) >= 0) {
				t.Errorf("range %d of %v is empty or touches the one before", i, union)
			}
		}
	})
}

func TestMarksFollow(t *testing.T) {
	mark := func(lsn uint64, epoch uint32, seq uint64) Mark {
		return Mark{LSN: lsn, Partitions: map[partition.ID]Pos{1: {epoch, seq}}}
	}
	prev := mark(10, 2, 20)
	for name, c := range map[string]struct {
		next  Mark
		stale bool
	}{
		"the same":               {mark(10, 2, 20), false},
		"further":                {mark(11, 2, 21), false},
		"a later epoch":          {mark(10, 3, 0), false},
		"the partition left":     {Mark{LSN: 10}, false},
		"LSN back":               {mark(9, 2, 20), true},
		"seq back":               {mark(11, 2, 19), true},
		"epoch back, seq ahead":  {mark(11, 1, 99), true},
		"the zero mark":          {Mark{}, true},
		"another partition came": {Mark{LSN: 10, Partitions: map[partition.ID]Pos{1: {2, 20}, 2: {}}}, false},
	} {
		if err := c.next.Follows(prev); errors.Is(err, ErrStale) != c.stale {
			t.Errorf("%s: %v, want stale %t", name, err, c.stale)
		}
		if err := c.next.Follows(Mark{}); err != nil {
			t.Errorf("%s after nothing: %v", name, err)
		}
	}
	clone := prev.Clone()
	clone.Partitions[1] = Pos{}
	if !prev.Equal(mark(10, 2, 20)) || prev.Equal(clone) || prev.Equal(mark(11, 2, 20)) {
		t.Error("Clone shares its partitions, or Equal does not look")
	}
}

// TestCheckerKeepsNothing gives it rows whose memory is overwritten after each.
func TestCheckerKeepsNothing(t *testing.T) {
	var c Checker
	var last string
	for _, key := range []string{"a", "b", "ba", "c", "long enough to grow", "m"} {
		w := Write{Row: Row{Key: Key{Map: "map", Key: strings.Clone(key)}}}
		if err := c.Row(&w); err != nil {
			t.Errorf("%q after %q: %v", key, last, err)
		}
		last = key
	}
	for _, back := range []string{"m", "a", ""} {
		w := Write{Row: Row{Key: Key{Map: "map", Key: back}}}
		if err := c.Row(&w); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `"m"`) {
			t.Errorf("%q after %q: %v, want ErrInvalid naming both", back, last, err)
		}
	}
}
