package record

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestGuesses drives a table through random histories and looks keys up with
// guesses of any age: they change nothing but the time it takes.
func TestGuesses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewPool().NewTable(-1)
		hashes := rapid.SampledFrom([]uint32{0, 1, 2, 3, 500, 501, 1 << 31, 1<<32 - 2, 1<<32 - 1})
		keys := rapid.SampledFrom([]string{"", "a", "b", strings.Repeat("c", 300)})
		guesses := []Guess{{}, {page: 1 << 30, slot: 1 << 30}}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			hash, key := hashes.Draw(t, "hash"), keys.Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "verb") {
			case 0:
				table.Put(hash, key, make([]byte, rapid.IntRange(0, 900).Draw(t, "size")))
			case 1:
				table.Delete(hash, key)
			case 2:
				guesses = append(guesses, table.Approach(hash))
			case 3:
				g := rapid.SampledFrom(guesses).Draw(t, "approached")
				table.Open(g)
				guesses = append(guesses, table.Near(g, hash))
			}
			want, there := table.Get(hash, key)
			got, found := table.GetNear(rapid.SampledFrom(guesses).Draw(t, "guess"), hash, key)
			if found != there || found && (got.p != want.p || got.i != want.i) {
				t.Fatalf("GetNear(%d, %q) = %d/%d, %t, want %d/%d, %t", hash, key, got.p, got.i, found, want.p, want.i, there)
			}
		}
	})
}

// TestAGuessIsRight: while a table stays as it is, every key is where the guess
// says.
func TestAGuessIsRight(t *testing.T) {
	table := NewPool().NewTable(-1)
	for i := range uint32(1000) {
		table.Put(i*7, strconv.Itoa(int(i)), make([]byte, 100))
	}
	for i := range uint32(1000) {
		g := table.Near(table.Approach(i*7), i*7)
		if e := table.at(int(g.page)-1, int(g.slot)); e.hash != i*7 {
			t.Fatalf("the guess for %d is the place of %d", i*7, e.hash)
		}
	}
}

// BenchmarkGet looks up keys of a million, one after the other and 32 at a time
// with guesses.
func BenchmarkGet(b *testing.B) {
	const tables, each, together = 271, 3690, 32
	pool := NewPool()
	var all [tables]*Table
	key := func(n int) (*Table, uint32, string) {
		return all[n%tables], uint32(n/tables) * 1000003, strconv.Itoa(n / tables)
	}
	for n := range all {
		all[n] = pool.NewTable(-1)
	}
	for n := range tables * each {
		t, hash, k := key(n)
		t.Put(hash, k, make([]byte, 150))
	}
	for _, guess := range []bool{false, true} {
		name := "one by one"
		if guess {
			name = "with guesses"
		}
		b.Run(name, func(b *testing.B) {
			var guesses [together]Guess
			for n := 0; b.Loop(); n++ {
				for i := range guesses {
					if t, hash, _ := key((n*together + i) * 7919 % (tables * each)); guess {
						guesses[i] = t.Approach(hash)
					}
				}
				for i, g := range guesses {
					if t, _, _ := key((n*together + i) * 7919 % (tables * each)); guess {
						t.Open(g)
					}
				}
				for i, g := range guesses {
					if t, hash, _ := key((n*together + i) * 7919 % (tables * each)); guess {
						guesses[i] = t.Near(g, hash)
					}
				}
				for i, g := range guesses {
					t, hash, k := key((n*together + i) * 7919 % (tables * each))
					if _, ok := t.GetNear(g, hash, k); !ok {
						b.Fatal("a key is lost")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/together, "ns/key")
		})
	}
}
