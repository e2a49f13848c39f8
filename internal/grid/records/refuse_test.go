package records

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// asked is a policy that writes down what it was asked, and answers.
type asked struct {
	calls  []string
	answer error
}

func (a *asked) Allow(action policy.Action, key string, before, after value.Raw) error {
	a.calls = append(a.calls, fmt.Sprintf("%d %s %x %x", action, key, []byte(before), []byte(after)))
	return a.answer
}

// TestThePolicySeesBothRecords: a check is asked once for each change that would
// happen, with the record before and after it, and what it refuses has not
// happened. It is not asked about what changes nothing.
func TestThePolicySeesBothRecords(t *testing.T) {
	denied := fmt.Errorf("%w: not yours", policy.ErrDenied)
	merge := count(t, "a", "x", 1, 0)
	for _, c := range []struct {
		name  string
		setup []Op
		op    Op
		asks  string
	}{
		{"a first value", nil, put("a", at(1, "x"), number(7)), fmt.Sprintf("%d a  07", policy.ActionWrite)},
		{"another value", []Op{put("a", at(1, "x"), number(7))}, put("a", at(2, "x"), number(8)), fmt.Sprintf("%d a 07 08", policy.ActionWrite)},
		{"a removal", []Op{put("a", at(1, "x"), number(7))}, remove("a", at(2, "x")), fmt.Sprintf("%d a 07 ", policy.ActionRemove)},
		{"a value too far ahead", nil, put("a", at(hour, "x"), number(7)), fmt.Sprintf("%d a  07", policy.ActionWrite)},
		{"an addition", nil, add("a", at(1, "x"), "t", number(7)), fmt.Sprintf("%d a  07", policy.ActionWrite)},
		{"the end of a tag", []Op{add("a", at(1, "x"), "t", number(7))}, drop("a", "t"), fmt.Sprintf("%d a 07 ", policy.ActionRemove)},
		{"a count", nil, merge, fmt.Sprintf("%d a  ", policy.ActionWrite)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode()
			for _, o := range c.setup {
				n.mustApply(t, o)
			}
			before, seqs, dirty := n.dump(), n.seqs(), n.dirty()
			check := &asked{answer: denied}
			c.op.Check = check
			if r, log := n.step(c.op); r.Status != Refused || !errors.Is(r.Err, policy.ErrDenied) || len(log) != 0 {
				t.Errorf("denied: %+v, %d changes", r, len(log))
			}
			if !slices.Equal(before, n.dump()) || n.seqs() != seqs || n.dirty() != dirty {
				t.Error("what was denied has changed something")
			}
			n.checkTrees(t)
			check.answer = nil
			n.mustApply(t, c.op)
			if r, _ := n.step(c.op); r.Status != Unchanged {
				t.Errorf("again: %+v", r)
			}
			if len(check.calls) < 2 || check.calls[0] != c.asks || check.calls[1] != c.asks {
				t.Errorf("asked %q, want %q", check.calls, c.asks)
			}
		})
	}
}

// TestARemovalBeforeItsAddition is law 6 for sets: a tag that was removed before
// it was ever added stays removed when its addition comes, and every replica
// hears of it.
func TestARemovalBeforeItsAddition(t *testing.T) {
	n := newNode()
	c := n.mustApply(t, drop("a", "t"))
	if got := crdt.ORState(c.After).Dead(); got != 1 || c.Before != "" {
		t.Errorf("the change goes from %x to %x", c.Before, c.After)
	}
	if r, log := n.step(add("a", at(1, "x"), "t", number(1))); r.Status != Unchanged || len(log) != 0 {
		t.Errorf("its addition: %+v, %d changes", r, len(log))
	}
	copied := load(t, newDisk(), n.log)
	if r, _ := copied.step(add("a", at(2, "x"), "t", number(1))); r.Status != Unchanged {
		t.Errorf("its addition after a replay: %+v", r)
	}
	n.checkTrees(t)
	if _, keys, _ := leafOf(n, orMap, "a"); keys != 1 {
		t.Errorf("the leaf of a key that holds tombstones only has %d keys", keys)
	}
}

