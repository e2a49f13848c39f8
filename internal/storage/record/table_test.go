package record

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type modelKey struct {
	hash uint32
	key  string
}

func less(a, b modelKey) int {
	if a.hash != b.hash {
		if a.hash < b.hash {
			return -1
		}
		return 1
	}
	return strings.Compare(a.key, b.key)
}

// TestTableAgreesWithModel drives a table and a plain map with the same random
// history, with few distinct hashes so that collisions are the rule.
func TestTableAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		model := map[modelKey]string{}
		hashes := rapid.Uint32Range(1, uint32(rapid.IntRange(1, 2000).Draw(t, "hashes")))
		for range rapid.IntRange(0, 900).Draw(t, "steps") {
			k := modelKey{hash: hashes.Draw(t, "hash")}
			k.key = fmt.Sprint("k", rapid.IntRange(0, 3).Draw(t, "key"))
			if rapid.IntRange(0, 3).Draw(t, "verb") == 0 {
				_, want := model[k]
				if got := table.Delete(k.hash, k.key); got != want {
					t.Fatalf("Delete(%v) = %v, want %v", k, got, want)
				}
				delete(model, k)
				continue
			}
			state := rapid.StringN(0, 20, 40).Draw(t, "state")
			if e := table.Put(k.hash, k.key, []byte(state)); e.Key() != k.key || e.State() != state {
				t.Fatalf("Put returned %q=%q", e.Key(), e.State())
			}
			model[k] = state
		}
		compare(t, &table, model)
		from := modelKey{hashes.Draw(t, "from hash"), fmt.Sprint("k", rapid.IntRange(0, 3).Draw(t, "from key"))}
		compareAscend(t, &table, model, Cursor{from.hash, from.key, rapid.Bool().Draw(t, "after")}, hashes.Draw(t, "last"))
	})
}

func compare(t *rapid.T, table *Table, model map[modelKey]string) {
	t.Helper()
	if table.Len() != len(model) {
		t.Fatalf("Len() = %d, want %d", table.Len(), len(model))
	}
	cost := 0
	for k, want := range model {
		e := table.Get(k.hash, k.key)
		if e == nil || e.State() != want {
			t.Fatalf("Get(%v) = %v, want %q", k, e, want)
		}
		cost += e.Cost()
	}
	if table.Cost() != cost {
		t.Fatalf("Cost() = %d, want the sum of the entries, %d", table.Cost(), cost)
	}
	if table.Get(5000, "absent") != nil {
		t.Fatal("Get finds a key that was never put")
	}
	compareAscend(t, table, model, Cursor{}, math.MaxUint32)
}

func compareAscend(t *rapid.T, table *Table, model map[modelKey]string, from Cursor, last uint32) {
	t.Helper()
	var want, got []modelKey
	for k := range model {
		if k.hash <= last && !from.Covers(k.hash, k.key) {
			want = append(want, k)
		}
	}
	slices.SortFunc(want, less)
	table.Ascend(from, last, func(hash uint32, e *Entry) bool {
		got = append(got, modelKey{hash, e.Key()})
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("Ascend(%+v, %d) = %v, want %v", from, last, got, want)
	}
}

func TestEntryKeepsLongKeys(t *testing.T) {
	var table Table
	for _, n := range []int{0, 1, 127, 128, 129, 1 << 14, 1 << 16} {
		key := strings.Repeat("x", n)
		e := table.Put(7, key, []byte("state"))
		if e.Key() != key || e.State() != "state" {
			t.Errorf("a key of %d bytes comes back as %d bytes with state %q", n, len(e.Key()), e.State())
		}
		table.Update(e, []byte("next"))
		if e.Key() != key || e.State() != "next" {
			t.Errorf("after Update a key of %d bytes comes back as %d bytes with state %q", n, len(e.Key()), e.State())
		}
	}
}

func BenchmarkTable(b *testing.B) {
	for _, n := range []int{37, 3700, 37000} {
		var table Table
		keys := make([]string, n)
		state := make([]byte, 150)
		for i := range keys {
			keys[i] = fmt.Sprint("key-", i)
			table.Put(uint32(i)*2654435761, keys[i], state)
		}
		b.Run(fmt.Sprintf("Get/%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if table.Get(uint32(i%n)*2654435761, keys[i%n]) == nil {
					b.Fatal("missing")
				}
			}
		})
		b.Run(fmt.Sprintf("Update/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table.Put(uint32(i%n)*2654435761, keys[i%n], state)
			}
		})
	}
}
