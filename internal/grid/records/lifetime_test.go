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
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// TestAgendaAgreesWithItsModel: a slot comes out once, at the earliest time it
// was added with, in the order of times; and however often slots are moved, the
// agenda takes no more than about two items for each.
func TestAgendaAgreesWithItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a agenda
		model := map[slot]int64{}
		slots := rapid.Custom(func(t *rapid.T) slot {
			return slot{rapid.Uint32Range(0, 1).Draw(t, "map"), rapid.Uint32Range(0, 30).Draw(t, "hash")}
		})
		for range rapid.IntRange(1, 400).Draw(t, "actions") {
			action := rapid.IntRange(0, 4).Draw(t, "action")
			if action == 1 {
				s := slots.Draw(t, "slot")
				a.drop(s)
				delete(model, s)
				continue
			}
			if action > 0 {
				at := rapid.Int64Range(0, 100).Draw(t, "at")
				s := slots.Draw(t, "slot")
				a.add(at, s)
				if have, ok := model[s]; !ok || at < have {
					model[s] = at
				}
				continue
			}
			before := rapid.Int64Range(0, 60).Draw(t, "before")
			s, ok := a.take(before)
			due := slices.SortedFunc(maps.Keys(model), func(x, y slot) int {
				return cmp.Or(cmp.Compare(model[x], model[y]), cmp.Compare(x.m, y.m), cmp.Compare(x.hash, y.hash))
			})
			if len(due) == 0 || model[due[0]] >= before {
				if ok {
					t.Fatalf("%v comes out before its time", s)
				}
				continue
			}
			if !ok || s != due[0] {
				t.Fatalf("%v, %t comes out, want %v at %d", s, ok, due[0], model[due[0]])
			}
			delete(model, s)
		}
		a.add(never, slot{9, 9})
		if len(a.next) != len(model) || len(a.heap) > 2*len(model)+64 {
			t.Fatalf("%d slots, %d items, want %d slots", len(a.next), len(a.heap), len(model))
		}
	})
}

// TestExpiryDoesNotDependOnTheWay: two nodes that get the same writes in any
// order, at any times, and end what is over whenever they come to it, hold the
// same in the end: what the latest write says, or that it is over.
func TestExpiryDoesNotDependOnTheWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ops []Op
		latest := map[string]Op{}
		for i := range rapid.IntRange(1, 12).Draw(t, "operations") {
			key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
			ts := hlc.Timestamp{
				Millis: began + rapid.Int64Range(0, 20).Draw(t, "millis"), Counter: uint32(i),
				Node: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "writer"),
			}
			o := put(key, ts, number(i))
			o.TTL = rapid.SampledFrom([]int64{0, 1, 5, 30}).Draw(t, "ttl")
			if rapid.IntRange(0, 5).Draw(t, "remove") == 0 {
				o = remove(key, ts)
			}
			tag := add(key, ts, ts.String(), number(i))
			tag.TTL, tag.HasTTL = o.TTL, o.TTL != 0
			ops = append(ops, o, tag)
			if have, ok := latest[key]; !ok || hlc.Compare(ts, have.TS) > 0 {
				latest[key] = o
			}
		}
		live := func(label string) *node {
			n := newNode()
			n.shared.keeping.lifetimes.TTL = nil
			for _, o := range rapid.Permutation(ops).Draw(t, label) {
				n.sys += rapid.Int64Range(0, 10).Draw(t, "time")
				n.step(o)
				if rapid.Bool().Draw(t, "sweep") {
					n.sweep(0, 100)
				}
			}
			n.sys = began + 1000
			n.sweep(0, 100)
			n.checkTrees(t)
			return n
		}
		a, b := live("one way"), live("another")
		if x, y := a.text(t), b.text(t); !slices.Equal(x, y) {
			t.Fatalf("one way gives\n%s\nthe other\n%s", strings.Join(x, "\n"), strings.Join(y, "\n"))
		}
		for key, o := range latest {
			s, _ := a.state(lwwMap, key)
			rec, err := crdt.ParseLWW(s)
			over := o.TTL != 0 || o.Value == nil
			if err != nil || rec.Tombstone() != over {
				t.Fatalf("%q is %+v, its latest write %+v", key, rec, o)
			}
		}
	})
}

