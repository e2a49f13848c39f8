package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
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

func ownedRow(r records.Row) Row {
	n := len(r.Key)
	all := r.Key + r.State
	return Row{r.Hash, all[:n], all[n:], r.Arrival}
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
	if e, ok, _ := v.Get(g.mapName, g.hash, g.key); ok {
		e.Touch(v.Now().Seconds())
		g.state, g.ok = e.State(), true
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
	if !v.Settled() {
		return
	}
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
		reads[i].gather, reads[i].mapName, reads[i].leaf, reads[i].want = g, mapName, leaf, &lane.Want{}
		e.submit(i, &reads[i])
	}
}

type leafRead struct {
	read
	gather  *gather
	mapName string
	leaf    uint16
	rows    []Row

	pins pins
	want *lane.Want // what the store has
	err  error
}

// Step implements lane.Task.
func (l *leafRead) Step(v *lane.View) {
	if !v.Settled() {
		return
	}
	m := v.Shared().Find(l.mapName)
	if m == nil {
		return
	}
	first := uint32(l.leaf) << 20
	last := first | (1<<20 - 1)
	if l.err = l.want.Err; l.err != nil || l.ask(v, m, [2]uint32{first, last}) {
		return
	}
	stored := l.want.Rows
	v.Replicas(func(r *records.Replica) bool {
		n := 0
		for n < len(stored) && stored[n].Partition == r.ID {
			n++
		}
		l.err = r.Overlay(m, record.Cursor{Hash: first}, endOf(last), stored[:n], func(row records.Row) bool {
			l.rows = append(l.rows, ownedRow(row))
			return true
		})
		stored = stored[n:]
		return l.err == nil
	})
}

// ask has the store read what it has of the leaf, and reports whether it has to:
// where a table that was not asked for has records in the store only. It may have
// left them there while the others were read.
func (l *leafRead) ask(v *lane.View, m *records.Map, hashes [2]uint32) (waits bool) {
	want := &lane.Want{}
	v.Replicas(func(r *records.Replica) bool {
		t := r.Table(m)
		if t == nil || t.Full() {
			return true
		}
		if !slices.Contains(l.pins, t) {
			l.pins.add(t)
			waits = true
		}
		want.Ranges = append(want.Ranges, backing.HashRange(0, m.Name, r.ID, hashes))
		return true
	})
	if waits {
		l.want = want
		v.Fetch(want)
	}
	return waits
}

// endOf is the place behind all keys with a hash.
func endOf(h uint32) record.Cursor { return record.Cursor{Hash: h, Last: true} }

// Release implements lane.Task.
func (l *leafRead) Release(err error) {
	l.pins.drop()
	l.gather.release(errors.Join(err, unread(l.err)))
}

