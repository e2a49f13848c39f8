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

// wordAt is where the states of the model have their word.
const wordAt = 3

// drawState draws a state: with a word or without, from nothing to more than
// what fits into a page.
func drawState(t *rapid.T) string {
	size := rapid.OneOf(rapid.IntRange(0, 60), rapid.IntRange(0, 60), rapid.IntRange(0, 400), rapid.IntRange(900, 6000)).Draw(t, "size")
	body := strings.Repeat(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "fill"), size)
	word := rapid.SampledFrom([]string{"", "abc", "node-1", "another-node", "a-third-node", strings.Repeat("n", 130)}).Draw(t, "word")
	if word == "" {
		return body
	}
	return "..." + string(rune(min(len(word), 127))) + word + body
}

// TestTableAgreesWithModel drives a table and a plain map with the same random
// history, with few distinct hashes so that collisions are the rule.
func TestTableAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := NewPool()
		table := pool.NewTable(rapid.SampledFrom([]int{wordAt, -1}).Draw(t, "word at"))
		model := map[modelKey]string{}
		hashes := rapid.Uint32Range(1, uint32(rapid.IntRange(1, 2000).Draw(t, "hashes")))
		deletes := rapid.IntRange(1, 6).Draw(t, "deletes")
		for range rapid.IntRange(0, 600).Draw(t, "steps") {
			k := modelKey{hash: hashes.Draw(t, "hash")}
			k.key = strings.Repeat("k", rapid.SampledFrom([]int{0, 1, 2, 200}).Draw(t, "key"))
			if rapid.IntRange(0, deletes).Draw(t, "verb") == 0 {
				_, want := model[k]
				if got := table.Delete(k.hash, k.key); got != want {
					t.Fatalf("Delete(%v) = %v, want %v", k, got, want)
				}
				delete(model, k)
				continue
			}
			state := drawState(t)
			e := table.Put(k.hash, k.key, []byte(state))
			if e.Key() != k.key || e.State() != state {
				t.Fatalf("Put returned %q=%q", e.Key(), e.State())
			}
			e.SetSum(uint32(len(state)))
			e.SetPlace(uint64(len(state)), uint64(k.hash))
			model[k] = state
		}
		compare(t, table, model)
		from := modelKey{hashes.Draw(t, "from hash"), "k"}
		compareAscend(t, table, model, Cursor{Hash: from.hash, Key: from.key, After: rapid.Bool().Draw(t, "after")}, hashes.Draw(t, "last"))
		table.Clear()
		compare(t, table, nil)
		if pool.Bytes() != 0 || len(pool.words.ids) != 0 {
			t.Fatalf("the cleared pool counts %d bytes and keeps %v", pool.Bytes(), pool.words.ids)
		}
	})
}

