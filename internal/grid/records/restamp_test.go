package records

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

const hour = 3_600_000

func stored(t *testing.T, n *node, key string) crdt.LWW {
	t.Helper()
	s, ok := n.state(lwwMap, key)
	if !ok {
		t.Fatalf("%q is not there", key)
	}
	rec, err := crdt.ParseLWW(s)
	if err != nil {
		t.Fatalf("%q: %v", key, err)
	}
	return rec
}

// TestTheWritersClockDecides is law 5 as a table: the later timestamp wins,
// whenever it arrives; only one more than the drift bound ahead is replaced.
func TestTheWritersClockDecides(t *testing.T) {
	for _, c := range []struct {
		name      string
		first, op hlc.Timestamp
		want      Status
		restamped bool
	}{
		{"later", at(1, "x"), at(2, "x"), Applied, false},
		{"earlier, and arrives later", at(2, "x"), at(1, "x"), Unchanged, false},
		{"the same", at(2, "x"), at(2, "x"), Unchanged, false},
		{"at the same time by a greater node", at(2, "x"), at(2, "y"), Applied, false},
		{"at the same time by a lesser node", at(2, "x"), at(2, "w"), Unchanged, false},
		{"years late", at(-9*hour, "x"), at(-8*hour, "x"), Applied, false},
		{"exactly the drift bound ahead", at(1, "x"), at(60_000, "x"), Applied, false},
		{"one millisecond beyond it", at(1, "x"), at(60_001, "x"), Applied, true},
		{"as far ahead as can be", at(1, "x"), hlc.Timestamp{Millis: math.MaxInt64, Node: "x"}, Applied, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode()
			n.mustApply(t, put("a", c.first, number(1)))
			r, log := n.step(put("a", c.op, number(2)))
			if r.Status != c.want || r.Restamped != c.restamped {
				t.Fatalf("%+v, want status %d, re-stamped %t", r, c.want, c.restamped)
			}
			rec := stored(t, n, "a")
			switch {
			case c.want != Applied:
				if rec.TS != c.first {
					t.Errorf("the key holds %s", rec.TS)
				}
			case !c.restamped:
				if rec.TS != c.op || !log[0].Original.IsZero() {
					t.Errorf("the key holds %s, the change has original %s", rec.TS, log[0].Original)
				}
			default:
				if rec.TS != r.Stamp || rec.TS.Node != "server" || rec.TS.Millis > n.sys+1 || log[0].Original != c.op {
					t.Errorf("the key holds %s, the result says %s, the change %s", rec.TS, r.Stamp, log[0].Original)
				}
				if s, _ := n.state(lwwMap, "a"); s != r.Stored {
					t.Errorf("stored is %x, the result says %x", s, r.Stored)
				}
			}
		})
	}
}

// TestARestampIsRemembered: a write that was re-stamped changes nothing when it
// comes again, although something newer is there, although its timestamp has
// become an ordinary one, and whatever happened to the node meanwhile; its
// writer is told the same timestamp, and what is stored now.
func TestARestampIsRemembered(t *testing.T) {
	early := put("a", at(hour, "x"), number(1))
	lives := map[string]func(t *testing.T, n *node) *node{
		"the same life": func(_ *testing.T, n *node) *node { return n },
		"after a replay": func(t *testing.T, n *node) *node {
			t.Helper()
			return load(t, newDisk(), n.log)
		},
		"after a start from the store alone": func(t *testing.T, n *node) *node {
			t.Helper()
			d := newDisk()
			d.write(n.collect())
			return load(t, d, nil)
		},
	}
	for name, live := range lives {
		for _, later := range []int64{0, hour, hour + hlc.MaxDrift - 1} {
			t.Run(fmt.Sprintf("%s, %d ms later", name, later), func(t *testing.T) {
				n := newNode()
				first, _ := n.step(early)
				n.sys += 5
				n.mustApply(t, put("a", at(5, "y"), number(2)))
				clk := n.clock.Last()
				n = live(t, n)
				n.sys = max(n.sys, began+later)
				n.clock.Resume(clk)
				again, log := n.step(early)
				if again.Status != Unchanged || len(log) != 0 {
					t.Fatalf("came again: %+v, %d changes", again, len(log))
				}
				if !again.Restamped || again.Stamp != first.Stamp {
					t.Errorf("came again: told %+v, at first %s", again, first.Stamp)
				}
				if s, _ := n.state(lwwMap, "a"); again.Stored != s {
					t.Errorf("told that %x is stored, there is %x", again.Stored, s)
				}
				if rec := stored(t, n, "a"); rec.TS != at(5, "y") {
					t.Errorf("the key holds %s", rec.TS)
				}
			})
		}
	}
}

