package records

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Loads counts how often the replica was dropped.
func (r *Replica) Loads() int { return r.loads }

// InstallRow takes a row from the store into an empty replica. The row's state
// is copied.
func (r *Replica) InstallRow(row backing.Row) error {
	kind := change.Kind(row.Kind)
	if err := validate(kind, row.State); err != nil {
		return fmt.Errorf("map %q, key %q: %w", row.Map, row.Key.Key, err)
	}
	m, err := r.shared.open(row.Map, kind)
	if err != nil {
		return fmt.Errorf("map %q, key %q is a record of a %s: %w", row.Map, row.Key.Key, kind, err)
	}
	t := r.open(m)
	if len(m.indexes) > 0 {
		m.reindex(row.Hash, row.Key.Key, "", stringOf(row.State))
	}
	r.seq = max(r.seq, row.Seq)
	r.installed(m, row.Hash, row.Arrival, row.State)
	if m.evictable() && !r.shared.roomAtStart() {
		r.leave(m, t, row.Hash, entrySum(m.Kind, row.Key.Key, stringOf(row.State)))
		return nil
	}
	e := t.Put(row.Hash, row.Key.Key, row.State)
	e.SetPlace(row.Seq, row.Arrival)
	r.sum(m, t, e, row.State, true)
	return nil
}

// leave notes a key that is in the store and stays there.
func (r *Replica) leave(m *Map, t *record.Table, hash, sum uint32) {
	t.AddAway(hash)
	m.tree.Update(hash, 0, sum, 1)
	r.awaySums(m).Update(hash, sum, 0, -1)
}

// Advance sets the position that the store's checkpoint reaches.
func (r *Replica) Advance(epoch uint32, seq uint64) {
	r.Epoch = max(r.Epoch, epoch)
	r.seq = max(r.seq, seq)
	r.kept = max(r.kept, seq)
}

// InstallRecord takes a change from the log. A change that the key's state
// already covers is skipped, so replay may begin anywhere before the end of the
// checkpoint.
func (r *Replica) InstallRecord(c *change.Record) error {
	if c.Verb == change.Forget {
		return r.installForget(c)
	}
	if err := validate(c.Kind, bytesOf(c.After)); err != nil {
		return fmt.Errorf("map %q, key %q at %s: %w", c.Map, c.Key, c.Pos, err)
	}
	m, err := r.shared.open(c.Map, c.Kind)
	if err != nil {
		return fmt.Errorf("map %q, key %q at %s is a record of a %s: %w", c.Map, c.Key, c.Pos, c.Kind, err)
	}
	r.seq = max(r.seq, c.Pos.Seq)
	if err := r.InstallRestamp(c); err != nil {
		return err
	}
	t := r.open(m)
	if err := r.fetch(m, t, c.KeyHash, c.Key); err != nil {
		return err
	}
	e, known := t.Get(c.KeyHash, c.Key)
	old := ""
	if known {
		if e.Seq() >= c.Pos.Seq {
			return nil
		}
		old = e.StateView(&r.before)
	}
	next, err := r.after(c, old)
	if err != nil {
		return fmt.Errorf("map %q, key %q at %s: %w", c.Map, c.Key, c.Pos, err)
	}
	if len(m.indexes) > 0 {
		m.reindex(c.KeyHash, c.Key, old, stringOf(next))
	}
	if known {
		e = t.Update(e, next)
	} else {
		e = t.Put(c.KeyHash, c.Key, next)
	}
	arrival := PackArrival(c.Arrival)
	if known && endsTag(c.Verb, c.Author) {
		arrival = e.Arrival()
	}
	e.SetPlace(c.Pos.Seq, arrival)
	r.markDirty(m, e)
	r.sum(m, t, e, next, !known)
	r.installed(m, e.Hash(), e.Arrival(), next)
	return nil
}

// InstallRestamp takes from a logged change only the memory that its write was
// re-stamped, if it was.
func (r *Replica) InstallRestamp(c *change.Record) error {
	if c.Original.IsZero() {
		return nil
	}
	rec, err := crdt.ParseLWW(c.After)
	if err != nil {
		return fmt.Errorf("map %q, key %q at %s: %w", c.Map, c.Key, c.Pos, err)
	}
	r.putRestamp(c.Map, c.Key, c.KeyHash, c.Original, rec.TS, c.Pos.Seq)
	return nil
}

// after is the state that a logged change leaves.
func (r *Replica) after(c *change.Record, old string) ([]byte, error) {
	if c.Kind != change.KindOR {
		return bytesOf(c.After), nil
	}
	next, _, err := crdt.ORState(old).Merge(r.scratch[:0], crdt.ORState(c.After))
	if err == nil {
		r.scratch = next
	}
	return next, err
}

// sum brings the Merkle tree up to an installed entry and its state.
func (r *Replica) sum(m *Map, t *record.Table, e record.Entry, state []byte, isNew bool) {
	if !m.hashed() {
		return
	}
	if isNew {
		m.tree.Update(e.Hash(), 0, 0, 1)
	}
	if m.Kind == change.KindOR {
		m.touch(t, e)
		return
	}
	m.setSum(e, entrySum(m.Kind, e.KeyView(), stringOf(state)))
}

// Drop forgets everything the replica holds, and takes it out of the trees.
func (r *Replica) Drop() {
	for m, t := range r.away {
		t.AddTo(&m.tree)
	}
	clear(r.away)
	s := r.shared
	s.tables = slices.DeleteFunc(s.tables, func(h held) bool { return h.r == r })
	s.turn = [2]held{}
	for m, t := range r.tables {
		if m.hashed() {
			m.settle()
			t.Ascend(record.Cursor{}, ^uint32(0), func(e record.Entry) bool {
				m.tree.Update(e.Hash(), e.Sum(), 0, -1)
				return true
			})
		}
		m.unindex(t)
		t.Clear()
	}
	clear(r.tables)
	s.forgetUnsaved(r)
	r.leaving = nil
	r.kept = 0
	r.seq, r.horizon = 0, 0
	r.loads++
}

func entrySum(kind change.Kind, key, state string) uint32 {
	switch kind {
	case change.KindLWW:
		return crdt.LWWHashOf(key, state)
	case change.KindOR:
		return crdt.ORState(state).Hash(key)
	default:
		return 0
	}
}

func validate(kind change.Kind, state []byte) error {
	s := stringOf(state)
	switch kind {
	case change.KindLWW:
		return crdt.ValidateLWW(s)
	case change.KindOR:
		return crdt.ORState(s).Validate()
	case change.KindCounter:
		return crdt.CounterState(s).Validate()
	case change.KindRestamp:
		_, _, err := parseRestamp(s)
		return err
	case change.KindHorizon:
		_, err := parseHorizon(s)
		return err
	default:
		return fmt.Errorf("%w: unknown kind %d", crdt.ErrCorrupt, kind)
	}
}

// PackArrival is a timestamp in the form that entries and rows keep: the
// milliseconds in the upper 48 bits, the counter, at most 65535, in the lower 16.
func PackArrival(t hlc.Timestamp) uint64 {
	return uint64(t.Millis)<<16 | uint64(min(t.Counter, 1<<16-1))
}

func actionOf(v change.Verb) policy.Action {
	if v == change.Remove || v == change.Drop {
		return policy.ActionRemove
	}
	return policy.ActionWrite
}

// bytesOf views an immutable string as bytes that nobody may modify.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringOf views bytes as a string, which changes when they do.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
