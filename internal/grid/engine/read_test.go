package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
)

// readTree reads a tree and fails the test if it is not answered once.
func readTree(t *testing.T, w *gridtest.World, mapName, path string) *merkle.Tree {
	t.Helper()
	var got *merkle.Tree
	w.Engine.Tree(mapName, path, func(tree *merkle.Tree, err error) {
		if err != nil || got != nil {
			t.Errorf("the tree of %s: %v", mapName, err)
		}
		got = tree
	})
	w.Settle()
	if got == nil {
		t.Fatalf("the tree of %s is not answered", mapName)
	}
	return got
}

// TestTreesOfAllLanesAddUp: whatever the number of lanes, the tree is that of
// all records; a part of it has the leaves below its path alone; after a restart
// it is the same.
func TestTreesOfAllLanesAddUp(t *testing.T) {
	want := &merkle.Tree{}
	var roots []uint32
	for _, lanes := range []int{1, 2, 5} {
		w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: lanes}})
		for i := range 60 {
			key := fmt.Sprint("k", i)
			w.Write(t, gridtest.Put("notes", key, gridtest.Int(i), gridtest.At(int64(i), "x")))
			if lanes == 1 {
				want.Update(hash.Key(key), 0, crdt.LWWHash(key, gridtest.At(int64(i), "x")), 1)
			}
		}
		roots = append(roots, readTree(t, w, "notes", "").Root())
		for _, child := range want.Children("") {
			part := readTree(t, w, "notes", string(child.Digit))
			if got := part.Children(""); len(got) != 1 || got[0] != child {
				t.Errorf("%d lanes: below %c are %v, want %v", lanes, child.Digit, got, child)
			}
		}
		if got := readTree(t, w, "unheard of", ""); got.Root() != 0 || len(got.Children("")) != 0 {
			t.Errorf("the tree of no map has root %08x", got.Root())
		}
		if err := checkpoint(t, w); err != nil {
			t.Fatal(err)
		}
		w.Write(t, gridtest.Put("notes", "k0", gridtest.Int(0), gridtest.At(0, "x"))) // changes nothing
		next, err := w.Restart(t, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, readTree(t, next, "notes", "").Root())
	}
	for i, root := range roots {
		if root != want.Root() {
			t.Errorf("root %d is %08x, want %08x", i, root, want.Root())
		}
	}
}

// TestALeafHoldsItsRecords: every record is in the leaf of its hash, once, with
// tombstones, and in no other.
func TestALeafHoldsItsRecords(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 3}})
	want := map[uint16][]string{}
	for i := range 100 {
		key := fmt.Sprint("k", i)
		v := gridtest.Int(i)
		if i%7 == 0 {
			v = nil
		}
		w.Write(t, gridtest.Put("notes", key, v, gridtest.At(1, "x")))
		leaf := merkle.LeafOf(hash.Key(key))
		want[leaf] = append(want[leaf], key)
	}
	read := func(mapName string, leaf uint16) (keys []string) {
		done := 0
		w.Engine.Leaf(mapName, leaf, func(rows []engine.Row, err error) {
			done++
			if err != nil {
				t.Errorf("leaf %x: %v", leaf, err)
			}
			for _, r := range rows {
				if r.Hash != hash.Key(r.Key) || r.State == "" || r.Arrival == 0 {
					t.Errorf("%+v", r)
				}
				keys = append(keys, r.Key)
			}
		})
		w.Settle()
		if done != 1 {
			t.Errorf("leaf %x is answered %d times", leaf, done)
		}
		slices.Sort(keys)
		return keys
	}
	for leaf, keys := range want {
		slices.Sort(keys)
		if got := read("notes", leaf); !slices.Equal(got, keys) {
			t.Errorf("leaf %x holds %v, want %v", leaf, got, keys)
		}
		if got := read("notes", leaf^1); !slices.Equal(got, want[leaf^1]) && len(want[leaf^1]) == 0 && len(got) > 0 {
			t.Errorf("leaf %x holds %v", leaf^1, got)
		}
	}
	if got := read("unheard of", 0); len(got) != 0 {
		t.Errorf("a leaf of no map holds %v", got)
	}
}