// Place is where a scan of one lane stands: all partitions before Partition are
// done, and Partition up to Cursor. The zero Place is the beginning.
type Place struct {
	Partition partition.ID
	Cursor    record.Cursor
	Done      bool

	// took is how long the lane worked on the last slice, and worked on all.
	took, worked time.Duration
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

	// Looked is how many records were looked at.
	Looked int

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

// undisturbed is how long a lane works on a scan before there are breaks between
// its slices.
const undisturbed = 10 * time.Millisecond

// Scan reads a slice of a map on one lane. In a scan that is long a break comes
// before: somebody waits for the scan, so it is a short one.
func (e *Engine) Scan(req ScanRequest) {
	t := &scanRead{req: req, clock: e.wall}
	if req.From.worked <= undisturbed {
		e.submit(req.Lane, t)
		return
	}
	e.Breaks.take(req.From.took/4, func() { e.submit(req.Lane, t) })
}

type scanRead struct {
	read
	req   ScanRequest
	clock clock.Clock
	took  time.Duration

	rows []Row
	next Place

	looked int

	pins pins
	want *lane.Want // what the store has behind place
	at   Place
	err  error
}

// Step implements lane.Task.
func (s *scanRead) Step(v *lane.View) {
	began := s.clock.Now()
	s.look(v)
	s.took += s.clock.Now().Sub(began)
}

// look reads the slice. It ends where a second table comes that has records in
// the store only: all of a slice is read in one step, so that it has one place in
// the stream of changes.
func (s *scanRead) look(v *lane.View) {
	if !v.Settled() {
		return
	}
	s.next = Place{Done: true}
	m := v.Shared().Find(s.req.Map)
	if m == nil {
		return
	}
	if s.want != nil && s.want.Err != nil {
		s.err = s.want.Err
		return
	}
	budget := s.req.Budget
	v.Replicas(func(r *records.Replica) bool {
		from := s.req.From
		if r.ID < from.Partition || r.Table(m) == nil {
			return true
		}
		place := Place{Partition: r.ID}
		if r.ID == from.Partition {
			place = from
		}
		if r.Table(m).Full() {
			budget = s.slice(r, m, place.Cursor, record.End, nil, budget)
			return s.next.Done && s.err == nil
		}
		switch {
		case s.want != nil && s.at == place:
			budget = s.slice(r, m, place.Cursor, s.reach(), s.want.Rows, budget)
			if s.want.More && s.next.Done {
				s.next = Place{Partition: r.ID, Cursor: s.reach()}
			}
			return s.next.Done && s.err == nil
		case s.want == nil && budget == s.req.Budget:
			s.ask(v, r, m, place)
		default:
			s.next = place
		}
		return false
	})
	s.looked = s.req.Budget - budget
}

// ask has the store read what it has behind a place. The first row may be the one
// that the place is behind.
func (s *scanRead) ask(v *lane.View, r *records.Replica, m *records.Map, place Place) {
	s.pins.add(r.Table(m))
	rng := backing.PartitionRange(0, m.Name, r.ID)
	rng.From.Hash, rng.From.Key = place.Cursor.Hash, place.Cursor.Key
	s.at = place
	s.want = &lane.Want{Ranges: []backing.Range{rng}, Limit: s.req.Budget + 1}
	v.Fetch(s.want)
}

// reach is how far the rows of the store tell what there is.
func (s *scanRead) reach() record.Cursor {
	if !s.want.More {
		return record.End
	}
	last := &s.want.Rows[len(s.want.Rows)-1]
	return record.Cursor{Hash: last.Hash, Key: last.Key.Key, After: true}
}

// slice reads records of one partition until the budget is spent, and returns
// what is left of it.
func (s *scanRead) slice(r *records.Replica, m *records.Map, from, to record.Cursor, stored []backing.Row, budget int) int {
	s.err = r.Overlay(m, from, to, stored, func(row records.Row) bool {
		if budget == 0 {
			s.next = Place{Partition: r.ID, Cursor: record.Cursor{Hash: row.Hash, Key: strings.Clone(row.Key)}}
			return false
		}
		budget--
		if s.req.Keep == nil || s.req.Keep(row.Key, row.State) {
			s.rows = append(s.rows, ownedRow(row))
		}
		return true
	})
	return budget
}

// Release implements lane.Task.
func (s *scanRead) Release(err error) {
	s.pins.drop()
	s.next.took, s.next.worked = s.took, s.req.From.worked+s.took
	s.req.To.Mark(Slice{
		Scan: s.req.Scan, Lane: s.req.Lane, Rows: s.rows, Next: s.next, Looked: s.looked, Err: errors.Join(err, unread(s.err)),
	})
}

// pins are tables that must keep what they have while the store is read.
type pins []*record.Table

func (p *pins) add(t *record.Table) {
	t.Pin()
	*p = append(*p, t)
}

func (p *pins) drop() {
	for _, t := range *p {
		t.Unpin()
	}
	*p = nil
}

// unread is the transient error of a read that the store did not answer.
func unread(err error) error {
	if err == nil || errors.Is(err, lane.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: read the store: %w", lane.ErrUnavailable, err)
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
func (f *fence) Step(v *lane.View) { v.Settled() }

// Release implements lane.Task.
func (f *fence) Release(error) { f.to.Mark(f.v) }

// bytesOf views an immutable string as bytes that nobody may modify.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
