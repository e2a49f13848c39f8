package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// stepLanes steps the lanes and the log; nobody reads the store, and no
// checkpoint is made.
func stepLanes(w *gridtest.World) {
	for again := true; again; {
		again = false
		for _, l := range w.Engine.Actors() {
			for l.Step() {
				again = true
			}
		}
		again = w.Commit() || again
	}
}

// emptied is a world with one lane and room for a few records, whose keys k0 to
// k9 are all in the store only.
func emptied(t *testing.T) *gridtest.World {
	t.Helper()
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MemoryBytes: 1}})
	w.Write(t, batchOf(10, 1)...)
	if err := checkpoint(t, w); err != nil {
		t.Fatal(err)
	}
	next, err := w.Restart(t, 100, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if m := next.Engine.Memory(); m.Away != 10 || m.Records != 0 {
		t.Fatalf("after a start: %+v", m)
	}
	return next
}

func valueOf(t *testing.T, state string) string {
	t.Helper()
	rec, err := crdt.ParseLWW(state)
	if err != nil {
		t.Fatal(err)
	}
	return string(rec.Value)
}

// TestWhatNeedsTheStoreWaits: operations and reads of a key that is in the store
// only wait for it, in their order, and nobody else does.
func TestWhatNeedsTheStoreWaits(t *testing.T) {
	w := emptied(t)
	first := w.Do(engine.Durable, gridtest.Put("notes", "k1", gridtest.Int(100), gridtest.At(10, "x")), gridtest.Put("notes", "new", gridtest.Int(1), gridtest.At(10, "x")))
	second := w.Do(engine.Durable, gridtest.Put("notes", "k1", gridtest.Int(101), gridtest.At(11, "x")))
	early := w.Do(engine.Merged, gridtest.Put("notes", "k2", gridtest.Int(102), gridtest.At(11, "x")))
	other := w.Do(engine.Durable, gridtest.Put("notes", "other", gridtest.Int(103), gridtest.At(11, "x")))
	var read string
	reads := 0
	w.Engine.Get("notes", "k1", func(state string, _ bool, err error) {
		if err != nil {
			t.Error(err)
		}
		read, reads = state, reads+1
	})
	inbox := (&feed.Feed{}).Follow(10, actor.NewBell())
	w.Engine.Scan(engine.ScanRequest{Map: "notes", Budget: 100, To: inbox})
	stepLanes(w)
	if other.Done != 1 || other.Err != nil {
		t.Errorf("an operation that needs nothing of the store: %+v", other)
	}
	if marks := inbox.Take(); first.Done+second.Done+early.Done+reads+len(marks) != 0 {
		t.Fatalf("answered without the store: %+v, %+v, %+v, %d reads, %v", first, second, early, reads, marks)
	}
	w.Settle()
	for _, a := range []*gridtest.Answer{first, second, early} {
		if a.Done != 1 || a.Err != nil || a.Results[0].Status != records.Applied {
			t.Errorf("once the store has answered: %+v", a)
		}
	}
	if reads != 1 || valueOf(t, read) != string(gridtest.Int(101)) {
		t.Errorf("%d reads, with %x", reads, read)
	}
	seen := map[string]string{}
	for next := (engine.Place{}); !next.Done; {
		for _, it := range inbox.Take() {
			sl := it.Mark.(engine.Slice)
			for _, r := range sl.Rows {
				seen[r.Key] = valueOf(t, r.State)
			}
			next = sl.Next
		}
		if !next.Done {
			w.Engine.Scan(engine.ScanRequest{Map: "notes", From: next, Budget: 100, To: inbox})
			w.Settle()
		}
	}
	if len(seen) != 12 || seen["k1"] != string(gridtest.Int(101)) || seen["k2"] != string(gridtest.Int(102)) || seen["k3"] != string(gridtest.Int(3)) {
		t.Errorf("the scan behind the operations shows %q", seen)
	}
}

