package query

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// put writes the given n under k<n> and returns when it has.
func (h *harness) put(keys ...int) {
	h.t.Helper()
	var ops []records.Op
	for _, n := range keys {
		h.millis++
		ops = append(ops, gridtest.Put(liveMap, fmt.Sprint("k", n), raw(h.t, map[string]any{"n": int64(n)}), gridtest.At(h.millis, "x")))
	}
	h.world.Do(engine.Durable, ops...)
	h.world.Settle()
}

// remove removes k<n>, and lets the lanes run.
func (h *harness) remove(keys ...int) {
	h.t.Helper()
	for _, n := range keys {
		h.millis++
		h.world.Do(engine.Durable, gridtest.Put(liveMap, fmt.Sprint("k", n), nil, gridtest.At(h.millis, "x")))
	}
	for _, l := range h.world.Engine.Actors() {
		for l.Step() {
			h.world.Commit()
		}
	}
}

func upTo(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

var firstThree = question{limit: wire.Some(int64(3)), sort: wire.Sort{{Field: "n"}}}

// TestAnAnswerIsNeverPartial removes, while a query is scanned, so many of the
// rows found already that the scan's window has fewer than were asked for,
// although there are more. A client replaces its rows by the answer and a
// one-shot query waits for nothing else, so the answer has to be whole.
func TestAnAnswerIsNeverPartial(t *testing.T) {
	h := newHarness(t, "partial", 1, gridtest.Options{Null: true, Engine: engine.Options{Lanes: 1}}, Options{SliceRows: 1})
	// The first keys that a scan meets are the first of the result.
	var keys []string
	for n := range liveKeys {
		keys = append(keys, fmt.Sprint("k", n))
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, y := hash.Key(a), hash.Key(b)
		return cmp.Or(cmp.Compare(partition.Of(x), partition.Of(y)), cmp.Compare(x, y))
	})
	for n, key := range keys {
		h.world.Write(t, gridtest.Put(liveMap, key, raw(t, map[string]any{"n": int64(n)}), gridtest.At(1, "x")))
	}
	p := h.join()
	h.subscribe(p, "q", firstThree, "")
	for {
		h.service.Step()
		if sc := standingOf(h, liveMap).scan; sc.pass.places[0].Cursor.Key == keys[50] {
			break
		}
		h.world.Engine.Actors()[0].Step()
	}
	for _, key := range keys[:18] {
		h.millis = 10
		h.world.Do(engine.Durable, gridtest.Put(liveMap, key, nil, gridtest.At(h.millis, "x")))
	}
	for h.world.Engine.Actors()[0].Step() {
	}
	h.settle()
	l := p.lives["q"]
	if l.answered != 1 || len(l.rows) != 3 {
		t.Errorf("answered %d times, %d rows are shown", l.answered, len(l.rows))
	}
	h.check("at the end")
	h.leave()
}

// standingOf is the only standing query of a map.
func standingOf(h *harness, mapName string) *standing {
	h.t.Helper()
	m := h.service.maps[mapName]
	if m == nil || len(m.standings) != 1 {
		h.fail("there is not one standing query of %s", mapName)
	}
	return m.standings[0]
}

// TestAWindowIsFilledAgain uses up the rows that a window holds beyond those
// shown. While the scan runs that fills it nothing is sent; then the client has
// the true rows.
func TestAWindowIsFilledAgain(t *testing.T) {
	h := newHarness(t, "fill", 1, gridtest.Options{Null: true}, Options{SliceRows: 7})
	h.put(upTo(40)...)
	p := h.join()
	h.subscribe(p, "q", firstThree, "")
	h.settle()
	for n := range 37 {
		h.remove(n)
		if n%2 == 0 {
			h.check(fmt.Sprint("without the first ", n+1))
		}
	}
	h.check("with three left")
	h.remove(37, 38, 39)
	h.check("with none left")
	if n := len(p.lives["q"].rows); n != 0 {
		t.Errorf("%d rows are shown", n)
	}
	h.put(5, 3, 4)
	h.check("with three again")
	h.leave()
}

// TestALateSubscriberSeesItsOwnWrites: a session that asks what is being scanned
// already, after a write of its own that the scan has passed, is answered with
// the write in it.
func TestALateSubscriberSeesItsOwnWrites(t *testing.T) {
	h := newHarness(t, "late", 1, gridtest.Options{Engine: engine.Options{Lanes: 1}}, Options{SliceRows: 1})
	h.put(upTo(20)...)
	first, second := h.join(), h.join()
	h.subscribe(first, "q", questions[0], "")
	for range 10 {
		h.service.Step()
		h.world.Engine.Actors()[0].Step()
	}
	h.millis++
	h.world.Do(engine.Durable, gridtest.Put(liveMap, "k3", nil, gridtest.At(h.millis, "x")))
	h.world.Engine.Actors()[0].Step()
	h.subscribe(second, "q", questions[0], "")
	h.check("at the end")
	if len(second.lives["q"].rows) != 19 || len(first.lives["q"].rows) != 19 {
		t.Errorf("shown are %d and %d rows", len(first.lives["q"].rows), len(second.lives["q"].rows))
	}
	h.leave()
}

