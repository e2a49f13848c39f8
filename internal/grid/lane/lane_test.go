package lane_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// text is the number that a state holds.
func text(state string) string {
	rec, err := crdt.ParseLWW(state)
	if err != nil {
		return err.Error()
	}
	return string(value.AppendCanonical(nil, rec.Value))
}

func (w *world) expect(what string, want ...string) {
	w.t.Helper()
	if got := w.heard(); !slices.Equal(got, want) {
		w.t.Errorf("%s:\n%q\nwant\n%q", what, got, want)
	}
}

// TestOrderOfAWrite is the order of the package comment: append, durable,
// publish, release; a read waits for what it has seen, and is released behind
// it and before what it has not seen.
func TestOrderOfAWrite(t *testing.T) {
	w := newWorld(t, lane.Options{})
	w.write("a", 1)
	w.read("a")
	w.write("a", 2)
	w.write("b", 3)
	w.run()
	w.expect("merged, not durable", "append")
	w.read("b")
	w.run()
	w.expect("a read behind it waits")
	w.write("c", 4)
	w.run()
	w.expect("the next group is stepped meanwhile", "append")
	if w.lane.Idle() {
		t.Error("the lane is idle")
	}
	w.log.sync(1)
	w.run()
	w.expect("the first frame is durable",
		"publish a=1", "done a=1", "done read a: 1", "publish a=2", "publish b=3", "done a=2", "done b=3", "done read b: 3")
	w.log.sync(1)
	w.run()
	w.expect("the second one is", "publish c=4", "done c=4")
	if !w.lane.Idle() {
		t.Error("the lane is not idle")
	}
}

// TestAReadOfNothingNew: when nothing is on its way a read is answered with the
// step after it.
func TestAReadOfNothingNew(t *testing.T) {
	w := newWorld(t, lane.Options{})
	w.read("a")
	w.run()
	w.expect("before any write", "done read a: nothing")
	w.write("a", 1)
	w.run()
	w.log.sync(1)
	w.run()
	w.heard()
	w.read("a")
	w.run()
	w.expect("after one", "done read a: 1")
}

// TestAWriteThatChangesNothingWaitsForWhatItSaw: a repeated write is acknowledged
// only when the first one is durable.
func TestAWriteThatChangesNothingWaitsForWhatItSaw(t *testing.T) {
	w := newWorld(t, lane.Options{})
	w.write("a", 1)
	w.run()
	again := &task{name: "again", write: true, key: "a", value: 1}
	w.millis = 0 // the same timestamp
	w.submit(again)
	w.run()
	w.expect("not durable", "append")
	w.log.sync(1)
	w.run()
	w.expect("durable", "publish a=1", "done a=1", "done again")
	if again.result.Status != 0 {
		t.Errorf("the write that came again: %+v", again.result)
	}
}

// TestAFailedSyncFailsEverythingOnTop is law 2: what lies beyond the durable
// position fails, reads that saw it too; its partitions are loaded again, and
// the lane goes on in the next generation with what was durable.
func TestAFailedSyncFailsEverythingOnTop(t *testing.T) {
	w := newWorld(t, lane.Options{})
	w.write("a", 1)
	w.run()
	w.write("a", 2)
	w.run()
	w.write("b", 3)
	w.read("a")
	w.run()
	w.log.sync(1)
	w.log.fail()
	w.run()
	w.expect("the second frame and what is on top of it fail",
		"append", "append", "append", "publish a=1", "done a=1", "fail a=2", "fail b=3", "fail read a")

	w.read("a")
	w.read("b")
	w.run()
	w.expect("reads go on", "done read a: 1", "done read b: nothing")
	want := []partition.ID{partition.Of(hash.Key("a")), partition.Of(hash.Key("b"))}
	slices.Sort(want)
	if len(w.loaded) != 1 || !slices.Equal(w.loaded[0], want) {
		t.Errorf("loaded again were %v, want %v", w.loaded, want)
	}
	w.write("a", 4)
	w.run()
	w.expect("writes are refused until the log has recovered", "fail a=4")
	w.log.recover()
	again := w.write("a", 5)
	w.run()
	w.log.sync(1)
	w.run()
	w.expect("and then they go on", "append", "publish a=5", "done a=5")
	if again.result.Status != records.Applied {
		t.Errorf("the write after the failure: %+v", again.result)
	}
	if len(w.loaded) != 1 {
		t.Errorf("partitions that are well are loaded again: %v", w.loaded)
	}
}

