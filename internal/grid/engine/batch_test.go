package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// keys are so many that every lane has some.
func batchOf(n int, at int64) (ops []records.Op) {
	for i := range n {
		ops = append(ops, gridtest.Put("notes", fmt.Sprint("k", i), gridtest.Int(i), gridtest.At(at, "x")))
	}
	return ops
}

// TestABatchIsAnsweredOnceAtItsLevel: merged is answered before the log is
// synced, durable after it; never twice, whatever comes then.
func TestABatchIsAnsweredOnceAtItsLevel(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 3}})
	early, late := w.Do(engine.Merged, batchOf(20, 1)...), w.Do(engine.Durable, batchOf(20, 2)...)
	if early.Done+late.Done != 0 {
		t.Fatal("answered before anything was done")
	}
	w.StepActors()
	if early.Done != 1 || early.Err != nil || late.Done != 0 {
		t.Fatalf("before the sync: merged %+v, durable %+v", early, late)
	}
	w.Settle()
	if early.Done != 1 || late.Done != 1 || late.Err != nil {
		t.Fatalf("after it: merged %+v, durable %+v", early, late)
	}
	for i, r := range late.Results {
		if r.Status != records.Applied {
			t.Errorf("operation %d: %+v", i, r)
		}
	}
	empty := w.Do(engine.Durable)
	if empty.Done != 1 || empty.Err != nil || len(empty.Results) != 0 {
		t.Errorf("an empty batch: %+v", empty)
	}
}

// TestABatchThatFails: one answer for all, transient, whichever lanes had a part
// in it; one that was answered early is not answered again.
func TestABatchThatFails(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 3}})
	early, late := w.Do(engine.Merged, batchOf(20, 1)...), w.Do(engine.Durable, batchOf(20, 2)...)
	w.StepActors()
	w.FailSyncs(1)
	w.Settle()
	if early.Done != 1 || early.Err != nil {
		t.Errorf("merged: %+v", early)
	}
	if late.Done != 1 || !errors.Is(late.Err, lane.ErrUnavailable) {
		t.Errorf("durable: %+v", late)
	}
	if _, ok := w.Read(t, "notes", "k1"); ok {
		t.Error("what failed is there")
	}
	// While the log is broken both are refused at once.
	w.FailSyncs(1)
	w.Do(engine.Durable, batchOf(20, 3)...)
	w.StepActors()
	w.Commit()
	w.StepActors()
	early, late = w.Do(engine.Merged, batchOf(20, 4)...), w.Do(engine.Durable, batchOf(20, 5)...)
	w.StepActors()
	for name, a := range map[string]*gridtest.Answer{"merged": early, "durable": late} {
		if a.Done != 1 || !errors.Is(a.Err, lane.ErrUnavailable) {
			t.Errorf("%s, with a broken log: %+v", name, a)
		}
	}
	w.Settle()
	again := w.Write(t, batchOf(20, 5)...)
	for i, r := range again {
		if r.Status != records.Applied {
			t.Errorf("operation %d, sent again: %+v", i, r)
		}
	}
}

// TestABatchThatFindsNoRoom: a lane that takes no more refuses its part at once,
// and the batch is answered when the others have done theirs.
func TestABatchThatFindsNoRoom(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 2, Lane: lane.Options{Mailbox: 1}}})
	first, second := w.Do(engine.Durable, batchOf(20, 1)...), w.Do(engine.Durable, batchOf(20, 2)...)
	if second.Done != 1 || !errors.Is(second.Err, lane.ErrUnavailable) {
		t.Errorf("without room: %+v", second)
	}
	w.Settle()
	if first.Done != 1 || first.Err != nil || second.Done != 1 {
		t.Errorf("with room: %+v", first)
	}
}

// TestOperationsOfAKeyKeepTheirOrder, within a batch and from one to the next.
func TestOperationsOfAKeyKeepTheirOrder(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	tag := gridtest.At(1, "x").String()
	w.Do(engine.Durable, gridtest.Add("tags", "k", gridtest.Int(1), gridtest.At(1, "x")), gridtest.Drop("tags", "k", tag))
	a := w.Do(engine.Durable, gridtest.Add("tags", "k", gridtest.Int(1), gridtest.At(1, "x")))
	w.Settle()
	if a.Results[0].Status != records.Unchanged {
		t.Errorf("an addition behind its removal: %+v", a.Results[0])
	}
	state, _ := w.Read(t, "tags", "k")
	if s := crdt.ORState(state); s.Live() != 0 || s.Dead() != 1 {
		t.Errorf("the key holds %d records and %d tombstones", s.Live(), s.Dead())
	}
}

