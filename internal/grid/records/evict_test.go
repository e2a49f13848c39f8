package records

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// pair is two nodes that are asked the same: one with memory for everything, and
// one with next to none and a store beside it.
type pair struct {
	t     *rapid.T
	all   *node
	few   *node
	disk  *disk
	asked int
}

func newPair(t *rapid.T) *pair {
	p := &pair{t: t, all: newNode(), few: newNode(), disk: newDisk()}
	p.few.shared.memory = Memory{Budget: 1, Policy: Policy(rapid.IntRange(0, 2).Draw(t, "policy"))}
	p.few.shared.Recall = func(r *Replica, m *Map, h uint32) {
		r.Recalled(m, h, r.Loads(), p.rows(m, r.ID, h, h), nil, uint32(p.few.sys/1000))
	}
	return p
}

// rows are those of some hashes on the disk, in order.
func (p *pair) rows(m *Map, id partition.ID, first, last uint32) (rows []backing.Row) {
	for k, row := range p.disk.rows {
		if k.Map == m.Name && k.Partition == id && k.Hash >= first && k.Hash <= last {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b backing.Row) int { return a.Key.Compare(b.Key) })
	return rows
}

// step carries an operation out on both, which must not differ.
func (p *pair) step(o Op) {
	p.t.Helper()
	want, wantLog := p.all.step(o)
	r := p.few.replica(o.Hash)
	if m := p.few.shared.Find(o.Map); m != nil && r.Asks(m, o.Hash, o.Key, false) {
		var fx Effects
		if got := r.Step(Time{}, &o, &fx); got.Status != Asks || len(fx.Log) > 0 {
			p.t.Fatalf("%+v is carried out without its state: %+v", o, got)
		}
		p.asked++
		p.restore(o)
		o.Asked = true
	}
	got, gotLog := p.few.step(o)
	if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(gotLog) != fmt.Sprint(wantLog) {
		p.t.Fatalf("%+v gives\n%+v %+v\nwith little memory\n%+v %+v", o, want, wantLog, got, gotLog)
	}
}

func (p *pair) restore(o Op) {
	p.t.Helper()
	r, m := p.few.replica(o.Hash), p.few.shared.Find(o.Map)
	var row *backing.Row
	if have, ok := p.disk.rows[backing.Key{Map: o.Map, Partition: r.ID, Hash: o.Hash, Key: o.Key}]; ok {
		row = &have
	}
	if err := r.Restore(m, o.Hash, o.Key, row, uint32(p.few.sys/1000)); err != nil {
		p.t.Fatalf("restore %s: %v", o.Key, err)
	}
}

// checkpoint writes what is dirty, and lets a part of it go.
func (p *pair) checkpoint(evict int) {
	p.disk.write(p.few.collect())
	for _, r := range p.few.replicas {
		r.Keep(r.Seq())
	}
	p.few.shared.Evict(p.few.sys, evict)
}

// check holds what both have against each other.
func (p *pair) check() {
	p.t.Helper()
	for _, m := range p.all.shared.maps {
		few := p.few.shared.Find(m.Name)
		if m.hashed() {
			if got, want := leaves(few.Tree()), leaves(m.Tree()); !slices.Equal(got, want) {
				p.t.Fatalf("the tree of %s has leaves %v, with little memory %v", m.Name, want, got)
			}
		}
		for i, r := range p.all.replicas {
			want, got := overlaid(p.t, r, m, nil), overlaid(p.t, p.few.replicas[i], few, p.rows(few, r.ID, 0, math.MaxUint32))
			if !slices.Equal(got, want) {
				p.t.Fatalf("%s holds\n%s\nwith little memory\n%s", m.Name, lines(want), lines(got))
			}
		}
	}
}

