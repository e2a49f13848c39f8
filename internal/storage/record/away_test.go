package record

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestFilterDeniesNothing: a hash that was added is never denied, however many
// there are, and few others are taken for one.
func TestFilterDeniesNothing(t *testing.T) {
	var f filter
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[uint32]bool{}
	for n := range 60_000 {
		h := rng.Uint32N(1<<32/271)*271 + 5 // all of one partition
		f.add(h)
		seen[h] = true
		if !f.has(h) {
			t.Fatalf("%d is denied after %d hashes", h, n)
		}
	}
	wrong, asked := 0, 0
	for h := range seen {
		if !f.has(h) {
			t.Fatalf("%d is denied", h)
		}
	}
	for range 100_000 {
		if h := rng.Uint32N(1<<32/271)*271 + 5; !seen[h] {
			asked++
			if f.has(h) {
				wrong++
			}
		}
	}
	if share := float64(wrong) / float64(asked); share > 0.05 {
		t.Errorf("%.3f of the hashes that were not added are taken for others", share)
	}
	if each := float64(f.bytes()) / float64(len(seen)); each > 3.5 {
		t.Errorf("the filter takes %.1f bytes for each hash", each)
	}
}

// TestWhatIsAwayIsKnown drives a table whose entries are sent away, emptied,
// removed and brought back, while its filter is made anew now and then, and a plain
// map that says where each is.
func TestWhatIsAwayIsKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := NewPool()
		table := pool.NewTable(-1)
		where := map[modelKey]Where{}
		gone := map[modelKey]bool{}
		stored := 0 // how many keys the new filter was told
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "renew") == 0 {
				stored = renewSome(table, stored, rapid.IntRange(0, 100).Draw(t, "rows"))
			}
			k := modelKey{hash: uint32(rapid.IntRange(1, 40).Draw(t, "hash")), key: fmt.Sprint("k", rapid.IntRange(0, 2).Draw(t, "key"))}
			e, here := table.Get(k.hash, k.key)
			switch verb := rapid.IntRange(0, 5).Draw(t, "verb"); {
			case where[k] == Unknown: // comes back
				table.Put(k.hash, k.key, []byte(k.key))
				table.ComeBack()
				where[k] = Here
			case !here && verb == 5:
				table.Forget(k.hash, k.key)
				delete(gone, k)
			case !here || verb == 0:
				table.Put(k.hash, k.key, []byte(k.key))
				where[k] = Here
				delete(gone, k)
			case verb == 1:
				table.Evict(e)
				where[k] = Unknown
			case verb == 2 && where[k] == Here:
				table.HollowOut(e)
				where[k] = Hollow
			case verb == 3:
				table.Remove(e)
				where[k] = Absent
				gone[k] = true
			case verb == 4:
				table.Delete(k.hash, k.key)
				where[k] = Absent
			}
		}
		checkWhere(t, table, where, len(gone))
		table.Clear()
		if pool.Bytes() != 0 || !table.Full() {
			t.Fatalf("the cleared pool counts %d bytes", pool.Bytes())
		}
	})
}

// renewSome goes on making the filter anew of a store that has every key, or begins
// to, and returns how far it has come.
func renewSome(table *Table, from, most int) (to int) {
	if !table.Renewing() {
		table.Renew()
		return 0
	}
	for to = from; to < from+most && to < 40*3; to++ {
		table.KeepAway(uint32(1+to/3), fmt.Sprint("k", to%3))
	}
	if to == 40*3 {
		table.EndRenewal(true)
	}
	return to
}

// TestAFilterIsMadeAnew: what it takes follows the keys that are away, not those
// that ever were.
func TestAFilterIsMadeAnew(t *testing.T) {
	pool := NewPool()
	table := pool.NewTable(-1)
	table.AddAway(0) // one that stays
	for n := range uint32(100 * wornFrom) {
		hash := 1 + n*271
		table.Evict(table.Put(hash, "k", nil))
		table.Put(hash, "k", nil)
		table.ComeBack()
		table.Delete(hash, "k")
		if table.Worn() {
			table.Renew()
			table.KeepAway(0, "")
			table.EndRenewal(true)
		}
	}
	if table.Away() != 1 || !table.MayBeAway(0) || table.filter.bytes() > 8*wornFrom || pool.Bytes() > 16*wornFrom {
		t.Errorf("%d are away, the filter takes %d bytes, the pool %d", table.Away(), table.filter.bytes(), pool.Bytes())
	}
}

func checkWhere(t *rapid.T, table *Table, where map[modelKey]Where, gone int) {
	t.Helper()
	count := map[Where]int{}
	for k, want := range where {
		count[want]++
		// A key that is not here may be taken for one that is away, unless it is
		// known to be gone.
		if got := table.Find(k.hash, k.key); got != want && (want != Absent || got != Unknown) {
			t.Fatalf("%v is %d, want %d", k, got, want)
		}
		if e, ok := table.Get(k.hash, k.key); ok != (want == Here || want == Hollow) || ok && e.Hollow() != (want == Hollow) {
			t.Fatalf("Get(%v) = %v, want %d", k, ok, want)
		}
	}
	here := 0
	table.Ascend(Cursor{}, math.MaxUint32, func(e Entry) bool {
		here++
		return true
	})
	if here != count[Here]+count[Hollow] || table.Len() != here || table.Hollow() != count[Hollow] || table.Away() != count[Unknown] || table.gone != gone {
		t.Fatalf("%d entries, Len %d, %d hollow, %d away, %d gone; want %v, %d gone", here, table.Len(), table.Hollow(), table.Away(), table.gone, count, gone)
	}
	if table.Full() != (count[Hollow]+count[Unknown] == 0) {
		t.Fatalf("Full() = %v with %v", table.Full(), count)
	}
}
