package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// TestTheClockGoesOnAfterARestart: what the node stamps is later than all that it
// stamped before, although the wall clock has gone back, from the log and from
// the store.
func TestTheClockGoesOnAfterARestart(t *testing.T) {
	for _, stored := range []bool{false, true} {
		w := gridtest.Open(t, gridtest.Options{})
		w.Write(t, gridtest.Put("notes", "a", gridtest.Int(1), gridtest.At(1, "x")))
		state, _ := w.Read(t, "notes", "a")
		removed := gridtest.Put("notes", "a", nil, gridtest.At(0, ""))
		removed.TS.Millis, removed.TS.Node = 0, ""
		stamp := w.Write(t, removed)[0].Stamp
		if crdt.AcceptLWW(state, stamp) <= 0 {
			t.Fatalf("removed at %s", stamp)
		}
		if stored {
			if err := checkpoint(t, w); err != nil {
				t.Fatal(err)
			}
		}
		w.Clock.Advance(-time.Hour)
		next, err := w.Restart(t, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if now := next.Engine.Clock().Now(); !now.After(stamp) {
			t.Errorf("from the store %t: the clock goes on at %s, after %s", stored, now, stamp)
		}
	}
}

// TestWhatCannotBeLoadedIsRefused: a store or a log that does not make one state
// is named, and nothing is started.
func TestWhatCannotBeLoadedIsRefused(t *testing.T) {
	open := func(w *gridtest.World) error {
		_, err := engine.Open(t.Context(), "server", w.Clock, w.Log, w.Store, w.Feed, engine.Options{})
		return err
	}
	apply := func(t *testing.T, w *gridtest.World, row backing.Row, lsn uint64) {
		t.Helper()
		rows := []backing.Write{{Row: row}}
		if err := w.Store.Apply(t.Context(), slices.Values(rows), backing.Mark{LSN: lsn}); err != nil {
			t.Fatal(err)
		}
	}
	row := backing.Row{
		Key:  backing.Key{Map: "notes", Partition: partition.Of(hash.Key("a")), Hash: hash.Key("a"), Key: "a"},
		Kind: uint8(change.KindLWW), Seq: 1, State: []byte("damaged"),
	}
	t.Run("a damaged row", func(t *testing.T) {
		w := gridtest.Open(t, gridtest.Options{})
		apply(t, w, row, 0)
		if err := open(w); !errors.Is(err, crdt.ErrCorrupt) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a damaged batch in the log", func(t *testing.T) {
		w := gridtest.Open(t, gridtest.Options{})
		if _, err := w.Log.Append(w.Log.Generation(), []byte("damaged")); err != nil {
			t.Fatal(err)
		}
		w.Commit()
		if err := open(w); !errors.Is(err, change.ErrCorrupt) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a log that begins behind the store", func(t *testing.T) {
		w := gridtest.Open(t, gridtest.Options{})
		fill(t, w, 60, 0)
		if err := w.Log.DropBefore(w.Log.Durable()); err != nil {
			t.Fatal(err)
		}
		if err := open(w); !errors.Is(err, log.ErrTruncated) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a log that ends before the store", func(t *testing.T) {
		w := gridtest.Open(t, gridtest.Options{})
		if err := w.Store.Apply(t.Context(), slices.Values([]backing.Write{}), backing.Mark{LSN: 1 << 20}); err != nil {
			t.Fatal(err)
		}
		if err := open(w); !errors.Is(err, engine.ErrLogLost) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a store that does not answer", func(t *testing.T) {
		w := gridtest.Open(t, gridtest.Options{})
		w.Store.FailReads(gridtest.ErrDisk)
		if err := open(w); !errors.Is(err, gridtest.ErrDisk) {
			t.Errorf("%v", err)
		}
	})
}

// TestALaneThatCannotReload: after a failed sync, with a store that does not
// answer, everyone is told to come again and nobody waits; then it goes on with
// what was durable.
func TestALaneThatCannotReload(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	w.Write(t, batchOf(20, 1)...)
	if err := checkpoint(t, w); err != nil {
		t.Fatal(err)
	}
	w.Write(t, batchOf(10, 2)...)
	w.Do(engine.Durable, batchOf(20, 3)...)
	w.StepActors()
	w.FailSyncs(1)
	w.Store.FailReads(gridtest.ErrDisk)
	w.Settle()
	a := w.Do(engine.Durable, batchOf(20, 4)...)
	w.Settle()
	if a.Done != 1 || !errors.Is(a.Err, lane.ErrUnavailable) {
		t.Fatalf("a write: %+v", a)
	}
	w.Store.FailReads(nil)
	for i := range 20 {
		want := int64(1)
		if i < 10 {
			want = 2
		}
		state, _ := w.Read(t, "notes", fmt.Sprint("k", i))
		if rec, err := crdt.ParseLWW(state); err != nil || rec.TS != gridtest.At(want, "x") {
			t.Errorf("k%d is of %s, want %d, %v", i, rec.TS, want, err)
		}
	}
}

// TestEverythingAtOnce gives every actor its goroutine and lets callers write,
// read and ask for checkpoints while syncs fail now and then. All are answered;
// what was acknowledged is there after a power cut.
func TestEverythingAtOnce(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{
		Engine:     engine.Options{Lanes: 3, Lane: lane.Options{GroupTasks: 8}},
		Checkpoint: engine.CheckpointOptions{LogBytes: 8 << 10, SliceRows: 3},
	})
	n := 0
	w.OnSync(func() error {
		if n++; n%40 == 0 {
			return gridtest.ErrDisk
		}
		return nil
	})
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for _, a := range w.Actors() {
		running.Go(func() { actor.Run(ctx, a) })
	}
	running.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-w.Committer().Pending():
			case <-ctx.Done():
				return
			}
			for {
				worked, err := w.Committer().Step()
				if err != nil {
					for w.Committer().Recover() != nil && ctx.Err() == nil {
						continue
					}
				}
				if !worked {
					break
				}
			}
		}
	})

	const callers, each = 4, 150
	var mu sync.Mutex
	acked, failed := map[string]int64{}, 0
	var work sync.WaitGroup
	for c := range callers {
		work.Go(func() {
			for i := range each {
				key := fmt.Sprint("c", c, "k", i%20)
				done := make(chan error, 1)
				w.Engine.Do(&engine.Batch{
					Ops: []records.Op{gridtest.Put("notes", key, gridtest.Int(i), gridtest.At(int64(i), "x"))}, Until: engine.Durable,
					Done: func(_ *engine.Batch, err error) { done <- err },
				})
				err := <-done
				mu.Lock()
				if err == nil {
					acked[key] = int64(i)
				} else {
					failed++
				}
				mu.Unlock()
				read := make(chan error, 1)
				w.Engine.Get("notes", key, func(_ string, _ bool, err error) { read <- err })
				<-read
			}
		})
	}
	work.Go(func() {
		for range 20 {
			done := make(chan error, 1)
			w.Checkpointer.Request(func(err error) { done <- err })
			// A lane that could not answer is asked again after a while.
			for waiting := true; waiting; {
				select {
				case <-done:
					waiting = false
				default:
					w.Clock.Advance(50 * time.Millisecond)
					w.Checkpointer.Bell().Ring()
				}
			}
		}
	})
	work.Wait()
	stop()
	running.Wait()
	w.OnSync(nil)
	next, err := w.Restart(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, at := range acked {
		state, ok := next.Read(t, "notes", key)
		if !ok || crdt.AcceptLWW(state, gridtest.At(at, "x")) > 0 {
			t.Errorf("%s at %d was acknowledged and is lost", key, at)
		}
	}
	if len(acked) == 0 || failed == 0 || w.Checkpointer.Stats().Checkpoints == 0 {
		t.Errorf("%d keys acknowledged, %d writes failed, %+v", len(acked), failed, w.Checkpointer.Stats())
	}
}