func overlaid(t *rapid.T, r *Replica, m *Map, rows []backing.Row) (out []string) {
	err := r.Overlay(m, record.Cursor{}, record.End, rows, func(row Row) bool {
		out = append(out, fmt.Sprintf("%08x %q %x %d %d", row.Hash, row.Key, row.State, row.Seq, row.Arrival))
		return true
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// TestLittleMemoryChangesNothing asks two nodes the same, of which one keeps next
// to nothing in memory: they answer the same, log the same, and hold the same in
// trees and scans.
func TestLittleMemoryChangesNothing(t *testing.T) {
	asked := 0
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			d := rapid.SampledFrom([]int64{0, 1, 100, 90_000}).Draw(t, "time")
			p.all.sys, p.few.sys = p.all.sys+d, p.few.sys+d
			switch rapid.IntRange(0, 5).Draw(t, "act") {
			case 0:
				p.checkpoint(rapid.IntRange(0, 20).Draw(t, "evict"))
			case 1:
				p.check()
			default:
				o := drawOp(t, p.all.sys)
				if o.Verb == change.Put && rapid.Bool().Draw(t, "long") {
					o.Value = value.AppendStr(nil, fmt.Sprintf("%0200d", len(o.Value)))
				}
				p.step(o)
			}
		}
		p.check()
		// And when a partition is dropped, its records leave the trees wherever
		// they are.
		for _, r := range p.few.replicas {
			r.Drop()
		}
		for _, m := range p.few.shared.maps {
			if got := leaves(m.Tree()); m.hashed() && len(got) > 0 {
				t.Fatalf("after everything was dropped the tree of %s has %v", m.Name, got)
			}
		}
		asked += p.asked
	})
	if asked == 0 {
		t.Error("the store was never asked")
	}
}

// TestWhatIsNotInTheStoreStays: a record goes only when the store has it durably.
func TestWhatIsNotInTheStoreStays(t *testing.T) {
	n := newNode()
	n.shared.memory = Memory{Budget: 1}
	n.mustApply(t, put("a", at(1, "node"), number(1)))
	r := n.replica(hash.Key("a"))
	if n.shared.Evict(n.sys, 100) || r.Table(n.shared.Find(lwwMap)).Len() != 1 {
		t.Error("a dirty record was evicted")
	}
	n.collect()
	if n.shared.Evict(n.sys, 100) || r.Table(n.shared.Find(lwwMap)).Len() != 1 {
		t.Error("a record was evicted that is on its way to the store")
	}
	r.Keep(r.Seq())
	r.Table(n.shared.Find(lwwMap)).Pin()
	if n.shared.Evict(n.sys, 100) || r.Table(n.shared.Find(lwwMap)).Len() != 1 {
		t.Error("a record of a pinned table was evicted")
	}
	r.Table(n.shared.Find(lwwMap)).Unpin()
	n.shared.Evict(n.sys, 100)
	if table := r.Table(n.shared.Find(lwwMap)); table.Len() != 0 || table.Away() != 1 {
		t.Errorf("%d records are in memory, %d in the store only", table.Len(), table.Away())
	}
}

// TestAStoreThatLacksWhatWasLeftToIt is noticed, not taken for an empty record.
func TestAStoreThatLacksWhatWasLeftToIt(t *testing.T) {
	n := newNode()
	n.shared.memory = Memory{Budget: 1000}
	o := put("a", at(1, "node"), value.AppendStr(nil, fmt.Sprintf("%0500d", 1)))
	n.mustApply(t, o)
	r, m := n.replica(o.Hash), n.shared.Find(lwwMap)
	n.collect()
	r.Keep(r.Seq())
	n.shared.memory.Budget = 500
	n.shared.Evict(n.sys, 1)
	if r.Table(m).Hollow() != 1 {
		t.Fatal("the state is still in memory")
	}
	if err := r.Restore(m, o.Hash, o.Key, nil, 0); !errors.Is(err, ErrLost) {
		t.Errorf("restoring what is not there: %v", err)
	}
	if err := r.Overlay(m, record.Cursor{}, record.End, nil, func(Row) bool { return true }); !errors.Is(err, ErrLost) {
		t.Errorf("scanning what is not there: %v", err)
	}
}

