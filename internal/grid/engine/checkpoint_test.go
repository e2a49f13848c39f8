package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
)

// fill writes n keys and returns the timestamp after them.
func fill(t *testing.T, w *gridtest.World, n int, from int64) int64 {
	t.Helper()
	for i := range n {
		from++
		w.Write(t, gridtest.Put("notes", fmt.Sprint("k", i), gridtest.Int(int(from)), gridtest.At(from, "x")))
	}
	return from
}

// holds fails the test unless the keys that fill has written are as it left them.
func holds(t *testing.T, w *gridtest.World, n int) {
	t.Helper()
	for i := range n {
		if _, ok := w.Read(t, "notes", fmt.Sprint("k", i)); !ok {
			t.Fatalf("k%d is lost", i)
		}
	}
}

// TestLogIsKeptUntilTheStoreHasTheRows is LOG-DROP: while the store takes no
// checkpoint, or says that it did not, the log keeps everything that the store's
// mark does not cover, so that a power cut loses nothing.
func TestLogIsKeptUntilTheStoreHasTheRows(t *testing.T) {
	for name, outcome := range map[string]gridtest.Outcome{"refused": gridtest.Refuses, "broken off": gridtest.Breaks, "pretended": gridtest.Pretends} {
		t.Run(name, func(t *testing.T) {
			w := gridtest.Open(t, gridtest.Options{})
			next := fill(t, w, 60, 0)
			if err := checkpoint(t, w); err != nil {
				t.Fatal(err)
			}
			fill(t, w, 60, next)
			retained := w.Log.Retained()
			w.Store.OnApply(func() gridtest.Outcome { return outcome })
			if err := checkpoint(t, w); !errors.Is(err, gridtest.ErrDisk) {
				t.Fatalf("the checkpoint: %v", err)
			}
			if got := w.Log.Retained(); got != retained {
				t.Errorf("%d bytes of log are retained, there were %d", got, retained)
			}
			if st := w.Checkpointer.Stats(); st.Failures == 0 || !errors.Is(st.LastError, gridtest.ErrDisk) || st.Checkpoints != 1 {
				t.Errorf("%+v", st)
			}
			next2, err := w.Restart(t, 0, nil)
			if err != nil {
				t.Fatalf("start after a power cut: %v", err)
			}
			holds(t, next2, 60)
		})
	}
}

// TestACheckpointIsTriedAgain: rows that the store refused are not lost to it,
// and the log is dropped once it has taken them.
func TestACheckpointIsTriedAgain(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	fill(t, w, 20, 0)
	refusals := 3
	w.Store.OnApply(func() gridtest.Outcome {
		switch refusals--; {
		case refusals < 0:
			return gridtest.Works
		case refusals == 1:
			return gridtest.Breaks
		default:
			return gridtest.Refuses
		}
	})
	done := 0
	w.Checkpointer.Request(func(err error) {
		if done++; !errors.Is(err, gridtest.ErrDisk) {
			t.Errorf("the first attempt: %v", err)
		}
	})
	w.Settle()
	if done != 1 || refusals != 2 {
		t.Fatalf("answered %d times, %d attempts: a store that fails is left alone for a while", done, 3-refusals)
	}
	for range 3 {
		w.Clock.Advance(time.Second)
		w.Settle()
	}
	if st := w.Checkpointer.Stats(); st.Checkpoints != 1 || st.Rows != 20 || st.LastError != nil {
		t.Errorf("%+v", st)
	}
	if got := w.Log.Retained(); got != 0 {
		t.Errorf("%d bytes of log are left", got)
	}
	rows, err := w.Store.Rows(t.Context())
	if err != nil || len(rows) != 20 {
		t.Errorf("the store holds %d rows, %v", len(rows), err)
	}
	w, err = w.Restart(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w, 20)
}

