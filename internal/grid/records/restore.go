package records

import (
	"errors"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// ErrLost means that the store does not have what it must have: a record that
// was left to it.
var ErrLost = errors.New("records: the store lacks a record that was left to it")

// mapKey is a key of a map.
type mapKey struct {
	m    *Map
	hash uint32
	key  string
}

// Keep notes that every change up to seq is durable in the store, and so is
// every removal that was collected.
func (r *Replica) Keep(seq uint64) {
	r.kept = max(r.kept, seq)
	keep := r.leaving[:0]
	for _, k := range r.leaving {
		if t := r.tables[k.m]; t.Pinned() {
			keep = append(keep, k)
		} else {
			t.Forget(k.hash, k.key)
		}
	}
	clear(r.leaving[len(keep):])
	if r.leaving = keep; len(keep) == 0 {
		r.leaving = nil
	}
}

// Unkept reports whether there are changes that the store does not have yet.
func (r *Replica) Unkept() bool { return r.seq > r.kept }

// Asks reports whether the store has to be asked before anything can be said
// about a key. asked says that it was, and that what it had was restored.
func (r *Replica) Asks(m *Map, hash uint32, key string, asked bool) bool {
	t := r.tables[m]
	return t != nil && !t.Full() && asks(t, hash, key, asked)
}

// mustAsk is asks for an operation; it counts those on keys that are new for
// sure.
func (r *Replica) mustAsk(t *record.Table, op *Op) bool {
	switch t.Find(op.Hash, op.Key) {
	case record.Hollow:
		return true
	case record.Unknown:
		return !op.Asked
	case record.Absent:
		r.shared.Stats.Avoided.Add(1)
	}
	return false
}

func asks(t *record.Table, hash uint32, key string, asked bool) bool {
	switch t.Find(hash, key) {
	case record.Hollow:
		return true
	case record.Unknown:
		return !asked
	default:
		return false
	}
}

// Restore takes a key back from the store; row is nil when the store has no such
// key. What changed here meanwhile stays. It is no change: trees, positions and
// what is dirty stay as they are. It fails with ErrLost, or with an error
// matching crdt.ErrCorrupt, when the row is not what was left to the store.
func (r *Replica) Restore(m *Map, hash uint32, key string, row *backing.Row, sec uint32) error {
	t := r.tables[m]
	if t == nil {
		return nil
	}
	switch t.Find(hash, key) {
	case record.Hollow:
		return r.fill(t, hash, key, row, sec)
	case record.Unknown:
		if row == nil {
			return nil
		}
		if err := checkRow(m, row); err != nil {
			return err
		}
		e := t.Put(hash, key, row.State)
		t.ComeBack()
		e.SetPlace(row.Seq, row.Arrival)
		e.SetUsed(sec)
		if m.hashed() {
			e.SetSum(entrySum(m.Kind, key, stringOf(row.State)))
		}
		r.awaySums(m).Update(hash, 0, e.Sum(), 1)
	}
	return nil
}

// fetch restores a key during a replay, which waits for the store.
func (r *Replica) fetch(m *Map, t *record.Table, hash uint32, key string) error {
	if t.Full() || !asks(t, hash, key, false) {
		return nil
	}
	row, found, err := r.shared.Load(backing.Key{Map: m.Name, Partition: r.ID, Hash: hash, Key: key})
	if err != nil {
		return fmt.Errorf("load map %q, key %q: %w", m.Name, key, err)
	}
	if !found {
		return r.Restore(m, hash, key, nil, 0)
	}
	return r.Restore(m, hash, key, &row, 0)
}

// fill gives a hollow entry its state back.
func (r *Replica) fill(t *record.Table, hash uint32, key string, row *backing.Row, sec uint32) error {
	e, _ := t.Get(hash, key)
	if row == nil || row.Seq != e.Seq() {
		return fmt.Errorf("%w: key %q", ErrLost, key)
	}
	e = t.Update(e, row.State)
	e.SetUsed(sec)
	return nil
}

func checkRow(m *Map, row *backing.Row) error {
	kind := change.Kind(row.Kind)
	if kind != m.Kind {
		return fmt.Errorf("map %q, key %q is a record of a %s: %w", m.Name, row.Key.Key, kind, ErrKind)
	}
	if err := validate(kind, row.State); err != nil {
		return fmt.Errorf("map %q, key %q: %w", m.Name, row.Key.Key, err)
	}
	return nil
}

// Row is a record as Overlay shows it. Its strings are views: they end with the
// call that was given them.
type Row struct {
	Hash         uint32
	Key, State   string
	Seq, Arrival uint64
}

// Overlay calls fn for each record of a map from one place to another, in order,
// until fn returns false. rows are what the store has there, in order. They must
// have been read while the table was pinned; where a record is here, it counts,
// and a row does where it is not. A table that is full needs no rows.
func (r *Replica) Overlay(m *Map, from, to record.Cursor, rows []backing.Row, fn func(Row) bool) error {
	t := r.tables[m]
	if t == nil {
		return nil
	}
	for len(rows) > 0 && from.Covers(rows[0].Hash, rows[0].Key.Key) {
		rows = rows[1:]
	}
	o := overlay{t: t, rows: rows, fn: fn}
	t.Ascend(from, to.Hash, func(e record.Entry) bool {
		if !to.Covers(e.Hash(), e.KeyView()) {
			return false
		}
		row := o.until(e)
		return !o.stop && o.entry(e, row)
	})
	for !o.stop && len(o.rows) > 0 {
		o.only()
	}
	return o.err
}

type overlay struct {
	t    *record.Table
	rows []backing.Row
	fn   func(Row) bool
	buf  []byte
	stop bool
	err  error
}

// until hands out the rows before an entry and returns the row of the entry.
func (o *overlay) until(e record.Entry) *backing.Row {
	at := record.Cursor{Hash: e.Hash(), Key: e.KeyView()}
	for !o.stop && len(o.rows) > 0 {
		row := &o.rows[0]
		switch {
		case at.Covers(row.Hash, row.Key.Key):
			o.only()
		case row.Hash == e.Hash() && row.Key.Key == at.Key:
			o.rows = o.rows[1:]
			return row
		default:
			return nil
		}
	}
	return nil
}

// only hands out the next row, whose key is not here.
func (o *overlay) only() {
	row := &o.rows[0]
	o.rows = o.rows[1:]
	if o.t.Find(row.Hash, row.Key.Key) == record.Unknown {
		o.stop = !o.fn(Row{row.Hash, row.Key.Key, stringOf(row.State), row.Seq, row.Arrival})
	}
}

func (o *overlay) entry(e record.Entry, row *backing.Row) bool {
	if !e.Hollow() {
		o.stop = !o.fn(Row{e.Hash(), e.KeyView(), e.StateView(&o.buf), e.Seq(), e.Arrival()})
		return !o.stop
	}
	if row == nil || row.Seq != e.Seq() {
		o.err = fmt.Errorf("%w: key %q", ErrLost, e.Key())
		o.stop = true
		return false
	}
	o.stop = !o.fn(Row{e.Hash(), e.KeyView(), stringOf(row.State), e.Seq(), e.Arrival()})
	return !o.stop
}