// TestWhenARecordEnds pins the last millisecond, and from where it is counted.
func TestWhenARecordEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		mapName string
		ts, ttl int64 // relative to the beginning
		last    int64
	}{
		{"a ttl of its own", "m", 0, 50, 50},
		{"its own before the map's", "short-lived", 0, 50, 50},
		{"the map's", "short-lived", -200, 0, 800},
		{"idle", "idle", -200, 0, 1000},
		{"idle with a ttl", "idle", -200, 700, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode()
			o := put("k", at(c.ts, "x"), number(1))
			o.Map, o.TTL = c.mapName, c.ttl
			n.mustApply(t, o)
			n.sys = began + c.last
			if log, _ := n.sweep(0, 10); len(log) != 0 {
				t.Fatalf("it ends early: %+v", log)
			}
			n.sys++
			log, _ := n.sweep(0, 10)
			if len(log) != 1 {
				t.Fatalf("%d changes when it is over", len(log))
			}
			rec, err := crdt.ParseLWW(log[0].After)
			want := hlc.Timestamp{Millis: began + c.ts, Node: "x-expired"}
			if err != nil || !rec.Tombstone() || rec.TS != want || log[0].Verb != change.Remove || log[0].Author.Origin != change.OriginSystem {
				t.Errorf("it ends with %+v at %s", log[0], rec.TS)
			}
			if log, _ := n.sweep(0, 10); len(log) != 0 {
				t.Errorf("it ends twice")
			}
		})
	}
}

// TestReservedMapsHaveRulesByName: a pattern never ends the server's own records.
func TestReservedMapsHaveRulesByName(t *testing.T) {
	n := newNode()
	for _, name := range []string{CounterMap + "x", "__topgun_devices"} {
		o := put("k", at(0, "x"), number(1))
		o.Map = name
		n.mustApply(t, o)
	}
	n.sys += 10 * 3600_000
	log, _ := n.sweep(0, 10)
	if len(log) != 1 || log[0].Map != "__topgun_devices" {
		t.Errorf("%+v ends", log)
	}
}

// TestTagsEnd: records of a set end one by one, each by the removal of its tag.
func TestTagsEnd(t *testing.T) {
	n := newNode()
	for i, ttl := range []int64{10, 20, 0} {
		o := add("k", at(int64(i), "x"), at(int64(i), "x").String(), number(i))
		o.TTL, o.HasTTL = ttl, true
		n.mustApply(t, o)
	}
	n.sys += 11
	log, _ := n.sweep(0, 10)
	if len(log) != 1 || log[0].Verb != change.Drop || log[0].Tag != at(0, "x").String() {
		t.Fatalf("%+v ends first", log)
	}
	n.sys += 100
	if log, _ = n.sweep(0, 10); len(log) != 1 || log[0].Tag != at(1, "x").String() {
		t.Fatalf("%+v ends second", log)
	}
	n.checkTrees(t)
}

// TestTheEndOfATagIsNoWrite: a key that nobody writes is idle from its last write
// on, whatever ends in it meanwhile, and after a replay too.
func TestTheEndOfATagIsNoWrite(t *testing.T) {
	n := newNode()
	for i := range 3 * tagsAtOnce {
		o := add("k", at(0, "x"), fmt.Sprint("t", i), number(i))
		o.Map = "idle"
		if i == 0 {
			o.TTL, o.HasTTL = 900, true
		}
		n.mustApply(t, o)
	}
	n.sys += 901
	if log, _ := n.sweep(0, 10); len(log) != 1 {
		t.Fatalf("%d tags end by their ttl", len(log))
	}
	again := load(t, newDisk(), n.log)
	again.sys = n.sys
	for _, n := range []*node{n, again} {
		n.sys += 100
		if log, more := n.sweep(0, 1000); len(log) != 3*tagsAtOnce-1 || more {
			t.Errorf("%d tags of an idle key end, more %t", len(log), more)
		}
	}
}

