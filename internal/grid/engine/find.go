package engine

import (
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/access"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// FindRequest asks one lane for the next records that a query may want, by the
// cheapest of its paths.
type FindRequest struct {
	Map  string
	Lane int

	// Paths are the ways to go, see access.Paths. The lane chooses one at the
	// first request and keeps to it.
	Paths []access.Path

	// Wanted is how many rows are enough on an ordered path, 0 for all.
	Wanted int

	// From is where the last answer ended; the zero FoundAt is the beginning.
	From FoundAt

	// Budget is the most records looked at before the answer.
	Budget int

	// Keep decides which records are wanted. It runs on the lane.
	Keep func(key, state string) bool

	// Find comes back in the answer.
	Find any

	// To receives the answer, a Found, as a mark.
	To *feed.Inbox
}

// FoundAt is a place on a path.
type FoundAt struct {
	Begun bool
	Path  access.Path
	Part  int // of the path, or how many of its keys are done
	At    index.Cursor
	Kept  int // wanted rows so far

	// Done is set at the end of the path; Enough when it was left before that,
	// because Wanted rows were found.
	Done, Enough bool
}

// Found is the answer to a FindRequest.
type Found struct {
	Find any
	Lane int
	Rows []Row
	Next FoundAt

	// Estimates are those of the choice, in the first answer. When the cheapest
	// reads the whole map there are no rows, and the path is to be taken with
	// Scan.
	Estimates []access.Estimate

	// Looked is how many records were looked at.
	Looked int

	Err error
}

// Covers reports whether the records read up to a place contain the present
// record of a key, value being that of its state: it lies on the path, at or
// before the place.
func (p *FoundAt) Covers(key, state string) bool {
	if p.Done && !p.Enough || !p.Begun {
		return p.Done
	}
	if p.Path.HasKeys {
		// Whatever else matches was not among them when they were listed: it has
		// changed since, or is another lane's.
		_, ahead := slices.BinarySearch(p.Path.Keys[p.Part:], key)
		return !ahead
	}
	for i, part := range p.Path.Parts[:min(p.Part+1, len(p.Path.Parts))] {
		at := index.Cursor{Done: true}
		if i == p.Part {
			at = p.At
		}
		if index.New(part.Index).Covers(part.Range, at, key, records.ValueOf(state)) {
			return true
		}
	}
	return false
}

// before reports whether an earlier part of the path has led to a record: it is
// not found twice.
func (p *FoundAt) before(part int, key, state string) bool {
	for _, earlier := range p.Path.Parts[:part] {
		if index.New(earlier.Index).Covers(earlier.Range, index.Cursor{Done: true}, key, records.ValueOf(state)) {
			return true
		}
	}
	return false
}

// Find looks for records on one lane.
func (e *Engine) Find(req FindRequest) {
	e.submit(req.Lane, &findRead{req: req})
}

type findRead struct {
	read
	req   FindRequest
	found Found
	pins  pins
	err   error
}

// counts is what a lane knows of a map.
type counts struct {
	v *lane.View
	m string
	n int
}

// Records implements access.Counts.
func (c *counts) Records() int { return c.n }

// Entries implements access.Counts.
func (c *counts) Entries(d index.Definition, r index.Range) (n int, whole, ok bool) {
	x := c.v.Shared().Index(d)
	if x == nil || !x.Complete() {
		return 0, false, false
	}
	return x.Count(r), x.Whole(), true
}

// candidate is a record that the path leads to.
type candidate struct {
	key   string
	hash  uint32
	entry []byte // nil when the key was asked for
}

// Step implements lane.Task. It looks first at which records it needs, and at
// the records when all of them are in memory.
func (f *findRead) Step(v *lane.View) {
	if !v.Settled() {
		return
	}
	f.found, f.err = Found{Next: f.req.From}, nil
	at := &f.found.Next
	if !at.Begun {
		c := &counts{v: v, m: f.req.Map, n: count(v, f.req.Map)}
		f.found.Estimates = access.Choose(f.req.Paths, c, f.req.Wanted)
		at.Begun, at.Path = true, f.found.Estimates[0].Path
		if at.Path.Whole() {
			return
		}
		if len(at.Path.And) > 0 {
			at.Path = meet(v, at.Path)
		}
	}
	part := at.Part
	list, x, ok := f.candidates(v)
	if !ok {
		f.err = lane.ErrUnavailable // the index went meanwhile: the query begins anew
		return
	}
	f.look(v, list, part, x)
}

// meet lists the keys on which both of the paths that have to be taken lead to a
// record. They are as many as MaxIntersect at most, and complete: the choice has
// just seen them.
func meet(v *lane.View, p access.Path) access.Path {
	on := func(p access.Path, fn func(key string)) {
		for _, part := range p.Parts {
			v.Shared().Index(part.Index).Read(part.Range, index.Cursor{}, func(key string, _ []byte) bool {
				fn(key)
				return true
			})
		}
	}
	first := map[string]bool{}
	on(p.And[0], func(key string) { first[key] = true })
	out := access.Path{HasKeys: true}
	on(p.And[1], func(key string) {
		if first[key] {
			delete(first, key)
			out.Keys = append(out.Keys, key)
		}
	})
	slices.Sort(out.Keys)
	return out
}

// candidates are the next records on the path, up to the budget, and moves the
// place behind them.
func (f *findRead) candidates(v *lane.View) (list []candidate, x *records.LaneIndex, ok bool) {
	at := &f.found.Next
	if at.Path.HasKeys {
		for at.Part < len(at.Path.Keys) && len(list) < f.req.Budget {
			list = append(list, candidate{key: at.Path.Keys[at.Part]})
			at.Part++
		}
		at.Done = at.Part == len(at.Path.Keys)
		return list, nil, true
	}
	part := at.Path.Parts[at.Part]
	if x = v.Shared().Index(part.Index); x == nil || !x.Complete() {
		return nil, nil, false
	}
	left := f.req.Budget
	if at.Path.Ordered && f.req.Wanted > 0 {
		left = min(left, max(f.req.Wanted-at.Kept, 1)) // so that it may end there
	}
	at.At = x.Read(part.Range, at.At, func(key string, entry []byte) bool {
		list = append(list, candidate{key: key, entry: append([]byte(nil), entry...)})
		left--
		return left > 0
	})
	if at.At.Done {
		if at.Part++; at.Part == len(at.Path.Parts) {
			at.Done = true
		} else {
			at.At = index.Cursor{}
		}
	}
	return list, x, true
}

// look reads the records, when all of them are in memory: an answer has one place
// in the stream of changes. Those that are not are brought, and the task is
// stepped again.
func (f *findRead) look(v *lane.View, list []candidate, part int, x *records.LaneIndex) {
	at := &f.found.Next
	wait := false
	for i := range list {
		c := &list[i]
		if c.hash = hash.Key(c.key); v.Replica(partition.Of(c.hash)) != nil {
			_, _, waits := v.Get(f.req.Map, c.hash, c.key)
			wait = wait || waits
		}
	}
	if wait {
		f.pin(v, list)
		return
	}
	var buf []byte
	for _, c := range list {
		if v.Replica(partition.Of(c.hash)) == nil {
			continue // another lane's: a key that was asked for
		}
		f.found.Looked++
		e, ok, _ := v.Get(f.req.Map, c.hash, c.key)
		state := ""
		if ok {
			e.Touch(v.Now().Seconds())
			state = e.StateView(&buf)
		}
		if c.entry != nil && !x.Holds(c.entry, c.key, records.ValueOf(state)) {
			// What a partition had that was loaded again while the store had the
			// record, or a change of the store's.
			x.Forget(c.entry)
			continue
		}
		if !ok || c.entry != nil && at.before(part, c.key, state) || !f.req.Keep(c.key, state) {
			continue
		}
		f.found.Rows = append(f.found.Rows, Row{c.hash, strings.Clone(c.key), strings.Clone(state), e.Arrival()})
		at.Kept++
	}
	if at.Path.Ordered && f.req.Wanted > 0 && at.Kept >= f.req.Wanted && !at.Done {
		at.Done, at.Enough = true, true
	}
}

// pin keeps what is there, and what is brought, until all of it is: memory that
// has room for less would never have it together.
func (f *findRead) pin(v *lane.View, list []candidate) {
	m := v.Shared().Find(f.req.Map)
	if m == nil || len(f.pins) > 0 {
		return
	}
	seen := map[partition.ID]bool{}
	for i := range list {
		id := partition.Of(list[i].hash)
		r := v.Replica(id)
		if r == nil || seen[id] {
			continue
		}
		seen[id] = true
		if t := r.Table(m); t != nil {
			f.pins.add(t)
		}
	}
}

// Release implements lane.Task.
func (f *findRead) Release(err error) {
	f.pins.drop()
	if err == nil {
		err = f.err
	}
	f.found.Find, f.found.Lane, f.found.Err = f.req.Find, f.req.Lane, err
	f.req.To.Mark(f.found)
}