// TestWhoGoesFirst: the policy decides.
func TestWhoGoesFirst(t *testing.T) {
	const records, often = 2000, 200
	for _, policy := range []Policy{LRU, LFU} {
		n := newNode()
		n.shared.memory = Memory{Policy: policy}
		m := func() *Map { return n.shared.Find(lwwMap) }
		for i := range records {
			n.mustApply(t, put(fmt.Sprint("k", i), at(int64(i), "node"), number(i)))
		}
		touch := func(i int) {
			h := hash.Key(fmt.Sprint("k", i))
			e, _ := n.replica(h).Table(m()).Get(h, fmt.Sprint("k", i))
			e.Touch(uint32(n.sys / 1000))
		}
		for i := range often { // used again and again, but not last
			for range 100 {
				touch(i)
			}
		}
		n.sys += 10_000
		for i := often; i < 2*often; i++ { // used last
			touch(i)
		}
		n.collect()
		for _, r := range n.replicas {
			r.Keep(r.Seq())
		}
		n.shared.memory.Budget = n.shared.Bytes() / 2
		for n.shared.Over() {
			n.shared.Evict(n.sys, 100)
		}
		kept := [2]int{}
		for i := range 2 * often {
			if _, ok := n.state(lwwMap, fmt.Sprint("k", i)); ok {
				kept[i/often]++
			}
		}
		first, other := kept[0], kept[1]
		if policy == LRU {
			first, other = other, first
		}
		if first < often*9/10 || other > first {
			t.Errorf("policy %d keeps %d of the records that it should, and %d of others", policy, first, other)
		}
	}
}

// TestBytesAreWhatTheHeapSays holds the account of memory against the heap.
func TestBytesAreWhatTheHeapSays(t *testing.T) {
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	n := newNode()
	n.shared.keeping.lifetimes = Lifetimes{} // what is to end takes memory elsewhere
	before := heap()
	text := value.AppendStr(nil, fmt.Sprintf("%0100d", 7))
	for i := range 50_000 {
		n.step(put(fmt.Sprint("key-", i), at(int64(i%1000), fmt.Sprintf("client-%020d", i%50)), text))
	}
	n.log = nil
	n.collect()
	took, counted := heap()-before, n.shared.Bytes()
	if ratio := float64(counted) / float64(took); ratio < 0.8 || ratio > 1.2 {
		t.Errorf("the heap has grown by %d bytes, the account by %d", took, counted)
	}
	if each := counted / 50_000; each > 190 {
		t.Errorf("a record of 100 bytes takes %d", each)
	}
	runtime.KeepAlive(n)
}

// TestAFailedCheckpointForgetsNoKey: a key that was removed when a checkpoint
// failed, has come back and is removed again, is known to be removed until the
// store knows it too.
func TestAFailedCheckpointForgetsNoKey(t *testing.T) {
	n := newNode()
	n.shared.memory = Memory{Budget: 1}
	kept := func() {
		for _, r := range n.replicas {
			r.Keep(r.Seq())
		}
	}
	h := hash.Key("a")
	once := func(tag string) { // added and removed
		n.sys++
		n.mustApply(t, add("a", at(0, "x"), tag, number(1)))
		n.mustApply(t, drop("a", tag))
	}
	forgotten := func() {
		t.Helper()
		n.sys++
		if n.sweep(n.sys, 10); n.replica(h).Table(n.shared.Find(orMap)).Len() != 0 {
			t.Fatal("the key is not forgotten")
		}
	}
	once("t1")
	n.collect()
	kept()
	m := n.shared.Find(orMap)
	table := n.replica(h).Table(m)
	forgotten()
	failed := n.begin()
	failed.all()
	failed.giveBack()
	once("t2")
	n.collect() // a checkpoint writes the key
	forgotten()
	kept()           // and is durable
	table.AddAway(h) // of a key that shares the hash: whose removal is not known is asked for
	if got := table.Find(h, "a"); got != record.Absent {
		t.Errorf("the key is %d, and the store has it as it was", got)
	}
	rows := n.collect()
	if !slices.ContainsFunc(rows, func(w backing.Write) bool { return w.Delete && w.Key.Key == "a" }) {
		t.Errorf("the next checkpoint writes %+v", rows)
	}
	kept()
	if n.replica(h).leaving != nil {
		t.Error("a key that has left is remembered")
	}
}