// TestTombstonesAreForgottenByAge: not before their time, by a change, and what
// would bring the key back afterwards is refused, while everything later counts.
func TestTombstonesAreForgottenByAge(t *testing.T) {
	n := newNode()
	n.mustApply(t, put("a", at(0, "x"), number(1)))
	n.mustApply(t, remove("a", at(5, "x")))
	tag := at(1, "x").String()
	n.mustApply(t, add("a", at(1, "x"), tag, number(1)))
	n.mustApply(t, drop("a", tag))
	n.sys += 40_000
	if log, _ := n.sweep(0, 10); len(log) != 0 {
		t.Fatalf("forgotten early: %+v", log)
	}
	n.sys += 1000
	if log, more := n.sweep(0, 2); len(log) != 0 || more {
		t.Fatalf("forgotten before a checkpoint has them, %t: %+v", more, log)
	}
	n.collect()
	log, more := n.sweep(0, 10)
	if len(log) != 3 || more {
		t.Fatalf("%d changes, %t: %+v", len(log), more, log)
	}
	if _, ok := n.state(lwwMap, "a"); ok {
		t.Error("the tombstone is still there")
	}
	if _, ok := n.state(orMap, "a"); ok {
		t.Error("the tombstone of the tag is still there")
	}
	n.checkTrees(t)
	horizon := n.replica(put("a", at(0, ""), nil).Hash).Horizon()
	if horizon <= began+5 || horizon > began+1000 || n.shared.keeping.Horizon() != horizon {
		t.Fatalf("the horizon is %d, the node's %d", horizon-began, n.shared.keeping.Horizon()-began)
	}
	for _, o := range []Op{
		put("a", at(0, "x"), number(1)), remove("a", at(6, "y")), add("a", at(1, "x"), tag, number(1)), drop("a", tag),
		add("a", at(1, "x"), "t", number(1)), add("a", at(39_000, "x"), tag, number(1)),
	} {
		if r, log := n.step(o); r.Status != Refused || !errors.Is(r.Err, ErrStale) || len(log) != 0 {
			t.Errorf("%+v is older than the horizon: %+v", o, r)
		}
	}
	_, _, stale := n.shared.keeping.Counts()
	if stale != 6 {
		t.Errorf("%d stale writes are counted", stale)
	}
	n.mustApply(t, put("a", at(40_000, "x"), number(2)))
	n.mustApply(t, add("a", at(40_000, "x"), at(40_000, "x").String(), number(2)))
	if r, _ := n.step(put("a", at(0, "x"), number(1))); r.Status != Unchanged {
		t.Errorf("an old write meets a later one: %+v", r)
	}
	again := load(t, newDisk(), n.log)
	if got := again.replica(put("a", at(0, ""), nil).Hash).Horizon(); got != horizon {
		t.Errorf("after a replay the horizon is %d, want %d", got, horizon)
	}
}

// TestARestampIsRefusedWhenItsDeletionIsForgotten: its writer, who is told under
// which timestamp it was stored, would keep the record for ever.
func TestARestampIsRefusedWhenItsDeletionIsForgotten(t *testing.T) {
	n := newNode()
	early := put("a", at(hour, "x"), number(1))
	n.mustApply(t, early)
	n.mustApply(t, remove("a", at(5, "y")))
	if r, _ := n.step(early); r.Status != Unchanged || !r.Restamped || r.Stored == "" {
		t.Fatalf("while the deletion is remembered: %+v", r)
	}
	n.collect()
	n.sys += 41_000
	if log, _ := n.sweep(0, 10); len(log) != 2 {
		t.Fatalf("%d changes forget the deletion", len(log))
	}
	if r, log := n.step(early); r.Status != Refused || !errors.Is(r.Err, ErrStale) || r.Restamped || len(log) != 0 {
		t.Errorf("when it is forgotten: %+v", r)
	}
	n.mustApply(t, put("a", at(41_000, "y"), number(2)))
	if r, _ := n.step(early); r.Status != Unchanged || !r.Restamped {
		t.Errorf("when the key is there again: %+v", r)
	}
}

