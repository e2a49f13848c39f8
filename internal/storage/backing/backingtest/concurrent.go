package backingtest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// testScanWhileApplying gives every row of a map the number of the checkpoint
// that wrote it last; a scan that sees two numbers saw two checkpoints.
func testScanWhileApplying(f *fixture) {
	const rows, rounds, readers = 400, 40, 3
	checkpoint := func(round int) []backing.Write {
		writes := make([]backing.Write, rows)
		for i := range writes {
			writes[i] = put(fmt.Sprintf("key-%04d", i), fmt.Sprint(round))
			writes[i].Seq = uint64(round)
		}
		return writes
	}
	f.apply(at(0), checkpoint(0)...)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range readers {
		wg.Go(func() {
			var last uint64
			for stop := false; !stop; {
				select {
				case <-done:
					stop = true
				default:
				}
				mark, err := f.store.Mark(f.Context())
				if err != nil {
					f.Errorf("Mark: %v", err)
					return
				}
				last = max(last, mark.LSN)
				got, err := Collect(f.Context(), f.store, backing.Range{})
				if err != nil || len(got) != rows {
					f.Errorf("scan of %d rows, %v, want %d", len(got), err, rows)
					return
				}
				for _, r := range got {
					if r.Seq != got[0].Seq || string(r.State) != fmt.Sprint(r.Seq) {
						f.Errorf("one scan saw seq %d and %s", got[0].Seq, describe(r))
						return
					}
				}
				if got[0].Seq < last {
					f.Errorf("a scan saw checkpoint %d after a scan or a mark saw %d", got[0].Seq, last)
					return
				}
				last = got[0].Seq
				row, found, err := f.store.Load(f.Context(), got[0].Key)
				if err != nil || !found || row.Seq < last {
					f.Errorf("Load: seq %d, %t, %v, after %d was seen", row.Seq, found, err, last)
					return
				}
			}
		})
	}
	for round := 1; round <= rounds; round++ {
		f.apply(at(uint64(round)), checkpoint(round)...)
	}
	close(done)
	wg.Wait()
	f.check()
}

func testConcurrentApply(f *fixture) {
	const writers, rounds = 4, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for round := range rounds {
				row := put(fmt.Sprintf("%d-%d", w, round), "state")
				rows := func(yield func(backing.Write) bool) { yield(row) }
				if err := f.store.Apply(f.Context(), rows, at(1)); err != nil {
					f.Errorf("Apply: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for w := range writers {
		for round := range rounds {
			f.model.Apply([]backing.Write{put(fmt.Sprintf("%d-%d", w, round), "state")}, at(1))
		}
	}
	f.check()
}

// testRandom holds a random history of 20,000 rows against the model.
func testRandom(f *fixture) {
	r := rand.New(rand.NewPCG(Seed(f.T), 1))
	g := &Generator{Rand: r, Keys: 6000, StateBytes: 200}
	for written := 0; written < 20_000; {
		n := 1 + r.IntN(1<<r.IntN(12))
		written += n
		writes, mark := g.Checkpoint(n)
		f.apply(mark, writes...)
		for range 10 {
			f.checkKey(g.key())
		}
		switch r.IntN(12) {
		case 0:
			f.check()
		case 1:
			f.reopen()
			f.check()
		case 2:
			f.clearRandom(g)
		}
	}
	f.check()
}

// checkKey holds one row against the model.
func (f *fixture) checkKey(k backing.Key) {
	f.Helper()
	got, found, err := f.store.Load(f.Context(), k)
	want, wanted := f.model.rows[k]
	if err != nil || found != wanted || found && !same(got, want) {
		f.Fatalf("Load(%v): %s, %t, %v, want %s, %t", k, describe(got), found, err, describe(want), wanted)
	}
}

// clearRandom clears random ranges, seldom much.
func (f *fixture) clearRandom(g *Generator) {
	f.Helper()
	ranges, mark := g.Ranges(), g.Mark()
	if err := f.store.Clear(f.Context(), ranges, mark); err != nil {
		f.Fatal(err)
	}
	f.model.Clear(ranges, mark)
	f.check()
}
