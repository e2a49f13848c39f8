package records

import (
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// maxState bounds the encoded state of one key: 16 MiB. Only OR keys and
// counters grow; a frame bounds everything else.
const maxState = 16 << 20

// Replica is one partition on this node; see the package comment.
type Replica struct {
	ID    partition.ID
	Epoch uint32

	seq    uint64
	shared *Shared
	tables map[*Map]*record.Table
	loads  int

	// horizon is the time before which tombstones may be gone; see reclaim.go.
	horizon int64

	// kept is the last position that the store has durably, and away the sums of
	// the keys that are only there, negated, by map.
	kept    uint64
	away    map[*Map]*merkle.Tree
	leaving []mapKey // removed here, and on the way to be in the store

	// before is where a stored state is put together, scratch where the next one
	// is built before the table copies it, delta where parts of it are.
	before, scratch, delta []byte
}

// NewReplica makes the empty replica of a partition.
func NewReplica(id partition.ID, shared *Shared) *Replica {
	return &Replica{ID: id, Epoch: 1, shared: shared, tables: map[*Map]*record.Table{}, away: map[*Map]*merkle.Tree{}}
}

// Seq is the position of the last change.
func (r *Replica) Seq() uint64 { return r.seq }

// Table returns the records of a map, nil when there are none.
func (r *Replica) Table(m *Map) *record.Table { return r.tables[m] }

// Map is the map of a name as the replica's lane sees it, nil when no record of
// it was ever seen there.
func (r *Replica) Map(name string) *Map { return r.shared.Find(name) }

// Step carries out one operation, adding what it changed to fx.
func (r *Replica) Step(now Time, op *Op, fx *Effects) Result {
	m, err := r.shared.open(op.Map, op.Kind)
	if err != nil {
		return Result{Status: Refused, Err: err}
	}
	t := r.open(m)
	if !t.Full() && r.mustAsk(t, op) {
		return Result{Status: Asks}
	}
	switch op.Verb {
	case change.Put, change.Remove:
		return r.write(now, m, t, op, fx)
	case change.Add:
		return r.add(now, m, t, op, fx)
	case change.Drop:
		return r.drop(now, m, t, op, fx)
	case change.Merge:
		return r.merge(now, m, t, op, fx)
	default:
		return Result{Status: Refused, Err: ErrInvalid}
	}
}

func (r *Replica) open(m *Map) *record.Table {
	t := r.tables[m]
	if t == nil {
		t = r.shared.pool.NewTable(wordOf(m.Kind))
		r.tables[m] = t
		if m.evictable() {
			r.shared.tables = append(r.shared.tables, held{r, m, t})
		}
	}
	return t
}

// awaySums are the negated sums of the keys of a map that are only in the store.
func (r *Replica) awaySums(m *Map) *merkle.Tree {
	t := r.away[m]
	if t == nil {
		t = &merkle.Tree{}
		r.away[m] = t
	}
	return t
}

// wordOf is where states of a kind have the text that many of them share: the
// node of a last-writer-wins record.
func wordOf(kind change.Kind) int {
	if kind == change.KindLWW {
		return crdt.LWWNode
	}
	return -1
}

// stored looks a key up. The state is a view that ends with the next change.
func (r *Replica) stored(t *record.Table, op *Op) (e record.Entry, state string, known bool) {
	e, known = t.GetNear(op.Near, op.Hash, op.Key)
	if known {
		state = e.StateView(&r.before)
	}
	return e, state, known
}

// write merges a last-writer-wins record.
func (r *Replica) write(now Time, m *Map, t *record.Table, op *Op, fx *Effects) Result {
	e, before, known := r.stored(t, op)
	ts := op.TS
	if op.Verb == change.Remove && ts.IsZero() {
		ts = now.Stamp(latest(fx.Seen, before))
	}
	if ts.Millis > now.Sys-hlc.MaxDrift {
		if stamp, ok := r.restamped(m, op, ts); ok {
			return r.restampedAgain(t, op, stamp)
		}
	}
	var original hlc.Timestamp
	if hlc.Ahead(now.Sys, ts) {
		// What came before from the same writer may be ahead of the clock too,
		// if by less; the new timestamp is later than that.
		original, ts = ts, now.Stamp(latest(fx.Seen, before))
	}
	if !known && r.tooOld(ts.Millis) {
		return Result{Status: Refused, Err: ErrStale}
	}
	if !accepts(before, ts) {
		return Result{Status: Unchanged}
	}
	if op.Check != nil {
		if err := checkLWW(op, before); err != nil {
			return Result{Status: Refused, Err: err}
		}
	}
	if !original.IsZero() && !r.rememberRestamp(now, m, op, original, ts) {
		return Result{Status: Refused, Err: ErrBusy}
	}
	fx.saw(ts)
	rec := crdt.LWW{Value: op.Value, TS: ts, TTL: op.TTL}
	r.scratch = crdt.AppendLWW(r.scratch[:0], rec)
	c := r.record(now, m, op, before, stringOf(r.scratch))
	c.Original = original
	e = r.put(m, t, op, e, known, r.scratch, now)
	m.setSum(e, crdt.LWWHash(op.Key, ts))
	r.scheduleLWW(m, op.Hash, rec, e.Arrival())
	fx.Log = append(fx.Log, c)
	if mistake.LoseDeletion && op.Verb == change.Remove {
		r.forget(m, t, e, nil, r.seq)
	}
	return Result{Status: Applied, Restamped: !original.IsZero(), Stamp: ts, Stored: c.After}
}

// accepts reports whether a record with timestamp ts replaces a stored state.
func accepts(stored string, ts hlc.Timestamp) bool {
	switch c := crdt.AcceptLWW(stored, ts); {
	case c > 0:
		return true
	case c == 0:
		return mistake.EmitAgain
	default:
		return mistake.ArrivalWins || mistake.TieByArrival && tie(stored, ts)
	}
}

func tie(stored string, ts hlc.Timestamp) bool {
	rec, err := crdt.ParseLWW(stored)
	return err == nil && rec.TS.Millis == ts.Millis && rec.TS.Counter == ts.Counter
}

// latest is the later of a timestamp and that of a stored state.
func latest(seen hlc.Timestamp, stored string) hlc.Timestamp {
	if rec, err := crdt.ParseLWW(stored); err == nil && hlc.Compare(rec.TS, seen) > 0 {
		return rec.TS
	}
	return seen
}

func checkLWW(op *Op, before string) error {
	var old value.Raw
	if before != "" {
		was, err := crdt.ParseLWW(before)
		if err != nil {
			return err
		}
		old = was.Value
	}
	action := actionOf(op.Verb)
	return op.Check.Allow(action, op.Key, old, op.Value)
}

// add merges one record of an observed-remove map.
func (r *Replica) add(now Time, m *Map, t *record.Table, op *Op, fx *Effects) Result {
	rec := crdt.ORRecord{Tag: op.Tag, Value: op.Value, TS: op.TS, TTL: op.TTL, HasTTL: op.HasTTL}
	e, state, known := r.stored(t, op)
	if op.Check != nil {
		if err := op.Check.Allow(actionOf(op.Verb), op.Key, nil, op.Value); err != nil {
			return Result{Status: Refused, Err: err}
		}
	}
	next, prev, changed, err := crdt.ORState(state).Add(r.scratch[:0], rec)
	if err != nil {
		return Result{Status: Refused, Err: err}
	}
	r.scratch = next
	if !changed {
		return Result{Status: Unchanged}
	}
	if prev.Tag == "" && r.tooOldTag(op.Tag, op.TS.Millis, op.Since) {
		return Result{Status: Refused, Err: ErrStale}
	}
	if len(next) > maxState {
		return Result{Status: Refused, Err: ErrTooLarge}
	}
	if !hlc.Ahead(now.Sys, op.TS) {
		fx.saw(op.TS)
	}
	before := ""
	if prev.Tag != "" {
		before = r.orDelta(prev)
	}
	c := r.record(now, m, op, before, r.orDelta(rec))
	r.whole(m, &c, state, next)
	fx.Log = append(fx.Log, c)
	e = r.put(m, t, op, e, known, next, now)
	r.shared.ends.add(m.end(op.TS.Millis, op.TTL, e.Arrival()), slot{m.number, op.Hash})
	m.touch(t, e)
	return Result{Status: Applied}
}

// drop removes one tag of an observed-remove map. A tag that was never seen
// leaves its tombstone, so that its addition, when it comes, stays removed.
func (r *Replica) drop(now Time, m *Map, t *record.Table, op *Op, fx *Effects) Result {
	e, state, known := r.stored(t, op)
	next, removed, live, changed, err := crdt.ORState(state).Remove(r.scratch[:0], op.Tag, now.Arrival.Millis)
	if err != nil {
		return Result{Status: Refused, Err: err}
	}
	r.scratch = next
	if !changed || !live && mistake.LoseTombstone {
		return Result{Status: Unchanged}
	}
	if !live && r.tooOldTag(op.Tag, never, 0) {
		return Result{Status: Refused, Err: ErrStale}
	}
	if len(next) > maxState {
		return Result{Status: Refused, Err: ErrTooLarge}
	}
	if op.Check != nil {
		if err := op.Check.Allow(actionOf(op.Verb), op.Key, removed.Value, nil); err != nil {
			return Result{Status: Refused, Err: err}
		}
	}
	before := ""
	if live {
		before = r.orDelta(removed)
	}
	delta, _, _, _, err := crdt.ORState("").Remove(r.delta[:0], op.Tag, now.Arrival.Millis)
	if err != nil {
		return Result{Status: Refused, Err: err}
	}
	r.delta = delta
	c := r.record(now, m, op, before, stringOf(delta))
	r.whole(m, &c, state, next)
	fx.Log = append(fx.Log, c)
	e = r.put(m, t, op, e, known, next, now)
	r.scheduleDeath(m, op.Hash, op.Tag, now.Arrival.Millis)
	m.touch(t, e)
	return Result{Status: Applied}
}

// whole adds the whole states of a set to its change, for those who watch.
func (r *Replica) whole(m *Map, c *change.Record, before string, after []byte) {
	if r.shared.Kinds.isWatched(m.Name) {
		c.WholeBefore, c.Whole = strings.Clone(before), string(after)
	}
}

// orDelta is the state of a set that holds nothing but rec.
func (r *Replica) orDelta(rec crdt.ORRecord) string {
	b, _, _, err := crdt.ORState("").Add(r.delta[:0], rec)
	if err != nil {
		// rec was accepted by, or read from, a valid state.
		panic("records: " + err.Error())
	}
	r.delta = b
	return string(b)
}

// merge merges a PN counter.
func (r *Replica) merge(now Time, m *Map, t *record.Table, op *Op, fx *Effects) Result {
	e, before, known := r.stored(t, op)
	next, changed, err := crdt.CounterState(before).Merge(r.scratch[:0], op.Counter)
	if err != nil {
		return Result{Status: Refused, Err: err}
	}
	r.scratch = next
	if !changed {
		return Result{Status: Unchanged}
	}
	if len(next) > maxState {
		return Result{Status: Refused, Err: ErrTooLarge}
	}
	if op.Check != nil {
		if err := op.Check.Allow(actionOf(op.Verb), op.Key, nil, nil); err != nil {
			return Result{Status: Refused, Err: err}
		}
	}
	fx.Log = append(fx.Log, r.record(now, m, op, before, stringOf(next)))
	r.put(m, t, op, e, known, next, now)
	return Result{Status: Applied}
}

// put stores a state under the next position and marks it for the checkpoint.
func (r *Replica) put(m *Map, t *record.Table, op *Op, e record.Entry, known bool, state []byte, now Time) record.Entry {
	if len(m.indexes) > 0 {
		before := ""
		if known {
			before = e.StateView(&r.before)
		}
		m.reindex(op.Hash, op.Key, before, stringOf(state))
	}
	if known {
		e = t.Update(e, state)
	} else {
		e = t.Put(op.Hash, op.Key, state)
		if m.hashed() {
			m.tree.Update(op.Hash, 0, 0, 1)
		}
	}
	r.seq++
	arrival := PackArrival(now.Arrival)
	if known && endsTag(op.Verb, op.Author) {
		arrival = e.Arrival()
	}
	e.SetPlace(r.seq, arrival)
	e.Touch(now.Seconds())
	r.markDirty(m, e)
	return e
}

// record describes the change that put will make. What it says of the key and
// its states is a copy, in one piece of memory.
func (r *Replica) record(now Time, m *Map, op *Op, before, after string) change.Record {
	b := make([]byte, 0, len(op.Key)+len(before)+len(after))
	b = append(b, op.Key...)
	b = append(b, before...)
	all := stringOf(append(b, after...))
	k, n := len(op.Key), len(op.Key)+len(before)
	return change.Record{
		Pos: change.Position{Partition: r.ID, Epoch: r.Epoch, Seq: r.seq + 1},
		Map: m.Name, Key: all[:k], KeyHash: op.Hash, Kind: m.Kind, Verb: op.Verb, Tag: strings.Clone(op.Tag),
		Before: all[k:n], After: all[n:],
		Arrival: now.Arrival, Author: op.Author, Request: op.Request,
	}
}