// TestOnlyADurableMarkDropsLog is LOG-DROP for stores that write behind: while the
// mark that can be read is not durable, the store says an earlier one, and the
// log before the checkpoint's own is kept.
func TestOnlyADurableMarkDropsLog(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	fill(t, w, 60, 0)
	retained := w.Log.Retained()
	if err := w.Store.HoldMark(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint(t, w); err != nil {
		t.Fatal(err)
	}
	if got := w.Log.Retained(); got != retained {
		t.Errorf("%d bytes of log are retained, there were %d", got, retained)
	}
}

// TestAPartitionLoadedAgainIsCollectedAnew: when a partition is loaded again
// between two slices of a checkpoint, another checkpoint begins, and gets every key
// that its mark covers.
func TestAPartitionLoadedAgainIsCollectedAnew(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{
		Engine: engine.Options{Lanes: 1}, Checkpoint: engine.CheckpointOptions{SliceRows: 2},
	})
	keys := keysOf(9, 1)
	for i, key := range keys {
		w.Write(t, gridtest.Put("notes", key, gridtest.Int(i), gridtest.At(1, "x")))
	}
	done := 0
	w.Checkpointer.Request(func(err error) {
		if done++; err != nil {
			t.Errorf("the checkpoint: %v", err)
		}
	})
	lanes := w.Engine.Actors()
	w.Checkpointer.Step() // begins
	lanes[0].Step()       // says what it reaches
	w.Checkpointer.Step() // asks
	lanes[0].Step()       // hands over two rows, twice
	w.Checkpointer.Step() // asks for more
	if done != 0 {
		t.Fatal("the checkpoint is over too soon")
	}
	w.FailSyncs(1)
	w.Do(engine.Durable, gridtest.Put("notes", keys[0], gridtest.Int(99), gridtest.At(2, "x")))
	lanes[0].Step()
	w.Commit() // fails
	w.Commit() // recovers
	for range 5 {
		w.Settle()
		w.Clock.Advance(time.Second)
	}
	if done != 1 {
		t.Fatalf("the checkpoint is answered %d times", done)
	}
	w, err := w.Restart(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if _, ok := w.Read(t, "notes", key); !ok {
			t.Errorf("%s is lost", key)
		}
	}
}

// TestACheckpointWaitsForWhatItSaw is CHECKPOINT-ATOMIC: a slice that has seen a
// change whose sync fails is given back, and the store never gets the change.
func TestACheckpointWaitsForWhatItSaw(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	w.Write(t, gridtest.Put("notes", "a", gridtest.Int(1), gridtest.At(1, "x")))
	bad := w.Do(engine.Durable, gridtest.Put("notes", "a", gridtest.Int(2), gridtest.At(2, "x")))
	w.StepActors() // merged and appended, not yet synced
	answered := 0
	w.Checkpointer.Request(func(error) { answered++ })
	w.StepActors()
	if answered != 0 {
		t.Fatal("a checkpoint is done before what it saw is durable")
	}
	w.FailSyncs(1)
	w.Settle()
	if bad.Done != 1 || !errors.Is(bad.Err, lane.ErrUnavailable) {
		t.Fatalf("the write: %+v", bad)
	}
	w.Clock.Advance(time.Second)
	w.Settle()
	rows, err := w.Store.Rows(t.Context())
	if answered != 1 || err != nil || len(rows) != 1 {
		t.Fatalf("answered %d times, the store holds %d rows, %v", answered, len(rows), err)
	}
	state, _ := w.Read(t, "notes", "a")
	if string(rows[0].State) != state {
		t.Errorf("the store holds %x, the grid %x", rows[0].State, state)
	}
	if got := w.Log.Retained(); got != 0 {
		t.Errorf("%d bytes of log are left", got)
	}
}

// TestASliceGivesWay: between two slices of a checkpoint the lane does other
// work; a state that is newer than the checkpoint's mark is replayed over and
// changes nothing.
func TestASliceGivesWay(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{
		Engine: engine.Options{Lanes: 1}, Checkpoint: engine.CheckpointOptions{SliceRows: 1},
	})
	next := fill(t, w, 30, 0)
	done := false
	w.Checkpointer.Request(func(err error) { done = err == nil })
	visits := 0
	for ; !done; visits++ {
		if visits > 1000 {
			t.Fatal("the checkpoint never ends")
		}
		next++
		w.Do(engine.Durable, gridtest.Put("notes", fmt.Sprint("k", visits%30), gridtest.Int(int(next)), gridtest.At(next, "x")))
		for _, a := range w.Actors() {
			a.Step()
		}
		w.Commit()
	}
	w.Settle()
	if visits < 30 {
		t.Errorf("the lane handed over 30 rows in %d visits", visits)
	}
	before := make([]string, 30)
	for i := range before {
		before[i], _ = w.Read(t, "notes", fmt.Sprint("k", i))
	}
	w, err := w.Restart(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range before {
		if got, _ := w.Read(t, "notes", fmt.Sprint("k", i)); got != want {
			t.Errorf("k%d is %x after a power cut, was %x", i, got, want)
		}
	}
}

// TestCheckpointsBeginByThemselves: by time and by the length of the log.
func TestCheckpointsBeginByThemselves(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Checkpoint: engine.CheckpointOptions{LogBytes: 1 << 10, Every: time.Minute}})
	w.Write(t, gridtest.Put("notes", "a", gridtest.Int(1), gridtest.At(1, "x")))
	w.Clock.Advance(time.Minute - time.Millisecond)
	w.Settle()
	if st := w.Checkpointer.Stats(); st.Checkpoints != 0 {
		t.Fatalf("before its time: %+v", st)
	}
	w.Clock.Advance(time.Millisecond)
	w.Settle()
	if st := w.Checkpointer.Stats(); st.Checkpoints != 1 || st.Rows != 1 {
		t.Fatalf("after a minute: %+v", st)
	}
	next := int64(1)
	for w.Log.Retained() < 1<<10 {
		next = fill(t, w, 1, next)
		if next > 1000 {
			t.Fatal("the log does not grow")
		}
		if w.Checkpointer.Stats().Checkpoints == 2 {
			break
		}
	}
	w.Settle()
	if st := w.Checkpointer.Stats(); st.Checkpoints != 2 {
		t.Errorf("beyond a kilobyte of log: %+v", st)
	}
	if got := w.Log.Retained(); got >= 1<<10 {
		t.Errorf("%d bytes of log are left", got)
	}
}

