package engine_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// TestAGateHoldsWhatIsDurable: a batch that waits for Durable is done only when
// the store behind the gate has it; one that waits for less does not wait; and
// the gate has a checkpoint made at once, one for all that wait.
func TestAGateHoldsWhatIsDurable(t *testing.T) {
	gate := engine.NewGate()
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Gate: gate}})
	do := func(until engine.Level, op records.Op) (b *engine.Batch, done *int) {
		done = new(int)
		b = &engine.Batch{Ops: []records.Op{op}, Until: until, Done: func(_ *engine.Batch, err error) {
			if err != nil {
				t.Errorf("done with %v", err)
			}
			*done++
		}}
		w.Engine.Do(b)
		return b, done
	}
	op := func(key string, at int64) records.Op {
		return gridtest.Put("notes", key, gridtest.Int(1), gridtest.At(at, "x"))
	}
	first, firstDone := do(engine.Durable, op("a", 1))
	_, mergedDone := do(engine.Merged, op("b", 2))
	if first.OnDisk() {
		t.Error("the batch is on disk before the log was written")
	}
	w.Settle()
	if *firstDone != 0 || *mergedDone != 1 || !first.OnDisk() || gate.Held() != 1 {
		t.Fatalf("done %d and %d times, on disk %t, %d held; want the durable batch held and the other done",
			*firstDone, *mergedDone, first.OnDisk(), gate.Held())
	}
	if n := w.Checkpointer.Stats().Checkpoints; n != 1 {
		t.Errorf("%d checkpoints, want one, at once", n)
	}
	if row, found := w.Read(t, "notes", "a"); !found {
		t.Errorf("a reader sees %v, want the write that is durable here", row)
	}
	mark, err := w.Store.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gate.Reach(log.LSN(mark.LSN) - 1)
	if *firstDone != 0 {
		t.Error("done before the store behind has it")
	}
	gate.Reach(log.LSN(mark.LSN))
	if *firstDone != 1 || gate.Held() != 0 {
		t.Errorf("done %d times, %d held, want done once", *firstDone, gate.Held())
	}

	// Delivered again, there is nothing left to wait for.
	_, again := do(engine.Durable, op("a", 1))
	w.Settle()
	if *again != 1 || w.Checkpointer.Stats().Checkpoints != 1 {
		t.Errorf("done %d times after %d checkpoints, want at once and without another", *again, w.Checkpointer.Stats().Checkpoints)
	}

	// What comes while a store is away shares what brings it back.
	var all []*int
	for i := range int64(20) {
		_, d := do(engine.Durable, op("c", 10+i))
		all = append(all, d)
		w.Settle()
	}
	if mark, err = w.Store.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	gate.Reach(log.LSN(mark.LSN))
	for i, d := range all {
		if *d != 1 {
			t.Errorf("batch %d was done %d times", i, *d)
		}
	}
}
