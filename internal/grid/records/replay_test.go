package records

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// disk is a store that replicas are collected into, as checkpoints do.
type disk struct {
	rows map[backing.Key]backing.Row
	mark int // records of the node's log before the last whole checkpoint

	reached [replicaCount]uint64 // the positions of the replicas there
}

func newDisk() *disk { return &disk{rows: map[backing.Key]backing.Row{}} }

func (d *disk) write(rows []backing.Write) {
	for _, w := range rows {
		w.State = slices.Clone(w.State)
		if w.Delete {
			delete(d.rows, w.Row.Key)
		} else {
			d.rows[w.Row.Key] = w.Row
		}
	}
}

// load makes a node of the store's rows and of the log from a place on.
func load(t failer, d *disk, log []change.Record) *node {
	t.Helper()
	n := newNode()
	for i, r := range n.replicas {
		r.Advance(1, d.reached[i])
	}
	for _, row := range d.rows {
		if err := n.replicas[row.Partition].InstallRow(row); err != nil {
			t.Fatalf("install %v: %v", row.Key, err)
		}
	}
	n.replay(t, log)
	return n
}

func (n *node) replay(t failer, log []change.Record) {
	t.Helper()
	for i := range log {
		if err := n.replicas[log[i].Pos.Partition].InstallRecord(&log[i]); err != nil {
			t.Fatalf("install the record at %s: %v", log[i].Pos, err)
		}
	}
}

func (n *node) dirty() int {
	sum := 0
	for _, r := range n.replicas {
		sum += r.Dirty()
	}
	return sum
}

func (n *node) seqs() (out [replicaCount]uint64) {
	for i, r := range n.replicas {
		out[i] = r.Seq()
	}
	return out
}

// TestReplayGivesTheState is law REPLAY-IDEMPOTENT: rows that were collected at
// any time, in slices and between other work, with the log replayed from
// anywhere before the checkpoint's place, once or twice, give the state, the
// positions and the trees of the node that wrote them; and the node goes on from
// there as the first one does.
func TestReplayGivesTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := newNode(), newDisk()
		var under *sliced // the checkpoint under way
		begun, reached := 0, [replicaCount]uint64{}
		for range rapid.IntRange(1, 50).Draw(t, "actions") {
			n.sys += rapid.SampledFrom([]int64{0, 1, 20_000}).Draw(t, "time")
			switch rapid.IntRange(0, 5).Draw(t, "action") {
			case 0:
			case 1:
				n.sweep(n.sys-rapid.Int64Range(0, 30_000).Draw(t, "confirmed"), rapid.IntRange(1, 20).Draw(t, "budget"))
				continue
			default:
				n.step(drawOp(t, n.sys))
				continue
			}
			if under == nil {
				begun, reached = len(n.log), n.seqs()
				under = n.begin()
			}
			d.write(under.some(rapid.IntRange(0, 20).Draw(t, "rows")))
			if len(under.tables) == 0 {
				d.mark, d.reached, under = begun, reached, nil
			}
		}
		from := rapid.IntRange(0, d.mark).Draw(t, "from")
		copied := load(t, d, n.log[from:])
		if rapid.Bool().Draw(t, "twice") {
			copied.replay(t, n.log[rapid.IntRange(from, len(n.log)).Draw(t, "second from"):])
		}
		same(t, n, copied)

		// A second life, with the first one's clock.
		copied.sys = n.sys
		copied.clock.Resume(n.clock.Last())
		for range rapid.IntRange(0, 10).Draw(t, "operations after") {
			o := drawOp(t, n.sys)
			a, logA := n.step(o)
			b, logB := copied.step(o)
			if a != b || len(logA) != len(logB) || len(logA) > 0 && logA[0] != logB[0] {
				t.Fatalf("%+v gives\n%+v %+v\nafter the replay\n%+v %+v", o, a, logA, b, logB)
			}
		}
		same(t, n, copied)

		// What was put down for later is put down again.
		n.sys += 1 << 30
		copied.sys = n.sys
		n.sweep(n.sys, 1000)
		copied.sweep(n.sys, 1000)
		if a, b := n.text(t), copied.text(t); !slices.Equal(a, b) {
			t.Fatalf("after a long time the node holds\n%v\nthe other one\n%v", a, b)
		}
	})
}

// same holds two nodes against each other, the memory of re-stamps included.
func same(t failer, a, b *node) {
	t.Helper()
	if x, y := a.dump(), b.dump(); !slices.Equal(x, y) {
		t.Fatalf("the node holds\n%s\nthe other one\n%s", lines(x), lines(y))
	}
	if a.seqs() != b.seqs() {
		t.Fatalf("the node stands at %v, the other one at %v", a.seqs(), b.seqs())
	}
	a.checkTrees(t)
	b.checkTrees(t)
}

func lines(in []string) string { return strings.Join(in, "\n") }