// TestAStoreThatFailsIsTransient: what needs it fails and may be tried again.
func TestAStoreThatFailsIsTransient(t *testing.T) {
	w := emptied(t)
	w.Store.FailReads(fmt.Errorf("%w: the disk is gone", backing.ErrIO))
	write := w.Do(engine.Durable, gridtest.Put("notes", "k1", gridtest.Int(100), gridtest.At(10, "x")))
	var reads []error
	w.Engine.Get("notes", "k1", func(_ string, _ bool, err error) { reads = append(reads, err) })
	inbox := (&feed.Feed{}).Follow(10, actor.NewBell())
	w.Engine.Scan(engine.ScanRequest{Map: "notes", Budget: 100, To: inbox})
	w.Engine.Leaf("notes", 0, func([]engine.Row, error) {})
	w.Settle()
	failures := []error{write.Err}
	failures = append(failures, reads...)
	for _, it := range inbox.Take() {
		failures = append(failures, it.Mark.(engine.Slice).Err)
	}
	if len(failures) != 3 {
		t.Fatalf("%d answers", len(failures))
	}
	for _, err := range failures {
		if !errors.Is(err, lane.ErrUnavailable) || !errors.Is(err, backing.ErrIO) {
			t.Errorf("answered with %v", err)
		}
	}
	w.Store.FailReads(nil)
	w.Write(t, gridtest.Put("notes", "k1", gridtest.Int(100), gridtest.At(10, "x")))
	if state, _ := w.Read(t, "notes", "k1"); valueOf(t, state) != string(gridtest.Int(100)) {
		t.Errorf("k1 is %x afterwards", state)
	}
}

// TestWritersWaitWhenNothingCanGo: records that the store does not have yet
// cannot leave; writers wait until a checkpoint has made room.
func TestWritersWaitWhenNothingCanGo(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MemoryBytes: 200_000}})
	text := value.AppendStr(nil, fmt.Sprintf("%0100d", 1))
	woken, written := 0, 0
	keys := keysOf(3000, 4)
	wake := func() { woken++ }
	for ; written < len(keys); written++ {
		if err := w.Engine.Admit(1, 100, wake); err != nil {
			if !errors.Is(err, engine.ErrBusy) {
				t.Fatal(err)
			}
			break
		}
		w.Do(engine.Durable, gridtest.Put("notes", keys[written], text, gridtest.At(1, "x")))
		stepLanes(w)
		w.Engine.Credit.Return(1, 100)
	}
	m := w.Engine.Memory()
	if written == len(keys) || m.Bytes < m.Budget || m.Bytes > m.Budget/4*5 {
		t.Fatalf("%d records were written, which take %d of %d bytes", written, m.Bytes, m.Budget)
	}
	w.Settle()
	if woken == 0 {
		t.Error("nobody was woken")
	}
	if m := w.Engine.Memory(); m.Bytes > m.Budget || m.Evicted+m.Emptied == 0 {
		t.Errorf("after the checkpoint records take %d of %d bytes", m.Bytes, m.Budget)
	}
	if err := w.Engine.Admit(1, 100, wake); err != nil {
		t.Errorf("then: %v", err)
	}
}

// TestALeafIsWholeWhileRecordsLeave: what goes to the store while a leaf waits for
// the store is in the leaf.
func TestALeafIsWholeWhileRecordsLeave(t *testing.T) {
	w := emptied(t)
	want := keysInLeafOf("k0", 5)
	var got []string
	for _, key := range want[1:] { // in partitions that have nothing in the store only
		w.Do(engine.Durable, gridtest.Put("notes", key, gridtest.Int(0), gridtest.At(2, "x")))
	}
	stepLanes(w)
	answers := 0
	w.Engine.Leaf("notes", merkle.LeafOf(hash.Key("k0")), func(rows []engine.Row, err error) {
		if answers++; err != nil {
			t.Error(err)
		}
		for _, r := range rows {
			got = append(got, r.Key)
		}
	})
	stepLanes(w)
	if answers != 0 {
		t.Fatal("answered without the store")
	}
	w.Checkpointer.Request(func(error) {})
	for w.Checkpointer.Step() {
		stepLanes(w) // nobody reads the store yet
	}
	w.Settle()
	slices.Sort(got)
	slices.Sort(want)
	if answers != 1 || !slices.Equal(got, want) {
		t.Errorf("%d answers, the leaf has %q, want %q", answers, got, want)
	}
}