// TestResultsStandWhereTheirOperationsDo, refused ones among them.
func TestResultsStandWhereTheirOperationsDo(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 3}})
	ops := batchOf(12, 1)
	for i := 0; i < len(ops); i += 3 {
		ops[i] = gridtest.Add("notes", fmt.Sprint("k", i), gridtest.Int(1), gridtest.At(1, "x"))
	}
	// The first one that arrives gives the map its kind; here it has one.
	w.Write(t, gridtest.Put("notes", "first", gridtest.Int(0), gridtest.At(1, "x")))
	a := w.Do(engine.Durable, ops...)
	w.Settle()
	if a.Done != 1 || a.Err != nil {
		t.Fatalf("%+v", a)
	}
	for i, r := range a.Results {
		if i%3 == 0 && !errors.Is(r.Err, records.ErrKind) || i%3 != 0 && r.Status != records.Applied {
			t.Errorf("operation %d: %+v", i, r)
		}
	}
}

// TestATransientRefusalFailsTheBatch: an operation that has to come again must
// not be covered by an answer of success.
func TestATransientRefusalFailsTheBatch(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Null: true})
	const far = 3600_000
	for i := range 5000 {
		a := w.Do(engine.Durable, gridtest.Put("notes", "k", gridtest.Int(i), gridtest.At(far+int64(i), "x")))
		w.StepActors()
		if a.Done != 1 {
			t.Fatalf("write %d is answered %d times", i, a.Done)
		}
		if a.Err != nil {
			if !errors.Is(a.Err, records.ErrBusy) || i < 4000 {
				t.Fatalf("write %d: %v", i, a.Err)
			}
			return
		}
	}
	t.Error("timestamps far ahead are remembered without a bound")
}

// TestReadYourWrites: a read behind a write sees it, on every lane, by whichever
// way it reads, and is answered after it; over a restart as well.
func TestReadYourWrites(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 3}})
	var order []string
	for i := range 30 {
		key := fmt.Sprint("k", i)
		write := w.Do(engine.Durable, gridtest.Put("notes", key, gridtest.Int(i), gridtest.At(1, "x")))
		w.Engine.Get("notes", key, func(state string, ok bool, err error) {
			rec, parse := crdt.ParseLWW(state)
			if err != nil || !ok || parse != nil || !value.Equal(rec.Value, gridtest.Int(i)) {
				t.Errorf("%s reads %x, %t, %v", key, state, ok, err)
			}
			if write.Done != 1 {
				t.Errorf("the read of %s is answered before the write", key)
			}
			order = append(order, key)
		})
	}
	w.StepActors()
	if len(order) != 0 {
		t.Fatalf("%d reads are answered before what they saw is durable", len(order))
	}
	w.Settle()
	if len(order) != 30 {
		t.Fatalf("%d reads are answered", len(order))
	}
	w, err := w.Restart(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w, 30)
}

// TestChangesLargerThanAFrame: however much comes at once, and however much a
// few bytes remove, the log takes it.
func TestChangesLargerThanAFrame(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{
		Engine: engine.Options{Lanes: 1}, Checkpoint: engine.CheckpointOptions{LogBytes: 1 << 30},
	})
	large := value.Raw(value.AppendStr(nil, strings.Repeat("x", 1<<20)))
	var writes []*gridtest.Answer
	var removals []records.Op
	for i := range 1 + log.MaxFrame>>20 {
		key := fmt.Sprint("k", i)
		writes = append(writes, w.Do(engine.Durable, gridtest.Put("m", key, large, gridtest.At(1, "x"))))
		removals = append(removals, gridtest.Put("m", key, nil, gridtest.At(2, "x")))
	}
	w.Settle()
	for i, a := range writes {
		if a.Done != 1 || a.Err != nil {
			t.Fatalf("write %d: %+v", i, a)
		}
	}
	for _, r := range w.Write(t, removals...) {
		if r.Status != records.Applied {
			t.Fatalf("a removal: %+v", r)
		}
	}
	err := w.Log.Replay(0, func(_ log.LSN, payload []byte) error {
		if len(payload) > 8<<20 {
			t.Errorf("a frame has %d bytes", len(payload))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if w, err = w.Restart(t, 0, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.Read(t, "m", "k0"); !ok {
		t.Error("the removal is not there")
	}
}

// TestABatchOfManyGroupsKeepsItsPlace: what comes behind it is done behind it,
// however many groups it takes, and it is answered once.
func TestABatchOfManyGroupsKeepsItsPlace(t *testing.T) {
	for _, until := range []engine.Level{engine.Merged, engine.Durable} {
		w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 2, Lane: lane.Options{GroupBytes: 1}}})
		first, older := w.Do(until, batchOf(20, 2)...), w.Do(until, batchOf(20, 1)...)
		w.Settle()
		if first.Done != 1 || first.Err != nil || older.Done != 1 || older.Err != nil {
			t.Fatalf("the first %+v, the one behind it %+v", first, older)
		}
		for i := range older.Results {
			if first.Results[i].Status != records.Applied || older.Results[i].Status != records.Unchanged {
				t.Errorf("operation %d: %+v, and behind it %+v", i, first.Results[i], older.Results[i])
			}
		}
		failing := w.Do(engine.Durable, batchOf(20, 3)...)
		w.FailSyncs(1)
		w.Settle()
		if failing.Done != 1 || failing.Err == nil {
			t.Errorf("when the disk fails in the midst: %+v", failing)
		}
		w.Write(t, batchOf(20, 4)...)
	}
}