func compare(t *rapid.T, table *Table, model map[modelKey]string) {
	t.Helper()
	if table.Len() != len(model) {
		t.Fatalf("Len() = %d, want %d", table.Len(), len(model))
	}
	cost := 0
	var buf []byte
	same := map[uint32]int{}
	for k := range model {
		same[k.hash]++
	}
	for k, want := range model {
		e, ok := table.Get(k.hash, k.key)
		if !ok || e.State() != want || e.StateView(&buf) != want || e.KeyView() != k.key {
			t.Fatalf("Get(%v) = %v, want %q", k, ok, want)
		}
		if key, state := e.Copy(); key != k.key || state != want {
			t.Fatalf("Copy() = %q, %q, want %q, %q", key, state, k.key, want)
		}
		if e.Sum() != uint32(len(want)) || e.Seq() != uint64(len(want)) || e.Arrival() != uint64(k.hash) || e.Hash() != k.hash {
			t.Fatalf("%v says of itself %d, %d, %d, %d", k, e.Sum(), e.Seq(), e.Arrival(), e.Hash())
		}
		if e.Alone() != (same[k.hash] == 1) {
			t.Fatalf("%v is alone: %v, with %d of its hash", k, e.Alone(), same[k.hash])
		}
		cost += e.Cost()
	}
	if table.Cost() != cost {
		t.Fatalf("Cost() = %d, want the sum of the entries, %d", table.Cost(), cost)
	}
	if _, ok := table.Get(5000, "absent"); ok {
		t.Fatal("Get finds a key that was never put")
	}
	compareAscend(t, table, model, Cursor{}, math.MaxUint32)
	for i := range table.pages {
		if pg := &table.pages[i]; pg.n == 0 || table.firsts[i] != pg.hash(0) || pg.gap() < 0 || len(pg.buf) > maxPage {
			t.Fatalf("page %d: %d slots, first %d, bodies from %d", i, pg.n, table.firsts[i], pg.low)
		}
	}
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
	table.Ascend(from, last, func(e Entry) bool {
		got = append(got, modelKey{e.Hash(), e.Key()})
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("Ascend(%+v, %d) = %v, want %v", from, last, got, want)
	}
}

func TestEntryKeepsLongKeys(t *testing.T) {
	table := NewPool().NewTable(-1)
	for _, n := range []int{0, 1, 127, 128, 129, 1 << 14, 1 << 16} {
		key := strings.Repeat("x", n)
		e := table.Put(7, key, []byte("state"))
		if e.Key() != key || e.State() != "state" {
			t.Errorf("a key of %d bytes comes back as %d bytes with state %q", n, len(e.Key()), e.State())
		}
		if e = table.Update(e, []byte("next")); e.Key() != key || e.State() != "next" {
			t.Errorf("after Update a key of %d bytes comes back as %d bytes with state %q", n, len(e.Key()), e.State())
		}
	}
}

// TestPagesAreFull pins what a record takes: pages that were filled at random
// and pages that were filled in order are nearly full.
func TestPagesAreFull(t *testing.T) {
	for name, step := range map[string]uint32{"at random": 2654435761, "in order": 1 << 10} {
		pool := NewPool()
		table := pool.NewTable(-1)
		state := make([]byte, 120)
		for i := range uint32(20000) {
			table.Put(i*step, fmt.Sprint("key-", i), state)
		}
		if share := float64(pool.Bytes()) / float64(table.Cost()); share > 1.2 {
			t.Errorf("filled %s, the table takes %.3f times what its entries take", name, share)
		}
		for i := range uint32(20000) {
			if i%10 != 0 {
				table.Delete(i*step, fmt.Sprint("key-", i))
			}
		}
		if share := float64(pool.Bytes()) / float64(table.Cost()); share > 2 {
			t.Errorf("filled %s and then thinned out, it takes %.3f times what its entries take", name, share)
		}
	}
}

func TestHits(t *testing.T) {
	table := NewPool().NewTable(-1)
	e := table.Put(1, "k", nil)
	if e.Hits(1000) != newHits {
		t.Errorf("a new entry has %d hits", e.Hits(1000))
	}
	var at []uint8
	for _, n := range []int{10, 100, 1000, 100_000} {
		for range n {
			e.Touch(1000)
		}
		at = append(at, e.Hits(1000))
	}
	if !slices.IsSorted(at) || at[0] == at[3] || at[3] < 80 {
		t.Errorf("hits rise like %v", at)
	}
	if h := e.Hits(1000 + 10*hitsDecay); h != at[3]-10 {
		t.Errorf("after ten minutes without a use %d hits became %d", at[3], h)
	}
	if e.Hits(1000+1000*hitsDecay) != 0 || e.Hits(5) != at[3] || e.Used() != 1000 {
		t.Errorf("hits %d, %d, used %d", e.Hits(1000+1000*hitsDecay), e.Hits(5), e.Used())
	}
}

func BenchmarkTable(b *testing.B) {
	for _, n := range []int{37, 3700, 37000} {
		table := NewPool().NewTable(13)
		keys := make([]string, n)
		state := append([]byte(".............\x12node-aaaa-bbbb-ccc"), make([]byte, 104)...)
		for i := range keys {
			keys[i] = fmt.Sprint("key-", i)
			table.Put(uint32(i)*2654435761, keys[i], state)
		}
		b.Run(fmt.Sprintf("Get/%d", n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, ok := table.Get(uint32(i%n)*2654435761, keys[i%n]); !ok {
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
		b.Run(fmt.Sprintf("Insert/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			pool := NewPool()
			table := pool.NewTable(13)
			for i := 0; b.Loop(); i++ {
				if i%n == 0 {
					table.Clear()
				}
				table.Put(uint32(i)*2654435761, keys[i%n], state)
			}
		})
	}
}