// TestARefusedAppendFailsItsGroupAlone: what was merged into is loaded again, but
// only once the groups before it have arrived.
func TestARefusedAppendFailsItsGroupAlone(t *testing.T) {
	for name, err := range map[string]error{"stale": log.ErrStale, "too large": log.ErrTooLarge} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, lane.Options{})
			w.write("a", 1)
			w.run()
			w.log.refuse = err
			bad := w.write("a", 2)
			w.read("a")
			w.run()
			w.expect("refused", "append", "fail a=2", "fail read a")
			if !errors.Is(bad.err, lane.ErrUnavailable) || !errors.Is(bad.err, err) {
				t.Errorf("released with %v", bad.err)
			}
			w.read("a")
			w.run()
			w.expect("what is on its way is waited for")
			if len(w.loaded) != 0 {
				t.Fatal("a partition is loaded again before its durable state is all there")
			}
			w.log.sync(1)
			w.run()
			w.expect("it has arrived", "publish a=1", "done a=1", "done read a: 1")
			w.write("a", 3)
			w.run()
			w.log.sync(1)
			w.run()
			w.expect("the lane goes on", "append", "publish a=3", "done a=3")
		})
	}
}

// TestALogWithoutRoomIsWaitedFor: nothing has failed and nothing is stepped until
// the log has room again, or has failed itself.
func TestALogWithoutRoomIsWaitedFor(t *testing.T) {
	for _, fails := range []bool{false, true} {
		w := newWorld(t, lane.Options{})
		w.write("a", 1)
		w.run()
		w.expect("there is room", "append")
		w.log.full = true
		w.write("a", 2)
		w.run()
		late := w.read("a")
		w.run()
		w.expect("there is none")
		if late.steps != 0 || w.lane.Idle() {
			t.Fatalf("%d steps of a task behind a group that is not in the log; idle: %t", late.steps, w.lane.Idle())
		}
		w.log.full = false
		if fails {
			w.log.fail()
			w.log.recover()
			w.run()
			w.expect("the log has failed", "fail a=1", "fail a=2", "done read a: nothing")
			continue
		}
		w.run()
		w.expect("there is room again", "append")
		w.log.sync(2)
		w.run()
		w.expect("everything is there", "publish a=1", "done a=1", "publish a=2", "done a=2", "done read a: 2")
		if len(w.loaded) != 0 {
			t.Errorf("partitions are loaded again: %v", w.loaded)
		}
	}
}

// TestAPartitionThatCannotBeLoaded: whoever comes meanwhile is refused, and
// nobody waits; when the store is well again so is the lane.
func TestAPartitionThatCannotBeLoaded(t *testing.T) {
	w := newWorld(t, lane.Options{})
	w.write("a", 1)
	w.run()
	w.log.fail()
	w.log.recover()
	w.run()
	w.heard()
	w.loadErr = errScript
	r, wr := w.read("b"), w.write("b", 2)
	w.run()
	w.expect("not loaded", "fail read b", "fail b=2")
	for _, k := range []*task{r, wr} {
		if !errors.Is(k.err, lane.ErrUnavailable) || !errors.Is(k.err, errScript) || k.steps != 0 {
			t.Errorf("%s is released with %v after %d steps", k.name, k.err, k.steps)
		}
	}
	w.loadErr = nil
	w.read("a")
	w.write("a", 3)
	w.run()
	w.log.sync(1)
	w.run()
	w.expect("loaded", "append", "done read a: nothing", "publish a=3", "done a=3")
}