// TestADeletedKeyStaysDeleted is law 6 for LWW maps: an offline replica that
// comes back with what it held before the removal changes nothing.
func TestADeletedKeyStaysDeleted(t *testing.T) {
	n := newNode()
	n.mustApply(t, put("a", at(1, "x"), number(1)))
	n.mustApply(t, remove("a", at(2, "y")))
	n.sys += 29 * 24 * hour
	if r, _ := n.step(put("a", at(1, "x"), number(1))); r.Status != Unchanged {
		t.Errorf("the old value: %+v", r)
	}
	if rec := stored(t, n, "a"); !rec.Tombstone() || rec.TS != at(2, "y") {
		t.Errorf("the key holds %+v", rec)
	}
	if sum, keys, _ := leafOf(n, lwwMap, "a"); sum == 0 || keys != 1 {
		t.Errorf("the tombstone's leaf is %08x with %d keys", sum, keys)
	}
	n.mustApply(t, put("a", at(3, "x"), number(1)))
}

// TestGrowingStatesAreBounded: an OR key and a counter stop growing at the bound,
// and are as they were.
func TestGrowingStatesAreBounded(t *testing.T) {
	n := newNode()
	big := value.AppendBin(nil, make([]byte, 5<<20))
	held := 0
	for i := 0; ; i++ {
		r, log := n.step(add("a", at(int64(i), "x"), fmt.Sprint("t", i), big))
		if r.Status == Applied {
			held++
			continue
		}
		if !errors.Is(r.Err, ErrTooLarge) || len(log) != 0 {
			t.Fatalf("record %d: %+v", i, r)
		}
		break
	}
	s, _ := n.state(orMap, "a")
	if held != 3 || crdt.ORState(s).Live() != held || len(s) > maxState {
		t.Errorf("%d records were taken, %d are held in %d bytes", held, crdt.ORState(s).Live(), len(s))
	}
	// A removal makes room.
	n.mustApply(t, drop("a", "t0"))
	n.mustApply(t, add("a", at(99, "x"), "t99", big))

	nodes := map[string]float64{}
	for i := range 4 {
		nodes[fmt.Sprint(i, strings.Repeat("n", 5<<20))] = 1
	}
	b, err := crdt.AppendCounter(nil, nodes, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := op(change.Merge, change.KindCounter, CounterMap, "a")
	o.Counter = crdt.CounterState(b)
	if r, log := n.step(o); r.Status != Refused || !errors.Is(r.Err, ErrTooLarge) || len(log) != 0 {
		t.Errorf("a counter of %d bytes: %+v", len(b), r)
	}
}

// TestBadOperationsAreRefused: what no merge takes is refused by name and leaves
// nothing.
func TestBadOperationsAreRefused(t *testing.T) {
	n := newNode()
	n.mustApply(t, put("a", at(1, "x"), number(1)))
	n.mustApply(t, add("a", at(1, "x"), "t", number(1)))
	before := n.dump()
	broken := op(change.Merge, change.KindCounter, CounterMap, "a")
	broken.Counter = "not a counter"
	for name, c := range map[string]struct {
		op   Op
		want error
	}{
		"an addition without a tag": {add("a", at(2, "x"), "", number(1)), crdt.ErrNoTag},
		"a removal without a tag":   {drop("a", ""), crdt.ErrNoTag},
		"a broken counter":          {broken, crdt.ErrCorrupt},
	} {
		if r, log := n.step(c.op); r.Status != Refused || !errors.Is(r.Err, c.want) || len(log) != 0 {
			t.Errorf("%s: %+v, %d changes; want %v", name, r, len(log), c.want)
		}
	}
	if !slices.Equal(before, n.dump()) {
		t.Error("a refused operation has changed something")
	}
	n.checkTrees(t)
}

func TestReservedNames(t *testing.T) {
	for name, want := range map[string]bool{
		"__topgun_counters": true, "__topgun_": true, "_topgun_x": true, "__TOPGUN_X": true, "_TopGun_": true,
		"": false, "_topgun": false, "topgun_x": false, "notes": false, "___topgun_": false, "x__topgun_": false,
	} {
		if got := Reserved(name); got != want {
			t.Errorf("Reserved(%q) = %t", name, got)
		}
	}
}

func TestPackArrivalKeepsTheOrder(t *testing.T) {
	order := []hlc.Timestamp{
		{}, {Millis: 1}, {Millis: 1, Counter: 7}, {Millis: 1, Counter: 65535}, {Millis: 2}, {Millis: 1<<48 - 1},
	}
	for i := range order[1:] {
		if a, b := PackArrival(order[i]), PackArrival(order[i+1]); a >= b {
			t.Errorf("%s packs to %x, %s to %x", order[i], a, order[i+1], b)
		}
	}
	if a, b := PackArrival(hlc.Timestamp{Millis: 1, Counter: math.MaxUint32}), PackArrival(hlc.Timestamp{Millis: 2}); a >= b {
		t.Errorf("a great counter packs to %x, the next millisecond to %x", a, b)
	}
}
