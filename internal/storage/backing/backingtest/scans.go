package backingtest

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// fixedRand is for tests that need variety and not chance.
func fixedRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// oddRows fills the store with OddKeys, some at a time, so that the rows of a
// scan come out of several checkpoints.
func oddRows(f *fixture) []backing.Key {
	keys := OddKeys()
	for part := range 3 {
		var writes []backing.Write
		for i, k := range keys {
			if i%3 == part {
				writes = append(writes, backing.Write{Row: backing.Row{Key: k, Seq: uint64(i), State: []byte(k.Map + k.Key)}})
			}
		}
		f.apply(at(uint64(part)), writes...)
	}
	return keys
}

func testOrder(f *fixture) {
	keys := oddRows(f)
	f.check()
	for _, k := range keys {
		if _, found, err := f.store.Load(f.Context(), k); !found || err != nil {
			f.Errorf("Load(%v): %t, %v, want the row", k, found, err)
		}
	}
	f.reopen()
	f.check()
}

func testRanges(f *fixture) {
	keys := oddRows(f)
	var ranges []backing.Range
	for i := 0; i < len(keys); i += 3 {
		k, far := keys[i], keys[(i*7+5)%len(keys)]
		ranges = append(ranges,
			backing.Range{From: k},
			backing.Range{To: k},
			backing.Range{From: k, To: k},
			backing.Range{From: k, To: k.Next()},
			backing.Range{From: k.Next(), To: far},
			backing.Range{From: k, To: far},
			backing.MapRange(k.Tenant, k.Map),
			backing.PartitionRange(k.Tenant, k.Map, k.Partition),
			backing.HashRange(k.Tenant, k.Map, k.Partition, [2]uint32{k.Hash, k.Hash}),
			backing.HashRange(k.Tenant, k.Map, k.Partition, [2]uint32{1, math.MaxUint32}),
		)
	}
	for _, r := range ranges {
		got, err := Collect(f.Context(), f.store, r)
		if err == nil {
			err = compare(got, f.model.Rows(r))
		}
		if err != nil {
			f.Fatalf("scan from %v to %v: %v", r.From, r.To, err)
		}
	}
}

func testSlices(f *fixture) {
	oddRows(f)
	for _, size := range []int{1, 2, 7, 1000} {
		var got []backing.Row
		for r, more := (backing.Range{}), true; more; {
			n := 0
			err := f.store.Scan(f.Context(), r, func(row backing.Row) (bool, error) {
				got = append(got, own(row))
				n++
				return n < size, nil
			})
			if err != nil {
				f.Fatal(err)
			}
			if more = n == size; more {
				r.From = got[len(got)-1].Next()
			}
		}
		if err := compare(got, f.model.Rows(backing.Range{})); err != nil {
			f.Fatalf("in slices of %d: %v", size, err)
		}
	}
}

// own returns row with memory of its own.
func own(row backing.Row) backing.Row {
	row.Map = string([]byte(row.Map))
	row.Key.Key = string([]byte(row.Key.Key))
	row.State = slices.Clone(row.State)
	return row
}

func testScanError(f *fixture) {
	f.apply(at(1), put("a", "1"), put("b", "1"))
	mine, calls := errors.New("mine"), 0
	err := f.store.Scan(f.Context(), backing.Range{}, func(backing.Row) (bool, error) {
		calls++
		return true, mine
	})
	if !errors.Is(err, mine) || calls != 1 {
		f.Errorf("Scan: %v after %d rows, want the function's error after one", err, calls)
	}
	f.check()
}

func testMaps(f *fixture) {
	const many = 5000
	var writes []backing.Write
	for tenant, names := range [][]string{{"b", "a\x00", ""}, {"b"}} {
		for _, name := range names {
			writes = append(writes,
				backing.Write{Row: backing.Row{Key: backing.Key{Tenant: uint32(tenant), Map: name, Key: "x"}, Kind: 2}},
				backing.Write{Row: backing.Row{Key: backing.Key{Tenant: uint32(tenant), Map: name, Key: "y"}, Kind: 3}})
		}
	}
	for i := range many {
		key := backing.Key{Tenant: 1, Map: "many", Hash: uint32(i)}
		writes = append(writes, backing.Write{Row: backing.Row{Key: key, Kind: 4, State: make([]byte, 50)}})
	}
	slices.SortFunc(writes, func(a, b backing.Write) int { return a.Compare(b.Key) })
	f.apply(at(1), writes...)
	gone := put("gone", "")
	f.apply(at(2), gone)
	f.apply(at(3), del("gone"))

	want := []backing.MapInfo{
		{Tenant: 0, Map: "", Kind: 2, Rows: 2, Exact: true},
		{Tenant: 0, Map: "a\x00", Kind: 2, Rows: 2, Exact: true},
		{Tenant: 0, Map: "b", Kind: 2, Rows: 2, Exact: true},
		{Tenant: 1, Map: "b", Kind: 2, Rows: 2, Exact: true},
		{Tenant: 1, Map: "many", Kind: 4, Rows: many},
	}
	got, err := f.store.Maps(f.Context())
	if err != nil || len(got) != len(want) {
		f.Fatalf("Maps: %v, %v, want %v", got, err, want)
	}
	for i, w := range want {
		g := got[i]
		near := g.Rows >= w.Rows/2 && g.Rows <= w.Rows*2
		if !g.Exact && !w.Exact && near {
			g.Rows = w.Rows
		}
		if g.Exact && g.Rows == w.Rows {
			w.Exact = true
		}
		if g != w {
			f.Errorf("map %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}