// TestConfirmedTagsAreForgottenAtOnce, the one that tells no time among them; a
// tag that was made later than the confirmation is not.
func TestConfirmedTagsAreForgottenAtOnce(t *testing.T) {
	n := newNode()
	early, late := at(0, "x").String(), at(30_000, "y").String()
	for _, tag := range []string{early, late, "t"} {
		n.mustApply(t, add("a", at(0, "x"), tag, number(1)))
		n.mustApply(t, drop("a", tag))
	}
	if log, _ := n.sweep(n.clock.Last().Millis, 10); len(log) != 0 {
		t.Fatalf("forgotten before it is confirmed: %+v", log)
	}
	n.sys += 10
	n.collect()
	n.sweep(n.clock.Last().Millis+5, 10)
	n.collect()
	s, _ := n.state(orMap, "a")
	if got := fmt.Sprint(slices.Collect(maps.Keys(maps.Collect(crdt.ORState(s).Tombstones())))); got != "["+late+"]" {
		t.Errorf("left are %s", got)
	}
	if log, _ := n.sweep(began+30_001, 10); len(log) != 1 {
		t.Errorf("%d changes forget the last one", len(log))
	}
	if _, ok := n.state(orMap, "a"); ok {
		t.Error("the empty key is still there")
	}
}

// TestSweepsAreBounded: one looks at no more than it may, and says so.
func TestSweepsAreBounded(t *testing.T) {
	n := newNode()
	for i := range 10 {
		o := put(fmt.Sprint("k", i), at(0, "x"), number(i))
		o.TTL = 1
		n.mustApply(t, o)
	}
	n.sys += 10
	for _, want := range []int{4, 4, 2} {
		log, more := n.sweep(0, 4)
		if len(log) != want || more != (want == 4) {
			t.Fatalf("%d changes, more %t; want %d", len(log), more, want)
		}
	}
}

// TestTagsThatEndAreBounded: a sweep ends no more of them than it may, and what a
// key has beyond tagsAtOnce.
func TestTagsThatEndAreBounded(t *testing.T) {
	n := newNode()
	for i := range 10 * tagsAtOnce {
		o := add("k", at(0, "x"), fmt.Sprint("t", i), number(i))
		o.TTL, o.HasTTL = 1, true
		n.mustApply(t, o)
	}
	n.sys += 10
	left := 10 * tagsAtOnce
	for left > 0 {
		log, more := n.sweep(0, 2*tagsAtOnce)
		if len(log) == 0 || len(log) > 3*tagsAtOnce || len(log) < left && !more {
			t.Fatalf("%d of %d tags end, more %t", len(log), left, more)
		}
		left -= len(log)
	}
}

// TestManyTombstonesAreForgottenInOnePass: what that takes grows as their number
// does.
func TestManyTombstonesAreForgottenInOnePass(t *testing.T) {
	const tags = 2000
	n := newNode()
	for i := range tags {
		n.mustApply(t, drop("k", at(int64(-i), "x").String()))
	}
	state, _ := n.state(orMap, "k")
	key := backing.Key{Map: orMap, Key: "k", Hash: hash.Key("k")}
	allocated := testing.AllocsPerRun(1, func() {
		m := newNode()
		m.sys += 100_000
		if err := m.replica(key.Hash).InstallRow(backing.Row{Key: key, Kind: uint8(change.KindOR), State: []byte(state)}); err != nil {
			t.Fatal(err)
		}
		if log, _ := m.sweep(0, 10); len(log) != 2 {
			t.Fatalf("%d changes", len(log))
		}
	})
	if allocated > tags/2 {
		t.Errorf("forgetting %d tombstones of a key allocates %.0f times", tags, allocated)
	}
}