// TestCollectIsComplete collects in slices while operations go on, gives some of
// them back, and writes the others whole; once nothing is dirty any more the store
// has every row as it is, and everything that was removed is removed there. Rows
// come in the order of the store.
func TestCollectIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := newNode(), newDisk()
		var under *sliced
		var staged []backing.Write
		for range rapid.IntRange(1, 60).Draw(t, "actions") {
			n.sys += rapid.SampledFrom([]int64{0, 1, 100_000}).Draw(t, "time")
			if rapid.IntRange(0, 3).Draw(t, "action") > 0 {
				n.step(drawOp(t, n.sys))
				continue
			}
			if rapid.IntRange(0, 5).Draw(t, "forget") == 0 {
				r := rapid.SampledFrom(n.replicas).Draw(t, "replica")
				if mem := r.restamps(false); mem != nil {
					r.forgetRestamps(mem, n.sys)
				}
			}
			if under == nil {
				under = n.begin()
			}
			staged = append(staged, under.some(rapid.IntRange(0, 20).Draw(t, "rows"))...)
			switch {
			case rapid.IntRange(0, 2).Draw(t, "give back") == 0:
				under.giveBack()
				under, staged = nil, nil
			case len(under.tables) == 0:
				ascending(t, staged)
				d.write(staged)
				under, staged = nil, nil
			}
		}
		if under != nil {
			under.giveBack()
		}
		rest := n.collect()
		ascending(t, rest)
		d.write(rest)
		if n.dirty() != 0 {
			t.Fatalf("%d keys are dirty after everything was collected", n.dirty())
		}
		var got []string
		for _, key := range slices.SortedFunc(maps.Keys(d.rows), backing.Key.Compare) {
			got = append(got, rowText(d.rows[key]))
		}
		var want []string
		for _, w := range n.rows() {
			want = append(want, rowText(w.Row))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the store holds\n%s\nthe node\n%s", lines(got), lines(want))
		}
	})
}

func ascending(t failer, rows []backing.Write) {
	t.Helper()
	for i := 1; i < len(rows); i++ {
		if rows[i-1].Key.Compare(rows[i].Key) >= 0 {
			t.Fatalf("%v is collected before %v", rows[i-1].Key, rows[i].Key)
		}
	}
}

func rowText(r backing.Row) string {
	return fmt.Sprintf("%v kind %d seq %d arrival %d %x", r.Key, r.Kind, r.Seq, r.Arrival, r.State)
}

// TestAKeyThatChangesLaterIsCollectedOnce: as it is then, when its turn comes
// after the change; else it is dirty anew.
func TestAKeyThatChangesLaterIsCollectedOnce(t *testing.T) {
	n := newNode()
	var keys []string // of one replica, in their order
	for i := 0; len(keys) < 3; i++ {
		if key := fmt.Sprint("k", i); partition.Of(hash.Key(key))%replicaCount == 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(hash.Key(a), hash.Key(b)) })
	for i, key := range keys {
		n.mustApply(t, put(key, at(int64(i), "x"), number(i)))
	}
	c := n.begin()
	rows := c.some(1)
	n.mustApply(t, put(keys[0], at(10, "x"), number(10))) // collected, so dirty anew
	n.mustApply(t, put(keys[1], at(11, "x"), number(11))) // dirty still
	rows = append(append(rows, c.all()...), n.collect()...)
	var order []string
	for _, w := range rows {
		order = append(order, fmt.Sprint(w.Key.Key, "@", w.Seq))
	}
	want := []string{keys[0] + "@1", keys[1] + "@5", keys[2] + "@3", keys[0] + "@4"}
	if !slices.Equal(order, want) {
		t.Errorf("collected %v, want %v", order, want)
	}
}

// TestAKeyThatComesBackDuringACheckpoint: one that was forgotten when the checkpoint
// began is written again before its turn comes. The store must not keep it as it was
// before, since the log of its being forgotten is dropped.
func TestAKeyThatComesBackDuringACheckpoint(t *testing.T) {
	n, d := newNode(), newDisk()
	var keys []string // of one replica, in their order
	for i := 0; len(keys) < 2; i++ {
		if key := fmt.Sprint("k", i); partition.Of(hash.Key(key))%replicaCount == 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(hash.Key(a), hash.Key(b)) })
	n.mustApply(t, add(keys[1], at(0, "x"), "t1", number(1)))
	n.mustApply(t, drop(keys[1], "t1"))
	d.write(n.collect())
	n.sys++
	if log, _ := n.sweep(n.sys, 10); len(log) == 0 {
		t.Fatal("the key is not forgotten")
	}
	n.mustApply(t, add(keys[0], at(1, "x"), "t2", number(1)))
	mark := len(n.log)
	d.reached = n.seqs()
	c := n.begin()
	d.write(c.some(2)) // the horizon and the first key
	n.sys += 100_000
	n.mustApply(t, add(keys[1], at(100_000, "x"), "t3", number(1)))
	d.write(c.all())
	same(t, n, load(t, d, n.log[mark:]))
	d.write(n.collect())
	same(t, n, load(t, d, nil))
}