// TestGroupsAreBounded: a group holds so many tasks, or so many changes, or so many
// bytes of them, and each group is one frame.
func TestGroupsAreBounded(t *testing.T) {
	for _, opt := range []lane.Options{{GroupTasks: 2}, {GroupChanges: 2}, {GroupBytes: 200}} {
		w := newWorld(t, opt)
		for i := range 5 {
			w.write("a", i)
		}
		w.run()
		w.expect("five writes, two in a group", "append", "append", "append")
		w.log.sync(2)
		w.run()
		if got := len(w.heard()); got != 8 {
			t.Errorf("%+v: %d things after two of three frames", opt, got)
		}
	}
}

// TestAFullMailboxRefuses: Submit says so, and nothing of the task happens.
func TestAFullMailboxRefuses(t *testing.T) {
	w := newWorld(t, lane.Options{Mailbox: 2})
	w.write("a", 1)
	w.write("a", 2)
	over := &task{w: w, name: "over", write: true, key: "a", value: 3}
	if w.lane.Submit(over) {
		t.Fatal("a third task finds room")
	}
	w.run()
	w.log.sync(1)
	w.run()
	if over.steps+over.releases != 0 {
		t.Errorf("the task that found no room was stepped %d times and released %d times", over.steps, over.releases)
	}
	w.write("a", 4)
}

// asker is a task that does what it is given.
type asker struct {
	step func(v *lane.View)
	err  error
}

func (*asker) Writes() bool        { return true }
func (a *asker) Step(v *lane.View) { a.step(v) }
func (a *asker) Release(err error) { a.err = err }

// TestTheClockFollowsWhatItSees: a timestamp ahead of the wall clock, by no more
// than the bound, moves the clock of the node; one beyond it does not.
func TestTheClockFollowsWhatItSees(t *testing.T) {
	for _, c := range []struct {
		ahead int64
		moves bool
	}{{0, false}, {50_000, true}, {60_000, true}, {60_001, false}} {
		w := newWorld(t, lane.Options{})
		op := gridtest.Put("m", "a", gridtest.Int(1), gridtest.At(c.ahead, "x"))
		var next records.Time
		w.lane.Submit(&asker{step: func(v *lane.View) { v.Do(&op) }})
		w.run()
		w.lane.Submit(&asker{step: func(v *lane.View) { next = v.Now() }})
		w.run()
		if moved := next.Arrival.Millis > gridtest.Epoch; moved != c.moves || c.moves && !next.Arrival.After(op.TS) {
			t.Errorf("%d ms ahead: the next group is at %s", c.ahead, next.Arrival)
		}
		if next.Sys != gridtest.Epoch {
			t.Errorf("the wall clock is %d", next.Sys)
		}
	}
}