// TestTheLogIsBounded is CHANGE-LOG-BOUNDED: with a store that takes nothing,
// writers are turned away once the log has reached its bound, and called when a
// checkpoint was made at last.
func TestTheLogIsBounded(t *testing.T) {
	const bound = 8 << 10
	w := gridtest.Open(t, gridtest.Options{
		Engine: engine.Options{Lanes: 2, MaxLogBytes: bound}, Checkpoint: engine.CheckpointOptions{LogBytes: bound / 2},
	})
	failing := true
	w.Store.OnApply(func() gridtest.Outcome {
		if failing {
			return gridtest.Refuses
		}
		return gridtest.Works
	})
	woken := 0
	const size = 200
	admitted := 0
	for w.Engine.Admit(1, size, func() { woken++ }) == nil {
		if admitted++; admitted > 1000 {
			t.Fatal("everything is admitted")
		}
		n := int64(admitted)
		w.Write(t, gridtest.Put("notes", fmt.Sprint("k", n%9), value.AppendBin(nil, make([]byte, size)), gridtest.At(n, "x")))
		w.Engine.Credit.Return(1, size)
	}
	if got := w.Log.Retained(); got < bound || got > bound+2*size+1024 {
		t.Errorf("%d bytes of log, the bound is %d", got, bound)
	}
	// Reads go on.
	if _, ok := w.Read(t, "notes", "k1"); !ok {
		t.Error("a read finds nothing")
	}
	for range 5 {
		w.Clock.Advance(time.Second)
		w.Settle()
	}
	// The checkpoint has failed: who waits is called to be turned away.
	if err := w.Engine.Admit(1, size, func() { woken += 100 }); !errors.Is(err, lane.ErrUnavailable) || !errors.Is(err, gridtest.ErrDisk) {
		t.Errorf("a writer while the log is full and the store fails: %v", err)
	}
	if woken > 1 {
		t.Fatalf("the writer was called %d times although the log is as long as before", woken)
	}
	failing = false
	w.Clock.Advance(time.Second)
	w.Settle()
	if woken > 1 {
		t.Fatalf("the writer was called %d times", woken)
	}
	if w.Engine.Admit(1, size, func() {}) != nil {
		t.Error("the writer is turned away again")
	}
}

// TestAWriterIsNotForgottenBetweenCheckpoints: the log becomes short between the
// moment a writer is found to be too early and the moment it begins to wait.
func TestAWriterIsNotForgottenBetweenCheckpoints(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MaxLogBytes: 64}})
	fill(t, w, 5, 0)
	lg := &shrinkingLog{Log: w.Log, length: 1000}
	e, err := engine.Open(t.Context(), "server", w.Clock, lg, w.Store, w.Feed, engine.Options{Lanes: 1, MaxLogBytes: 64})
	if err != nil {
		t.Fatal(err)
	}
	woken := false
	// The checkpoint ends, and wakes those who wait, while Admit looks.
	lg.looked = func() { lg.length = 0 }
	if e.Admit(1, 1, func() { woken = true }) == nil {
		t.Skip("admitted at once, which is as good")
	}
	if !woken {
		t.Error("the log is short, no checkpoint is due, and the writer waits for one")
	}
}

// shrinkingLog is a log whose length changes when somebody has looked.
type shrinkingLog struct {
	engine.Log
	length int64
	looked func()
}

func (l *shrinkingLog) Retained() int64 {
	n := l.length
	if l.looked != nil {
		l.looked()
	}
	return n
}

// TestWhatIsUnderWayCountsAsLog: the bound holds when everything that was
// admitted has got there.
func TestWhatIsUnderWayCountsAsLog(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MaxLogBytes: 1000}})
	woken := 0
	for n := range 3 {
		if err := w.Engine.Admit(1, 500, func() { woken++ }); (err == nil) != (n < 3) {
			t.Fatalf("request %d of 500 bytes: %v", n, err)
		}
	}
	if err := w.Engine.Admit(1, 500, func() { woken++ }); !errors.Is(err, engine.ErrBusy) {
		t.Fatalf("beside 1500 bytes that are under way: %v", err)
	}
	for range 3 {
		w.Engine.Credit.Return(1, 500)
	}
	if woken != 1 {
		t.Errorf("woken %d times", woken)
	}
	if err := w.Engine.Admit(1, 5000, func() {}); err != nil {
		t.Errorf("alone it is granted, whatever its size: %v", err)
	}
}