// TestChurnLeavesNothing: keys and tags that are added and removed for long leave
// no more in tables and agendas than what lives, and no rows in the store.
func TestChurnLeavesNothing(t *testing.T) {
	n, d := newNode(), newDisk()
	peak, peakMemory := 0, 0
	rows := func() int {
		d.write(n.collect())
		size := 0
		for k, row := range d.rows {
			size += len(k.Key) + len(row.State)
		}
		return size
	}
	for round := range 200 {
		n.sys += 500
		for k := range 30 {
			key := fmt.Sprint("key-", k, "-", round%2)
			ts := hlc.Timestamp{Millis: n.sys, Counter: uint32(k), Node: "writer-of-churn"}
			n.mustApply(t, put(key, ts, []byte("\xd9\x40"+strings.Repeat("v", 64))))
			n.mustApply(t, add(key, ts, ts.String(), []byte("\xd9\x40"+strings.Repeat("v", 64))))
		}
		if peak = max(peak, rows()); round < 2 {
			peakMemory = n.shared.Bytes() // of what lives, without any churn
		}
		for k := range 30 {
			key := fmt.Sprint("key-", k, "-", round%2)
			ts := hlc.Timestamp{Millis: n.sys, Counter: uint32(k), Node: "writer-of-churn"}
			n.mustApply(t, remove(key, hlc.Timestamp{Millis: n.sys + 1, Counter: uint32(k), Node: "writer-of-churn"}))
			n.mustApply(t, drop(key, ts.String()))
		}
		n.sweep(n.sys, 1000)
	}
	n.sys += 100_000
	rows()
	n.sweep(n.sys, 1000)
	if left := rows(); left > peak/5 {
		t.Errorf("%d bytes are left of a peak of %d", left, peak)
	}
	if held := n.shared.Bytes(); held > peakMemory*12/10 {
		t.Errorf("%d bytes of memory are left of a peak of %d", held, peakMemory)
	}
	entries := 0
	for _, m := range n.shared.maps {
		for _, r := range n.replicas {
			if t := r.Table(m); t != nil && m.Kind != change.KindHorizon {
				entries += t.Len()
			}
		}
	}
	s := n.shared
	if held := len(s.ends.heap) + len(s.deaths.lww.heap) + len(s.deaths.tags.heap); entries != 0 || held > 300 {
		t.Errorf("%d entries and %d items are left", entries, held)
	}
	n.checkTrees(t)
}

// TestAForgottenKeyIsLookedAtNoMore: its end, years away, is not remembered, and
// that of a key with the same hash is.
func TestAForgottenKeyIsLookedAtNoMore(t *testing.T) {
	n := newNode()
	const year = 365 * 24 * 3600_000
	a, b := put("a", at(0, "x"), number(1)), put("b", at(0, "x"), number(1))
	b.Hash = a.Hash // they collide
	tag := add("c", at(0, "x"), at(0, "x").String(), number(1))
	for _, o := range []*Op{&a, &b, &tag} {
		o.TTL, o.HasTTL = year, true
		n.mustApply(t, *o)
	}
	gone := func(key string) {
		t.Helper()
		o := remove(key, at(1, "x"))
		o.Hash = a.Hash
		n.mustApply(t, o)
		n.collect()
		n.sys += 100_000
		if n.sweep(0, 10); n.replica(a.Hash).Table(n.shared.Find(lwwMap)).Len() > 1 {
			t.Fatalf("%s is not forgotten", key)
		}
	}
	n.mustApply(t, drop("c", tag.Tag))
	gone("a")
	if len(n.shared.ends.next) != 1 {
		t.Errorf("%d ends are remembered while a key with the same hash is there", len(n.shared.ends.next))
	}
	n.collect()
	n.sys += year
	if log, _ := n.sweep(0, 10); len(log) != 1 || log[0].Key != "b" || log[0].Verb != change.Remove {
		t.Errorf("%+v ends", log)
	}
	n.mustApply(t, func() Op { o := put("d", at(year, "x"), number(1)); o.TTL, o.Hash = year, a.Hash; return o }())
	n.collect()
	n.sys += 100_000
	n.sweep(0, 10) // forgets b
	n.mustApply(t, func() Op { o := remove("d", at(year+200_000, "x")); o.Hash = a.Hash; return o }())
	n.collect()
	n.sys += 200_000
	if n.sweep(0, 10); len(n.shared.ends.next) != 0 {
		t.Errorf("%d ends of forgotten keys are remembered", len(n.shared.ends.next))
	}
}

// TestHorizonsAreKept in the partition they speak of.
func TestHorizonsAreKept(t *testing.T) {
	for id := range partition.ID(partition.Count) {
		if key := horizonKey(id); partition.Of(op(change.Raise, change.KindHorizon, HorizonMap, key).Hash) != id {
			t.Errorf("the key %q of partition %d is of another", key, id)
		}
	}
	for _, bad := range []string{"", "12345678", "\x40\xff234567", "\x50" + "12345678"} {
		if _, err := parseHorizon(bad); !errors.Is(err, crdt.ErrCorrupt) {
			t.Errorf("%x is a horizon: %v", bad, err)
		}
		row := backing.Row{Key: backing.Key{Map: HorizonMap, Key: "0"}, Kind: uint8(change.KindHorizon), State: []byte(bad)}
		if err := newNode().replicas[0].InstallRow(row); err == nil {
			t.Errorf("the row of %x is taken", bad)
		}
	}
}