// TestFollowersKeepNoRequest: the id of a request lies in the frame that it came
// in; the log keeps it, followers do not.
func TestFollowersKeepNoRequest(t *testing.T) {
	w := newWorld(t, lane.Options{})
	op := gridtest.Put("m", "a", gridtest.Int(1), gridtest.At(1, "x"))
	op.Request = "r1"
	w.lane.Submit(&asker{step: func(v *lane.View) { v.Do(&op) }})
	w.run()
	w.log.sync(1)
	w.run()
	for _, it := range w.inbox.Take() {
		for _, c := range it.Changes {
			if c.Request != "" {
				t.Errorf("published with request %q", c.Request)
			}
		}
	}
	err := change.ReadBatch(w.log.frames[0].payload, func(c *change.Record) error {
		if c.Request != "r1" {
			t.Errorf("logged with request %q", c.Request)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestTheViewOfALane: which partitions it owns, and what it has done.
func TestTheViewOfALane(t *testing.T) {
	w := newWorld(t, lane.Options{})
	w.write("a", 1)
	w.run()
	var stats lane.Stats
	seen := 0
	var end log.LSN
	w.lane.Submit(&asker{step: func(v *lane.View) {
		stats, end = v.Stats(), v.LogEnd()
		v.Replicas(func(r *records.Replica) bool {
			if v.Replica(r.ID) != r {
				t.Errorf("partition %d is another one", r.ID)
			}
			seen++
			return seen < 7
		})
	}})
	w.run()
	if seen != 7 || stats.Changes != 1 || stats.Tasks != 2 || stats.Groups != 2 || end != w.log.end {
		t.Errorf("%d partitions, %+v, the log ends at %d", seen, stats, end)
	}
}

// TestATaskMaySubmitAnother from its release, as engines do.
func TestATaskMaySubmitAnother(t *testing.T) {
	w := newWorld(t, lane.Options{GroupTasks: 1})
	var second *task
	w.submit(&task{name: "a=1", write: true, key: "a", value: 1, then: func(error) { second = w.read("a") }})
	w.run()
	w.log.sync(1)
	w.run()
	if second == nil || second.releases != 1 || second.saw != "1" {
		t.Errorf("the second task: %+v", second)
	}
}

// TestLaneLaws runs random scripts of tasks, syncs and failures. A follower that
// applies what is published has at every moment exactly what is durable (law 1);
// a read that is released has seen what was published before its release and
// nothing else; every task is stepped at most once and released once; what
// failed has not happened, and what was acknowledged has.
func TestLaneLaws(t *testing.T) {
	failures, reads := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, lane.Options{GroupTasks: rapid.IntRange(1, 4).Draw(rt, "group"), GroupChanges: rapid.IntRange(1, 4).Draw(rt, "changes")})
		w.published = map[string]string{}
		acked := map[string]string{}
		var tasks []*task
		submit := func(k *task) {
			k.then = func(err error) {
				now := w.published[k.key] // drained by the release itself
				switch {
				case err != nil:
					if !errors.Is(err, lane.ErrUnavailable) {
						rt.Fatalf("%s is released with %v", k.name, err)
					}
				case k.write:
					if now == "" {
						rt.Fatalf("%s is done, and nothing of its key is published", k.name)
					}
					acked[k.key] = fmt.Sprint(k.value)
				default:
					reads++
					if now == "" {
						now = "nothing"
					}
					if k.saw != now {
						rt.Fatalf("%s saw %s, published before its release is %s", k.name, k.saw, now)
					}
				}
			}
			tasks = append(tasks, w.submit(k))
		}
		key := func() string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key") }
		for n := range rapid.IntRange(1, 60).Draw(rt, "actions") {
			switch rapid.IntRange(0, 9).Draw(rt, "action") {
			case 0, 1, 2:
				submit(&task{name: fmt.Sprint("write ", n), write: true, key: key(), value: n})
			case 3, 4:
				submit(&task{name: fmt.Sprint("read ", n), key: key()})
			case 5:
				w.log.sync(rapid.IntRange(1, 3).Draw(rt, "frames"))
			case 6:
				if w.log.healthy && rapid.Bool().Draw(rt, "really") {
					failures++
					w.log.fail()
				}
			case 7:
				w.log.recover()
			default:
				w.lane.Step()
			}
			w.drain()
			// What was published is durable: it lies in what a replay gives.
			durable := w.durable(rt)
			for k, v := range w.published {
				if !slices.Contains(durable[k], v) {
					rt.Fatalf("%s=%s is published, durable is %v", k, v, durable[k])
				}
			}
		}
		w.log.recover()
		for range 20 {
			w.run()
			w.log.sync(100)
		}
		w.run()
		w.drain()
		if !w.lane.Idle() {
			rt.Fatalf("something waits for ever")
		}
		for _, k := range tasks {
			if k.releases != 1 || k.steps > 1 || k.err == nil && k.steps != 1 {
				rt.Fatalf("%s was stepped %d times and released %d times, with %v", k.name, k.steps, k.releases, k.err)
			}
		}
		durable := w.durable(rt)
		if len(durable) != len(w.published) {
			rt.Fatalf("durable is %v, published %v", durable, w.published)
		}
		for k, history := range durable {
			if last := history[len(history)-1]; w.published[k] != last {
				rt.Fatalf("durable is %s=%s, published %s", k, last, w.published[k])
			}
		}
		for k, v := range acked {
			if w.published[k] != v {
				rt.Fatalf("%s=%s was acknowledged last, published is %s", k, v, w.published[k])
			}
		}
	})
	if failures == 0 || reads == 0 {
		t.Errorf("%d failures, %d reads: the scripts do too little", failures, reads)
	}
}
