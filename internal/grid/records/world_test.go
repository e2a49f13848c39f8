package records

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// The maps and keys of the histories. A key may be in several maps.
const (
	lwwMap = "notes"
	orMap  = "tags"
)

var histKeys = []string{"a", "b", "c", "ключ", ""}

// histTags are tags that tell their time and one that does not.
var histTags = []string{at(0, "x").String(), at(-30_000, "y").String(), "t"}

// began is when every history begins.
const began = 1_767_225_600_000

// node is a lane without a lane: replicas, a clock, and what they have logged.
type node struct {
	sys      int64
	clock    *hlc.Clock
	shared   *Shared
	replicas []*Replica
	log      []change.Record // everything that was ever logged
}

// lives are the lifetimes of every history: tombstones live for 40 seconds, and
// some maps have rules.
var lives = Lifetimes{
	Tombstones: 40 * time.Second,
	TTL:        []MapSpan{{"short*", time.Second}, {"*", time.Hour}},
	MaxIdle:    []MapSpan{{"idle", time.Second}, {"__topgun_devices", time.Second}},
}

// sweep ends and reclaims.
func (n *node) sweep(confirmed int64, budget int) (log []change.Record, more bool) {
	var fx Effects
	more = n.shared.Sweep(n.now(), func(id partition.ID) *Replica { return n.replicas[id%replicaCount] }, confirmed, budget, &fx)
	n.log = append(n.log, fx.Log...)
	return fx.Log, more
}

// collect does what a checkpoint does to the tables.
func (n *node) collect() []backing.Write { return n.shared.CollectAll() }

// slices hands over the rows of a checkpoint piece by piece.
type sliced struct {
	tables []*Unsaved
	given  []*Unsaved // collected to the end
}

func (n *node) begin() *sliced {
	s := &sliced{tables: n.shared.TakeUnsaved()}
	slices.SortFunc(s.tables, (*Unsaved).Compare)
	return s
}

// some are the rows of the next keys, at most so many.
func (s *sliced) some(most int) []backing.Write {
	rows := NewRows(0)
	for most > 0 && len(s.tables) > 0 {
		before := len(rows.List)
		if !s.tables[0].Collect(rows, most) {
			s.given = append(s.given, s.tables[0])
			s.tables = s.tables[1:]
		}
		most -= max(1, len(rows.List)-before)
	}
	return rows.List
}

// all are the rows that are left.
func (s *sliced) all() (rows []backing.Write) {
	for len(s.tables) > 0 {
		rows = append(rows, s.some(1<<20)...)
	}
	return rows
}

// giveBack has everything be dirty again.
func (s *sliced) giveBack() {
	for _, u := range append(s.given, s.tables...) {
		u.GiveBack()
	}
}

// replicaCount is how many partitions a node has; a key belongs to the one of
// its hash.
const replicaCount = 3

func newNode() *node {
	n := &node{sys: began, clock: hlc.NewClock("server"), shared: NewShared(&Kinds{}, NewKeeping(lives), Memory{})}
	for id := range replicaCount {
		n.replicas = append(n.replicas, NewReplica(partition.ID(id), n.shared))
	}
	return n
}

func (n *node) replica(h uint32) *Replica { return n.replicas[partition.Of(h)%replicaCount] }

func (n *node) now() Time {
	return Time{Arrival: n.clock.Now(n.sys), Sys: n.sys, Stamp: func(seen hlc.Timestamp) hlc.Timestamp {
		n.clock.Update(n.sys, seen)
		return n.clock.Now(n.sys)
	}}
}

// step carries out one operation as a group of its own.
func (n *node) step(op Op) (Result, []change.Record) {
	var fx Effects
	r := n.replica(op.Hash).Step(n.now(), &op, &fx)
	if !fx.Seen.IsZero() {
		n.clock.Update(n.sys, fx.Seen)
	}
	n.log = append(n.log, fx.Log...)
	return r, fx.Log
}

// state is what the node holds of a key.
func (n *node) state(mapName, key string) (string, bool) {
	m := n.shared.Find(mapName)
	if m == nil {
		return "", false
	}
	h := hash.Key(key)
	t := n.replica(h).Table(m)
	if t == nil {
		return "", false
	}
	if e, ok := t.Get(h, key); ok {
		return e.State(), true
	}
	return "", false
}

// dump writes down everything that the node holds, but for what is derived.
func (n *node) dump() []string {
	var lines []string
	for _, m := range n.shared.maps {
		for _, r := range n.replicas {
			t := r.Table(m)
			if t == nil {
				continue
			}
			t.Ascend(record.Cursor{}, math.MaxUint32, func(e record.Entry) bool {
				lines = append(lines, fmt.Sprintf("%s/%d/%q %08x seq %d arrival %d %x", m.Name, r.ID, e.Key(), e.Hash(), e.Seq(), e.Arrival(), e.State()))
				return true
			})
		}
	}
	slices.Sort(lines)
	return lines
}

// rebuilt is the tree of a map, made from the states that the node holds.
func (n *node) rebuilt(m *Map) *merkle.Tree {
	tree := &merkle.Tree{}
	for _, r := range n.replicas {
		if t := r.Table(m); t != nil {
			t.Ascend(record.Cursor{}, math.MaxUint32, func(e record.Entry) bool {
				var sum uint32
				switch m.Kind {
				case change.KindLWW:
					rec, _ := crdt.ParseLWW(e.State())
					sum = crdt.LWWHash(e.Key(), rec.TS)
				case change.KindOR:
					sum = crdt.ORState(e.State()).Hash(e.Key())
				}
				tree.Update(e.Hash(), 0, sum, 1)
				return true
			})
		}
	}
	return tree
}