// TestLargeRecordsThatEndTogether: however large they are, and wherever they are,
// they end in groups of a bounded size.
func TestLargeRecordsThatEndTogether(t *testing.T) {
	for _, memory := range []int{0, 1} {
		w := gridtest.Open(t, gridtest.Options{
			Engine: engine.Options{Lanes: 1, MemoryBytes: memory}, Checkpoint: engine.CheckpointOptions{LogBytes: 1 << 30},
		})
		large := value.Raw(value.AppendStr(nil, strings.Repeat("x", 1<<20)))
		for i := range 20 {
			o := gridtest.Put("m", fmt.Sprint("k", i), large, hlc.Timestamp{Millis: w.Clock.Millis(), Node: "x"})
			o.TTL = 5000
			w.Write(t, o)
		}
		if err := checkpoint(t, w); err != nil {
			t.Fatal(err)
		}
		if w.Settle(); (memory > 0) != (w.Engine.Memory().Away == 20) {
			t.Fatalf("%+v", w.Engine.Memory())
		}
		w.Clock.Advance(10 * time.Second)
		begin := w.Committer().Stats().AppendedBytes
		for last, n := begin, 0; n < 100; n++ {
			w.Engine.Sweep(0)
			w.StepActors()
			now := w.Committer().Stats().AppendedBytes
			if now-last > 6<<20 {
				t.Errorf("with %d bytes of memory one group has %d bytes", memory, now-last)
			}
			last = now
			w.Commit()
		}
		if n := w.Committer().Stats().AppendedBytes - begin; n < 20<<20 || n > 21<<20 {
			t.Errorf("with %d bytes of memory all have %d bytes", memory, n)
		}
	}
}

// TestLargeRecordsThatComeBackTogether: removals of records that are in the store
// only make groups of a bounded size, however many come back at once.
func TestLargeRecordsThatComeBackTogether(t *testing.T) {
	for _, batches := range []int{1, 20} {
		w := gridtest.Open(t, gridtest.Options{
			Engine: engine.Options{Lanes: 1, MemoryBytes: 1}, Checkpoint: engine.CheckpointOptions{LogBytes: 1 << 30},
		})
		large := value.Raw(value.AppendStr(nil, strings.Repeat("x", 1<<20)))
		for i := range 20 {
			w.Write(t, gridtest.Put("m", fmt.Sprint("k", i), large, gridtest.At(1, "x")))
		}
		if err := checkpoint(t, w); err != nil {
			t.Fatal(err)
		}
		if w.Settle(); w.Engine.Memory().Away != 20 {
			t.Fatalf("%+v", w.Engine.Memory())
		}
		var ops []records.Op
		var answers []*gridtest.Answer
		for i := range 20 {
			ops = append(ops, gridtest.Put("m", fmt.Sprint("k", i), nil, gridtest.At(2, "x")))
			if len(ops) == 20/batches {
				answers = append(answers, w.Do(engine.Durable, ops...))
				ops = nil
			}
		}
		last := w.Committer().Stats().AppendedBytes
		for worked := true; worked; {
			worked = false
			for _, a := range w.Actors() {
				worked = a.Step() || worked
				now := w.Committer().Stats().AppendedBytes
				if now-last > 6<<20 {
					t.Errorf("one group has %d bytes", now-last)
				}
				last = now
			}
		}
		w.Settle()
		for _, a := range answers {
			if a.Done != 1 || a.Err != nil || a.Results[0].Status != records.Applied {
				t.Errorf("%+v", a)
			}
		}
	}
}