// TestDropTakesARecordsSumsOutOfTheTrees drops and reloads replicas in the midst
// of random histories: the trees that they share are always those of what is
// there.
func TestDropTakesARecordsSumsOutOfTheTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNode()
		for range rapid.IntRange(1, 40).Draw(t, "actions") {
			n.sys += 10
			if rapid.IntRange(0, 4).Draw(t, "action") > 0 {
				n.step(drawOp(t, n.sys))
				continue
			}
			r := rapid.SampledFrom(n.replicas).Draw(t, "replica")
			loads, before := r.Loads(), n.dump()
			r.Drop()
			if r.Seq() != 0 || r.Dirty() != 0 || r.Loads() != loads+1 {
				t.Fatalf("after a drop: seq %d, %d dirty, %d loads after %d", r.Seq(), r.Dirty(), r.Loads(), loads)
			}
			n.checkTrees(t)
			for i := range n.log {
				if n.log[i].Pos.Partition == r.ID {
					if err := r.InstallRecord(&n.log[i]); err != nil {
						t.Fatalf("install: %v", err)
					}
				}
			}
			if after := n.dump(); !slices.Equal(before, after) {
				t.Fatalf("before the drop\n%s\nafter the replay\n%s", lines(before), lines(after))
			}
			n.checkTrees(t)
		}
		for _, r := range n.replicas {
			r.Drop()
		}
		for name, m := range n.shared.maps {
			if got := leaves(m.Tree()); len(got) != 0 || m.Tree().Root() != 0 {
				t.Fatalf("the tree of %s keeps %v after everything was dropped", name, got)
			}
		}
	})
}

// TestDamagedStatesAreRefused: what comes from disk is checked before it gets
// anywhere.
func TestDamagedStatesAreRefused(t *testing.T) {
	key := backing.Key{Map: lwwMap, Hash: hash.Key("a"), Key: "a"}
	good := crdt.AppendLWW(nil, crdt.LWW{Value: number(1), TS: at(1, "x")})
	for name, row := range map[string]backing.Row{
		"an unknown kind":          {Key: key, Kind: 99, State: good},
		"no kind":                  {Key: key, State: good},
		"half an LWW record":       {Key: key, Kind: uint8(change.KindLWW), State: good[:5]},
		"an LWW record as OR set":  {Key: key, Kind: uint8(change.KindOR), State: good},
		"an LWW record as counter": {Key: key, Kind: uint8(change.KindCounter), State: good},
		"a re-stamp memory":        {Key: key, Kind: uint8(change.KindRestamp), State: []byte("short")},
	} {
		r := NewReplica(0, NewShared(&Kinds{}, NewKeeping(Lifetimes{}), Memory{}))
		if err := r.InstallRow(row); !errors.Is(err, crdt.ErrCorrupt) {
			t.Errorf("%s as a row: %v", name, err)
		}
		c := change.Record{Map: lwwMap, Key: "a", KeyHash: key.Hash, Kind: change.Kind(row.Kind), After: string(row.State)}
		if err := r.InstallRecord(&c); !errors.Is(err, crdt.ErrCorrupt) {
			t.Errorf("%s as a change: %v", name, err)
		}
	}
}

// TestKindsDoNotMix: a map keeps the kind of its first record, on every lane,
// and what is of another kind is refused, from clients and from disk.
func TestKindsDoNotMix(t *testing.T) {
	kinds := &Kinds{}
	n, other := newNode(), newNode()
	n.shared.Kinds, other.shared.Kinds = kinds, kinds
	n.mustApply(t, put("a", at(1, "x"), number(1)))
	wrong := add("b", at(1, "x"), "t", number(1))
	wrong.Map = lwwMap
	for name, lane := range map[string]*node{"the same lane": n, "another lane": other} {
		if r, log := lane.step(wrong); r.Status != Refused || !errors.Is(r.Err, ErrKind) || len(log) != 0 {
			t.Errorf("an OR record in an LWW map on %s: %+v, %d changes", name, r, len(log))
		}
	}
	c := n.log[0]
	c.Kind, c.Map, c.After = change.KindOR, lwwMap, ""
	if err := other.replicas[0].InstallRecord(&c); !errors.Is(err, ErrKind) {
		t.Errorf("an OR change of an LWW map: %v", err)
	}
	row := backing.Row{Key: backing.Key{Map: lwwMap, Key: "b", Hash: hash.Key("b")}, Kind: uint8(change.KindOR)}
	if err := other.replicas[0].InstallRow(row); !errors.Is(err, ErrKind) {
		t.Errorf("an OR row of an LWW map: %v", err)
	}
	if got := kinds.Of(lwwMap); got != change.KindLWW {
		t.Errorf("the map is a %s", got)
	}
	if got := kinds.Of("unheard"); got != change.KindNone {
		t.Errorf("a map without records is a %s", got)
	}
	if n.shared.Find(lwwMap) == nil || n.shared.Find("unheard") != nil {
		t.Error("Find finds what is not there, or does not find what is")
	}
	none := op(99, change.KindLWW, lwwMap, "a")
	if r, _ := n.step(none); r.Status != Refused || !errors.Is(r.Err, ErrInvalid) {
		t.Errorf("an unknown verb: %+v", r)
	}
}