// checkTrees holds the trees that were kept up against trees built anew.
func (n *node) checkTrees(t failer) {
	t.Helper()
	for _, m := range n.shared.maps {
		if !m.hashed() {
			continue
		}
		got, want := m.Tree(), n.rebuilt(m)
		if g, w := leaves(got), leaves(want); !slices.Equal(g, w) {
			t.Fatalf("the tree of %s has leaves %v, built anew it has %v", m.Name, g, w)
		}
		if got.Root() != want.Root() {
			t.Fatalf("the root of %s is %08x, built anew %08x", m.Name, got.Root(), want.Root())
		}
	}
}

// failer is a test, or one of rapid's.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// leaves lists the leaves of a tree that have a hash or keys.
func leaves(t *merkle.Tree) []string {
	var out []string
	for i := range uint16(merkle.Leaves) {
		path := merkle.LeafPath(i)
		if sum, keys, _ := t.Leaf(path); sum != 0 || keys != 0 {
			out = append(out, fmt.Sprintf("%s=%08x/%d", path, sum, keys))
		}
	}
	return out
}

// leafOf is the leaf of a key in the tree of a map.
func leafOf(n *node, mapName, key string) (sum uint32, keys int, ok bool) {
	return n.shared.Find(mapName).Tree().Leaf(merkle.LeafPath(merkle.LeafOf(hash.Key(key))))
}

// rows are what a checkpoint of everything would hold.
func (n *node) rows() []backing.Write {
	var rows []backing.Write
	for _, m := range n.shared.maps {
		for _, r := range n.replicas {
			if t := r.Table(m); t != nil {
				t.Ascend(record.Cursor{}, math.MaxUint32, func(e record.Entry) bool {
					rows = append(rows, backing.Write{Row: backing.Row{
						Key:  backing.Key{Map: m.Name, Partition: r.ID, Hash: e.Hash(), Key: e.Key()},
						Kind: uint8(m.Kind), Seq: e.Seq(), Arrival: e.Arrival(), State: []byte(e.State()),
					}})
					return true
				})
			}
		}
	}
	slices.SortFunc(rows, func(a, b backing.Write) int { return a.Key.Compare(b.Key) })
	return rows
}

var someone = &change.Author{Origin: change.OriginSession, Principal: "someone", Device: "phone"}

func op(verb change.Verb, kind change.Kind, mapName, key string) Op {
	return Op{Verb: verb, Kind: kind, Map: mapName, Key: key, Hash: hash.Key(key), Author: someone}
}

func put(key string, ts hlc.Timestamp, v value.Raw) Op {
	o := op(change.Put, change.KindLWW, lwwMap, key)
	o.TS, o.Value = ts, v
	return o
}

func remove(key string, ts hlc.Timestamp) Op {
	o := op(change.Remove, change.KindLWW, lwwMap, key)
	o.TS = ts
	return o
}

func add(key string, ts hlc.Timestamp, tag string, v value.Raw) Op {
	o := op(change.Add, change.KindOR, orMap, key)
	o.TS, o.Tag, o.Value = ts, tag, v
	return o
}

func drop(key, tag string) Op {
	o := op(change.Drop, change.KindOR, orMap, key)
	o.Tag = tag
	return o
}

func count(t failer, key, who string, pos, neg float64) Op {
	t.Helper()
	o := op(change.Merge, change.KindCounter, CounterMap, key)
	b, err := crdt.AppendCounter(nil, map[string]float64{who: pos}, map[string]float64{who: neg})
	if err != nil {
		t.Fatalf("counter: %v", err)
	}
	o.Counter = crdt.CounterState(b)
	return o
}

func number(n int) value.Raw { return value.AppendInt(nil, int64(n)) }

// at is a timestamp n milliseconds after began.
func at(n int64, who string) hlc.Timestamp { return hlc.Timestamp{Millis: began + n, Node: who} }

// drawOp draws an operation. Its timestamps lie around the node's clock: late
// ones, early ones, and ones too far ahead.
func drawOp(t *rapid.T, sys int64) Op {
	key := rapid.SampledFrom(histKeys).Draw(t, "key")
	who := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "writer")
	ts := hlc.Timestamp{
		Millis: sys + rapid.OneOf(
			rapid.Int64Range(-5, 5),
			rapid.Int64Range(-100_000, 55_000),
			rapid.SampledFrom([]int64{60_000, 60_001, 3600_000, 60_002}),
		).Draw(t, "ahead"),
		Counter: uint32(rapid.IntRange(0, 1).Draw(t, "counter")),
		Node:    who,
	}
	v := number(rapid.IntRange(0, 3).Draw(t, "value"))
	switch rapid.IntRange(0, 9).Draw(t, "verb") {
	case 0, 1, 2:
		o := put(key, ts, v)
		o.TTL = rapid.SampledFrom([]int64{0, 0, 5}).Draw(t, "ttl")
		return o
	case 3:
		return remove(key, ts)
	case 4:
		return remove(key, hlc.Timestamp{})
	case 5, 6:
		o := add(key, ts, rapid.SampledFrom(histTags).Draw(t, "tag"), v)
		o.HasTTL = rapid.Bool().Draw(t, "hasTTL")
		return o
	case 7, 8:
		return drop(key, rapid.SampledFrom(histTags).Draw(t, "tag"))
	default:
		return count(t, key, who, float64(rapid.IntRange(0, 4).Draw(t, "pos")), float64(rapid.IntRange(0, 4).Draw(t, "neg")))
	}
}

// mustApply fails the test unless the operation changes something.
func (n *node) mustApply(t *testing.T, o Op) change.Record {
	t.Helper()
	r, log := n.step(o)
	if r.Status != Applied || r.Err != nil || len(log) != 1 {
		t.Fatalf("%+v: status %d, %v, %d changes", o, r.Status, r.Err, len(log))
	}
	return log[0]
}