// TestAScanSeesEverythingOnce: in slices of any size, lane by lane, in the order
// of places; what a place covers has been seen.
func TestAScanSeesEverythingOnce(t *testing.T) {
	for _, budget := range []int{1, 2, 7, 1000} {
		w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 3}})
		inbox := w.Feed.Follow(1<<20, actor.NewBell())
		for i := range 80 {
			w.Write(t, gridtest.Put("notes", fmt.Sprint("k", i), gridtest.Int(i), gridtest.At(1, "x")))
		}
		inbox.Take()
		seen := map[string]int{}
		for l := range w.Engine.Lanes() {
			var place engine.Place
			for n := 0; !place.Done; n++ {
				if n > 200 {
					t.Fatal("a scan does not end")
				}
				w.Engine.Scan(engine.ScanRequest{
					Map: "notes", Lane: l, From: place, Budget: budget, Scan: "mine", To: inbox,
					Keep: func(key, _ string) bool { return key != "k3" },
				})
				w.Settle()
				items := inbox.Take()
				if len(items) != 1 {
					t.Fatalf("%d items", len(items))
				}
				sl, ok := items[0].Mark.(engine.Slice)
				if !ok || sl.Scan != "mine" || sl.Lane != l || sl.Err != nil || len(sl.Rows) > budget {
					t.Fatalf("%+v", sl)
				}
				for _, r := range sl.Rows {
					seen[r.Key]++
					if place.Covers(r.Hash, r.Key) || !sl.Next.Covers(r.Hash, r.Key) {
						t.Errorf("%s is found between %+v and %+v", r.Key, place, sl.Next)
					}
				}
				place = sl.Next
			}
			for i := range 80 {
				key := fmt.Sprint("k", i)
				if h := hash.Key(key); w.Engine.Lane(h) == l && !place.Covers(h, key) {
					t.Errorf("the end does not cover %s", key)
				}
			}
		}
		if len(seen) != 79 || seen["k3"] != 0 {
			t.Errorf("with slices of %d: %d keys are seen", budget, len(seen))
		}
		for key, n := range seen {
			if n != 1 {
				t.Errorf("with slices of %d: %s is seen %d times", budget, key, n)
			}
		}
	}
}

// TestALongScanHasBreaks: once a lane has worked on a scan for longer than a write
// may wait, it gets each further slice after a break, and not before.
func TestALongScanHasBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 1}})
		inbox := w.Feed.Follow(1<<20, actor.NewBell())
		const records = 5
		for i := range records {
			w.Write(t, gridtest.Put("notes", fmt.Sprint("k", i), gridtest.Int(i), gridtest.At(1, "x")))
		}
		inbox.Take()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.Engine.Breaks.Run(ctx)
		}()
		synctest.Wait()
		var place engine.Place
		for slice := 0; !place.Done; slice++ {
			w.Engine.Scan(engine.ScanRequest{
				Map: "notes", From: place, Budget: 1, To: inbox,
				Keep: func(string, string) bool {
					w.Clock.Advance(8 * time.Millisecond) // which it takes
					return true
				},
			})
			w.Settle()
			items := inbox.Take()
			if at := len(items) == 0; at != (slice >= 2) {
				t.Fatalf("slice %d has a break: %v", slice, at)
			}
			if len(items) == 0 {
				w.Clock.Advance(time.Millisecond)
				synctest.Wait()
				w.Settle()
				if items = inbox.Take(); len(items) != 0 {
					t.Fatalf("the break before slice %d ends early", slice)
				}
				w.Clock.Advance(time.Millisecond)
				synctest.Wait()
				w.Settle()
				items = inbox.Take()
			}
			if len(items) != 1 {
				t.Fatalf("slice %d: %d items", slice, len(items))
			}
			place = items[0].Mark.(engine.Slice).Next
		}
		stop()
		<-ended
	})
}

// TestReadsThatFail: everyone is answered once, with a transient error, when what
// was read fails or the lane takes no more.
func TestReadsThatFail(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{Engine: engine.Options{Lanes: 2, Lane: lane.Options{Mailbox: 8}}})
	inbox := w.Feed.Follow(1<<20, actor.NewBell())
	for round, cause := range []string{"a failed sync", "full mailboxes"} {
		answers := map[string]int{}
		ask := func() {
			fail := func(what string, err error) {
				answers[what]++
				if !errors.Is(err, lane.ErrUnavailable) {
					t.Errorf("%s: %s is answered with %v", cause, what, err)
				}
			}
			w.Engine.Get("notes", "k1", func(_ string, _ bool, err error) { fail("a key", err) })
			w.Engine.Tree("notes", "", func(_ *merkle.Tree, err error) { fail("a tree", err) })
			w.Engine.Leaf("notes", 0, func(_ []engine.Row, err error) { fail("a leaf", err) })
			for l := range w.Engine.Lanes() {
				w.Engine.Scan(engine.ScanRequest{Map: "notes", Lane: l, Budget: 1, To: inbox})
			}
		}
		if round == 0 {
			w.Do(engine.Durable, batchOf(20, 1)...)
			ask()
			w.StepActors()
			w.FailSyncs(1)
			w.Settle()
		} else {
			for range 8 {
				w.Do(engine.Durable, batchOf(20, 2)...)
			}
			ask()
		}
		slicesFailed := 0
		for _, it := range inbox.Take() {
			if sl, ok := it.Mark.(engine.Slice); ok && errors.Is(sl.Err, lane.ErrUnavailable) {
				slicesFailed++
			}
		}
		if fmt.Sprint(answers) != "map[a key:1 a leaf:1 a tree:1]" || slicesFailed != 2 {
			t.Errorf("%s: %v, %d slices", cause, answers, slicesFailed)
		}
	}
}

// TestAnswersGatherUnderTheFirstError.
func TestAnswersGatherUnderTheFirstError(t *testing.T) {
	first := errors.New("first")
	var got []error
	g := engine.NewGather(3, func(err error) { got = append(got, err) })
	g.Done(nil)
	g.Done(first)
	if len(got) != 0 {
		t.Fatal("answered too soon")
	}
	g.Done(errors.New("second"))
	if len(got) != 1 || !errors.Is(got[0], first) {
		t.Errorf("%v", got)
	}
}