// TestARestampIsOfOneWrite: the memory is by map, key and timestamp.
func TestARestampIsOfOneWrite(t *testing.T) {
	n := newNode()
	n.mustApply(t, put("a", at(hour, "x"), number(1)))
	elsewhere := put("a", at(hour, "x"), number(1))
	elsewhere.Map = "others"
	for name, o := range map[string]Op{
		"another key":       put("b", at(hour, "x"), number(1)),
		"another timestamp": put("a", at(hour+1, "x"), number(2)),
		"another writer":    put("a", at(hour, "y"), number(2)),
		"another map":       elsewhere,
	} {
		if r, _ := n.step(o); r.Status != Applied || !r.Restamped {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestARestampComesAfterWhatIsThere: a writer whose clock is ahead by less than
// the bound, and then by more, has written in that order.
func TestARestampComesAfterWhatIsThere(t *testing.T) {
	n := newNode()
	n.mustApply(t, put("a", at(59_000, "x"), number(1)))
	n.mustApply(t, put("a", at(61_000, "x"), number(2)))
	if rec := stored(t, n, "a"); string(rec.Value) != string(number(2)) || rec.TS.Millis != began+59_000 {
		t.Errorf("the key holds %x at %s", []byte(rec.Value), rec.TS)
	}
	// The same within one group, whose timestamps the clock has not seen.
	var fx Effects
	now := n.now()
	for i, o := range []Op{put("b", at(59_500, "x"), number(3)), put("b", at(70_000, "x"), number(4))} {
		if r := n.replica(o.Hash).Step(now, &o, &fx); r.Status != Applied {
			t.Fatalf("write %d: %+v", i, r)
		}
	}
	if rec := stored(t, n, "b"); string(rec.Value) != string(number(4)) {
		t.Errorf("the key holds %x", []byte(rec.Value))
	}
	if fx.Seen.Millis < began+59_500 {
		t.Errorf("the group saw %s", fx.Seen)
	}
}

// TestRestampsAreBounded fills the memory of a partition: a further write too
// far ahead has to wait, and nothing of it happens; when real time has passed a
// remembered timestamp and the bound there is room again, and the store hears
// that the memory is gone.
func TestRestampsAreBounded(t *testing.T) {
	n := newNode()
	// All in one replica: a record each, under one key.
	key := "a"
	r := n.replica(hash.Key(key))
	for i := range maxRestamps {
		n.sys++
		n.mustApply(t, put(key, at(hour+int64(i), "x"), number(1)))
	}
	d := newDisk()
	d.write(n.collect())
	held := r.restamps(false).Len()
	before, seq := n.dump(), r.Seq()
	over := put(key, at(2*hour, "x"), number(2))
	if res, log := n.step(over); res.Status != Refused || !errors.Is(res.Err, ErrBusy) || len(log) != 0 || r.Seq() != seq {
		t.Fatalf("one write more: %+v", res)
	}
	if !slices.Equal(before, n.dump()) || r.Dirty() != 0 {
		t.Fatal("a write that has to wait has changed something")
	}
	// What is not ahead goes on, and so does what is remembered.
	n.mustApply(t, put(key, at(59_000, "y"), number(3)))
	if res, _ := n.step(put(key, at(hour+7, "x"), number(1))); res.Status != Unchanged || !res.Restamped {
		t.Errorf("a remembered write that comes again: %+v", res)
	}
	// The first ten are over.
	n.sys = began + hour + hlc.MaxDrift + 10
	n.mustApply(t, put(key, at(3*hour, "x"), number(4)))
	if got, want := r.restamps(false).Len(), held-10+1; got != want {
		t.Errorf("%d are remembered, want %d", got, want)
	}
	d.write(n.collect())
	kept := 0
	for k := range d.rows {
		if k.Map == RestampMap {
			kept++
		}
	}
	if kept != held-10+1 {
		t.Errorf("the store keeps %d, want %d", kept, held-10+1)
	}
}

// TestAnAdditionIsNeverRestamped: records of a set keep tag and timestamp,
// however far ahead; they only do not move the clock.
func TestAnAdditionIsNeverRestamped(t *testing.T) {
	n := newNode()
	for _, c := range []struct {
		ahead int64
		moves bool
	}{{60_000, true}, {60_001, false}, {hour, false}} {
		var fx Effects
		o := add("a", at(c.ahead, "x"), fmt.Sprint("t", c.ahead), number(1))
		r := n.replica(o.Hash).Step(n.now(), &o, &fx)
		if r.Status != Applied || r.Restamped || !fx.Log[0].Original.IsZero() {
			t.Fatalf("%d ms ahead: %+v", c.ahead, r)
		}
		if moves := !fx.Seen.IsZero(); moves != c.moves {
			t.Errorf("%d ms ahead: the clock moves: %t", c.ahead, moves)
		}
		s, _ := n.state(orMap, "a")
		if rec := recordOf(s, o.Tag); rec == nil || rec.TS != o.TS {
			t.Errorf("%d ms ahead: stored as %v", c.ahead, rec)
		}
	}
}

// TestReplayOfARestamp: the log holds what was remembered, also when the key has
// been written since and its record is skipped.
func TestReplayOfARestamp(t *testing.T) {
	n := newNode()
	first, _ := n.step(put("a", at(hour, "x"), number(1)))
	n.mustApply(t, put("a", at(10_000, "y"), number(2)))
	d := newDisk()
	for _, w := range n.rows() {
		if w.Map == lwwMap {
			d.rows[w.Row.Key] = w.Row
		}
	}
	copied := load(t, d, n.log[:1])
	if rec := stored(t, copied, "a"); rec.TS != at(10_000, "y") {
		t.Fatalf("the key holds %s", rec.TS)
	}
	if again, _ := copied.step(put("a", at(hour, "x"), number(1))); again.Status != Unchanged || again.Stamp != first.Stamp {
		t.Errorf("came again: %+v", again)
	}
	bad := n.log[0]
	bad.Kind, bad.Map, bad.After = change.KindOR, orMap, ""
	if err := newNode().replicas[0].InstallRecord(&bad); !errors.Is(err, crdt.ErrCorrupt) {
		t.Errorf("a re-stamped change that is no LWW record: %v", err)
	}
}
