package record

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDirtyKeysAreWhatChanged compares with a model: keys that share hashes are
// put and removed, and taken in walks of any length between changes. A whole
// taking visits each key that changed before it once, in order, as it is when its
// turn comes; what is given back is taken again.
func TestDirtyKeysAreWhatChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewPool().NewTable(-1)
		stored, here := map[key]string{}, map[key]string{} // the store, and the table
		var d *DirtyKeys
		staged, last := map[key]*string{}, key{}
		walk := func(most int) {
			see := func(k key, state *string) {
				if len(staged) > 0 && order(last, k) >= 0 {
					t.Fatalf("%v is visited after %v", k, last)
				}
				last, staged[k] = k, state
			}
			more := d.Walk(most, func(e Entry) bool {
				state := e.State()
				see(key{e.Hash(), e.Key()}, &state)
				return most%2 == 0
			}, func(hash uint32, name string) bool {
				see(key{hash, name}, nil)
				return true
			})
			if more {
				return
			}
			for k, state := range staged {
				if delete(stored, k); state != nil {
					stored[k] = *state
				}
			}
			d = nil
			clear(staged)
		}
		for i := range rapid.IntRange(1, 80).Draw(t, "actions") {
			k := key{uint32(rapid.IntRange(0, 3).Draw(t, "hash")), fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "key"))}
			switch rapid.IntRange(0, 6).Draw(t, "action") {
			case 0, 1, 2:
				state := fmt.Sprint("state ", i)
				here[k] = state
				table.MarkDirty(table.Put(k.hash, k.key, []byte(state)))
			case 3:
				if _, known := here[k]; known {
					delete(here, k)
					table.Delete(k.hash, k.key)
					table.MarkRemoved(k.hash, k.key)
				}
			case 4:
				if d != nil {
					d.GiveBack()
					d = nil
					clear(staged)
				}
			default:
				if d == nil {
					d = table.TakeDirty()
				}
				walk(rapid.IntRange(1, 9).Draw(t, "most"))
			}
		}
		if d != nil {
			d.GiveBack()
			clear(staged)
		}
		for d = table.TakeDirty(); d != nil; {
			walk(1 << 20)
		}
		if fmt.Sprint(stored) != fmt.Sprint(here) || table.Dirty() != 0 {
			t.Fatalf("the store has %v, the table %v, and %d keys to be taken", stored, here, table.Dirty())
		}
	})
}

type key struct {
	hash uint32
	key  string
}

func order(a, b key) int { return cmp.Or(cmp.Compare(a.hash, b.hash), strings.Compare(a.key, b.key)) }

// TestCollidingKeysAreLookedAtOnce: who chooses keys of one hash cannot make a
// walk longer than there are keys.
func TestCollidingKeysAreLookedAtOnce(t *testing.T) {
	const n = 5000
	table := NewPool().NewTable(-1)
	for i := range n {
		table.MarkDirty(table.Put(7, fmt.Sprint(i), []byte("state")))
	}
	d, walks, seen := table.TakeDirty(), 1, []string{}
	visit := func(e Entry) bool { seen = append(seen, e.Key()); return true }
	for d.Walk(100, visit, nil) {
		walks++
	}
	if walks > n/100+1 || len(seen) != n || !slices.IsSorted(seen) {
		t.Errorf("%d walks of 100 keys for %d of %d keys", walks, len(seen), n)
	}
}

// TestWhatComesLaterIsNotTaken: an entry of the hash of a removed key that is put
// while the removal is handed over stays dirty, whatever becomes of the taking.
func TestWhatComesLaterIsNotTaken(t *testing.T) {
	table := NewPool().NewTable(-1)
	table.MarkRemoved(7, "old")
	d := table.TakeDirty()
	table.MarkDirty(table.Put(7, "new", []byte("state")))
	gone := 0
	d.Walk(10, func(e Entry) bool {
		t.Errorf("%q is taken", e.Key())
		return true
	}, func(uint32, string) bool { gone++; return true })
	d.GiveBack()
	var left []string
	for d = table.TakeDirty(); d.Walk(1, func(e Entry) bool { left = append(left, e.Key()); return true }, func(_ uint32, key string) bool {
		left = append(left, key)
		return true
	}); {
	}
	if slices.Sort(left); gone != 1 || !slices.Equal(left, []string{"new", "old"}) {
		t.Errorf("%d removals were taken, %q are left", gone, left)
	}
}