// keysInLeafOf are keys of different partitions in the leaf of a key, that one
// among them.
func keysInLeafOf(key string, n int) []string {
	keys, seen := []string{key}, map[partition.ID]bool{partition.Of(hash.Key(key)): true}
	for i := 0; len(keys) < n; i++ {
		next := fmt.Sprint("leaf", i)
		h := hash.Key(next)
		if id := partition.Of(h); merkle.LeafOf(h) == merkle.LeafOf(hash.Key(key)) && !seen[id] {
			seen[id] = true
			keys = append(keys, next)
		}
	}
	return keys
}

// TestKeysThatComeAndGoLeaveNothing: with records in the store only for ever, keys
// that come and go for long, each of them once, leave nothing in memory.
func TestKeysThatComeAndGoLeaveNothing(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{
		Lanes: 1, MemoryBytes: 1, Lifetimes: records.Lifetimes{Tombstones: time.Second},
	}})
	at := func(i int) hlc.Timestamp {
		return hlc.Timestamp{Millis: w.Clock.Now().UnixMilli(), Counter: uint32(i), Node: "x"}
	}
	keys := keysOf(20_000, 1)
	w.Write(t, gridtest.Put("notes", keys[0], gridtest.Int(0), at(0)))
	const most = 400
	var peak [2]int64 // of the first rounds, of the others
	for n, round := 1, 0; n+most < len(keys); n, round = n+most, round+1 {
		ops := make([]records.Op, most)
		for i := range ops {
			ops[i] = gridtest.Put("notes", keys[n+i], gridtest.Int(i), at(i))
			ops[i].TTL = 1
		}
		w.Write(t, ops...)
		for range 3 { // they leave, end, leave, and are forgotten
			if err := checkpoint(t, w); err != nil {
				t.Fatal(err)
			}
			w.Engine.Sweep(0)
			w.Settle()
		}
		p := &peak[min(round/10, 1)]
		*p = max(*p, w.Engine.Memory().Bytes)
	}
	if m := w.Engine.Memory(); m.Away != 1 || peak[1] > peak[0]*12/10 {
		t.Errorf("records take up to %d bytes, at first %d: %+v", peak[1], peak[0], m)
	}
}

// TestASliceOfOneRecordGoesOn: a scan of what is in the store only comes to its end
// however few records it looks at.
func TestASliceOfOneRecordGoesOn(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MemoryBytes: 1}})
	for i, key := range keysOf(10, 1) {
		w.Write(t, gridtest.Put("notes", key, gridtest.Int(i), gridtest.At(1, "x")))
	}
	if err := checkpoint(t, w); err != nil {
		t.Fatal(err)
	}
	inbox := (&feed.Feed{}).Follow(10, actor.NewBell())
	var keys []string
	place := engine.Place{}
	for n := 0; !place.Done; n++ {
		w.Engine.Scan(engine.ScanRequest{Map: "notes", From: place, Budget: 1, To: inbox})
		w.Settle()
		sl := inbox.Take()[0].Mark.(engine.Slice)
		for _, r := range sl.Rows {
			keys = append(keys, r.Key)
		}
		if place = sl.Next; sl.Err != nil || n > 100 {
			t.Fatalf("%d slices have %q: %v", n, keys, sl.Err)
		}
	}
	if slices.Sort(keys); len(slices.Compact(keys)) != 10 || len(keys) != 10 {
		t.Errorf("all slices have %q", keys)
	}
}
