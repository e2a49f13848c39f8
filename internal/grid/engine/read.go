package engine

import (
	"math"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Row is one record as a read returns it. Its strings are immutable and may be
// kept.
type Row struct {
	Hash    uint32
	Key     string
	State   string
	Arrival uint64
}

func rowOf(e record.Entry) Row {
	key, state := e.Copy()
	return Row{e.Hash(), key, state, e.Arrival()}
}

// read is the common part of a task that only reads.
type read struct{}

// Writes implements lane.Task.
func (read) Writes() bool { return false }

func (e *Engine) submit(n int, t lane.Task) {
	if !e.lanes[n].Submit(t) {
		t.Release(lane.ErrUnavailable)
	}
}

// Get reads one key. done gets the key's state, and false when there is none.
func (e *Engine) Get(mapName, key string, done func(state string, ok bool, err error)) {
	h := hash.Key(key)
	e.submit(e.laneOf(h), &getRead{mapName: mapName, key: key, hash: h, done: done})
}

type getRead struct {
	read
	mapName, key string
	hash         uint32
	done         func(string, bool, error)

	state string
	ok    bool
}

// Step implements lane.Task.
func (g *getRead) Step(v *lane.View) {
	m := v.Shared().Find(g.mapName)
	if m == nil {
		return
	}
	if t := v.Replica(partition.Of(g.hash)).Table(m); t != nil {
		if e, ok := t.Get(g.hash, g.key); ok {
			e.Touch(v.Now().Seconds())
			g.state, g.ok = e.State(), true
		}
	}
}

// Release implements lane.Task.
func (g *getRead) Release(err error) { g.done(g.state, g.ok, err) }

// gather is a read that every lane has a share in.
type gather struct {
	left atomic.Int32
	err  atomic.Pointer[error]
	done func(err error)
}

func (g *gather) release(err error) {
	if err != nil {
		g.err.CompareAndSwap(nil, &err)
	}
	if g.left.Add(-1) != 0 {
		return
	}
	if p := g.err.Load(); p != nil {
		g.done(*p)
		return
	}
	g.done(nil)
}

// Tree reads the leaves of a map's Merkle tree that lie below path; done gets a
// tree that has these leaves only. A map without records has an empty tree.
func (e *Engine) Tree(mapName, path string, done func(t *merkle.Tree, err error)) {
	reads := make([]treeRead, len(e.lanes))
	g := &gather{}
	g.done = func(err error) {
		sum := &reads[0].tree
		for i := 1; i < len(reads); i++ {
			reads[i].tree.AddTo(sum)
		}
		done(sum, err)
	}
	g.left.Store(int32(len(reads)))
	for i := range reads {
		reads[i].gather, reads[i].mapName, reads[i].path = g, mapName, path
		e.submit(i, &reads[i])
	}
}

type treeRead struct {
	read
	gather        *gather
	mapName, path string
	tree          merkle.Tree
}

// Step implements lane.Task.
func (t *treeRead) Step(v *lane.View) {
	if m := v.Shared().Find(t.mapName); m != nil {
		m.Tree().AddBelow(t.path, &t.tree)
	}
}

// Release implements lane.Task.
func (t *treeRead) Release(err error) { t.gather.release(err) }

// Leaf reads all records of one leaf of a map's Merkle tree, tombstones and
// expired ones included.
func (e *Engine) Leaf(mapName string, leaf uint16, done func(rows []Row, err error)) {
	reads := make([]leafRead, len(e.lanes))
	g := &gather{}
	g.done = func(err error) {
		rows := reads[0].rows
		for i := 1; i < len(reads); i++ {
			rows = append(rows, reads[i].rows...)
		}
		done(rows, err)
	}
	g.left.Store(int32(len(reads)))
	for i := range reads {
		reads[i].gather, reads[i].mapName, reads[i].leaf = g, mapName, leaf
		e.submit(i, &reads[i])
	}
}

type leafRead struct {
	read
	gather  *gather
	mapName string
	leaf    uint16
	rows    []Row
}

// Step implements lane.Task.
func (l *leafRead) Step(v *lane.View) {
	m := v.Shared().Find(l.mapName)
	if m == nil {
		return
	}
	first := uint32(l.leaf) << 20
	last := first | (1<<20 - 1)
	v.Replicas(func(r *records.Replica) bool {
		if t := r.Table(m); t != nil {
			t.Ascend(record.Cursor{Hash: first}, last, func(e record.Entry) bool {
				l.rows = append(l.rows, rowOf(e))
				return true
			})
		}
		return true
	})
}

// Release implements lane.Task.
func (l *leafRead) Release(err error) { l.gather.release(err) }

// Place is where a scan of one lane stands: all partitions before Partition are
// done, and Partition up to Cursor. The zero Place is the beginning.
type Place struct {
	Partition partition.ID
	Cursor    record.Cursor
	Done      bool
}

// Covers reports whether the scan has passed a key, and so has seen its record
// if there was one.
func (p Place) Covers(keyHash uint32, key string) bool {
	if p.Done {
		return true
	}
	if id := partition.Of(keyHash); id != p.Partition {
		return id < p.Partition
	}
	return p.Cursor.Covers(keyHash, key)
}

// Slice is one step of a scan; it arrives as a mark in the scanner's inbox.
type Slice struct {
	// Scan and Lane are what the scanner had asked with.
	Scan any
	Lane int

	// Rows are the records between the place asked for and Next that Keep wanted.
	Rows []Row
	Next Place

	// Err is set when the lane could not answer.
	Err error
}

// ScanRequest asks one lane for the next records of a map.
type ScanRequest struct {
	Map  string
	Lane int
	From Place

	// Budget is the most records looked at before the slice ends.
	Budget int

	// Keep decides which records are wanted; nil wants all. It runs on the lane,
	// and what it is given is valid during the call only.
	Keep func(key, state string) bool

	// Scan comes back in the Slice.
	Scan any

	// To receives the Slice as a mark.
	To *feed.Inbox
}

// Lanes is the number of lanes; a whole scan asks each of them.
func (e *Engine) Lanes() int { return len(e.lanes) }

// Lane is the lane that owns a key.
func (e *Engine) Lane(keyHash uint32) int { return e.laneOf(keyHash) }

// Scan reads a slice of a map on one lane.
func (e *Engine) Scan(req ScanRequest) {
	e.submit(req.Lane, &scanRead{req: req})
}

type scanRead struct {
	read
	req  ScanRequest
	rows []Row
	next Place
}

// Step implements lane.Task.
func (s *scanRead) Step(v *lane.View) {
	m := v.Shared().Find(s.req.Map)
	if m == nil {
		s.next.Done = true
		return
	}
	budget := s.req.Budget
	s.next = Place{Done: true}
	from := s.req.From
	v.Replicas(func(r *records.Replica) bool {
		if r.ID < from.Partition {
			return true
		}
		t := r.Table(m)
		if t == nil {
			return true
		}
		var cursor record.Cursor
		if r.ID == from.Partition {
			cursor = from.Cursor
		}
		var buf []byte
		t.Ascend(cursor, math.MaxUint32, func(e record.Entry) bool {
			if budget == 0 {
				s.next = Place{Partition: r.ID, Cursor: record.Cursor{Hash: e.Hash(), Key: e.Key()}}
				return false
			}
			budget--
			if s.req.Keep == nil || s.req.Keep(e.KeyView(), e.StateView(&buf)) {
				s.rows = append(s.rows, rowOf(e))
			}
			return true
		})
		return s.next.Done
	})
}

// Release implements lane.Task.
func (s *scanRead) Release(err error) {
	s.req.To.Mark(Slice{Scan: s.req.Scan, Lane: s.req.Lane, Rows: s.rows, Next: s.next, Err: err})
}

// Gather waits for a number of answers.
type Gather struct{ g gather }

// NewGather waits for n answers, at least one, and then calls done with the
// first error among them.
func NewGather(n int, done func(err error)) *Gather {
	g := &Gather{}
	g.g.done = done
	g.g.left.Store(int32(n))
	return g
}

// Done counts one answer.
func (g *Gather) Done(err error) { g.g.release(err) }

// Fence puts v into an inbox in the place where one lane stands: behind all
// operations that were submitted before. A lane that cannot answer puts it there
// all the same; what it could not carry out will not be seen in the inbox.
func (e *Engine) Fence(n int, v any, to *feed.Inbox) { e.submit(n, &fence{v: v, to: to}) }

type fence struct {
	read
	v  any
	to *feed.Inbox
}

// Step implements lane.Task.
func (f *fence) Step(*lane.View) {}

// Release implements lane.Task.
func (f *fence) Release(error) { f.to.Mark(f.v) }