// TestScansAreFew: however many queries are asked, only so many are scanned at
// once, each once, and whoever asks the same shares it.
func TestScansAreFew(t *testing.T) {
	h := newHarness(t, "few", 1, gridtest.Options{Null: true}, Options{SliceRows: 1, Scans: 2})
	h.put(upTo(9)...)
	for range 5 {
		p := h.join()
		for i, q := range questions {
			h.subscribe(p, fmt.Sprint("q", i), q, "")
		}
	}
	for range 1000 {
		h.world.StepRandom(h.rng)
		if h.service.passes > 2 {
			t.Fatalf("%d scans are under way", h.service.passes)
		}
	}
	h.check("at the end")
	if got := len(h.service.maps[liveMap].standings); got != len(questions) {
		t.Errorf("there are %d standing queries for %d questions", got, len(questions))
	}
	h.leave()
}

// TestLeavingInTheMidst ends sessions at every moment of a scan: nothing is left
// behind, and slices that come late hurt nobody.
func TestLeavingInTheMidst(t *testing.T) {
	for moment := range 30 {
		h := newHarness(t, fmt.Sprint("moment ", moment), 1, gridtest.Options{Engine: engine.Options{Lanes: 2}}, Options{SliceRows: 2, Scans: 1})
		h.put(upTo(12)...)
		p, other := h.join(), h.join()
		h.subscribe(p, "a", questions[0], "")
		h.subscribe(p, "b", firstThree, "")
		if err := h.service.Follow(p.Caller.Caller, liveMap); err != nil {
			t.Fatal(err)
		}
		for range moment {
			h.world.StepRandom(h.rng)
		}
		if moment%2 == 0 {
			h.unsubscribe(p, "a")
		}
		h.service.Leave(p.Caller.Caller)
		h.subscribe(other, "a", questions[0], "")
		h.peers = h.peers[1:]
		h.check("at the end")
		if n := len(h.service.sessions); n != 1 {
			t.Errorf("moment %d: %d sessions", moment, n)
		}
		h.leave()
	}
}

// TestAFullMailboxWakesItsCallers: a session whose message finds no room is told
// to come again once there is.
func TestAFullMailboxWakesItsCallers(t *testing.T) {
	h := newHarness(t, "full", 1, gridtest.Options{Null: true}, Options{})
	p := servicetest.NewCaller(1, 1)
	m, size := servicetest.Frame(t, &wire.QueryUnsub{QueryID: "q"})
	for range commandLimit {
		if err := h.service.Handle(p.Caller, m, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.service.Handle(p.Caller, m, size); !errors.Is(err, service.ErrBusy) {
		t.Fatalf("one message more: %v", err)
	}
	if err := h.service.Follow(p.Caller, liveMap); !errors.Is(err, service.ErrBusy) {
		t.Fatalf("following, too: %v", err)
	}
	h.service.Step()
	if p.Woken() != 2 {
		t.Errorf("told to come again %d times", p.Woken())
	}
	if err := h.service.Handle(p.Caller, m, size); err != nil {
		t.Errorf("again: %v", err)
	}
	h.empty()
}

// TestAStalledSliceIsAskedForAgain: a lane that cannot read back what it lost
// answers nothing; the scan goes on when it can again.
func TestAStalledSliceIsAskedForAgain(t *testing.T) {
	h := newHarness(t, "stalled", 1, gridtest.Options{Engine: engine.Options{Lanes: 1}}, Options{})
	h.put(upTo(5)...)
	h.world.Do(engine.Durable, gridtest.Put(liveMap, "k9", gridtest.Int(1), gridtest.At(99, "x")))
	h.world.FailSyncs(1)
	h.world.Store.FailReads(gridtest.ErrDisk)
	p := h.join()
	h.subscribe(p, "q", questions[0], "")
	h.world.Settle()
	h.receive(p)
	if len(h.service.stalled) != 1 || p.lives["q"].answered != 0 {
		t.Fatalf("%d slices are stalled, answered %d times", len(h.service.stalled), p.lives["q"].answered)
	}
	h.world.Store.FailReads(nil)
	h.world.Clock.Advance(time.Second)
	h.service.Sweep()
	h.check("when the disk is well again")
	h.leave()
}
