package records

import (
	"math"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// dirtyRef names entries that the next checkpoint has to write: the dirty ones
// with this hash in the map of this number. It is small and holds no pointer,
// because there may be as many as records. Where keys share a hash, and where a
// key was removed, the number is byKey and the next of the replica's dirtyKeys
// says which key is meant: going through all keys of a hash for each of them
// would let a client who chooses colliding keys stop the lane.
type dirtyRef struct{ number, hash uint32 }

const byKey = math.MaxUint32

type dirtyKey struct {
	m    *Map
	hash uint32
	key  string
}

func (r *Replica) markDirty(m *Map, e record.Entry) {
	switch {
	case e.Dirty():
	case e.Alone():
		e.SetDirty(true)
		r.dirty = append(r.dirty, dirtyRef{m.number, e.Hash()})
	default:
		e.SetDirty(true)
		r.markKey(dirtyKey{m, e.Hash(), e.Key()})
	}
}

// markKey has the next checkpoint write a key, or remove it if it is not there.
func (r *Replica) markKey(k dirtyKey) {
	r.dirty = append(r.dirty, dirtyRef{number: byKey})
	r.dirtyKeys = append(r.dirtyKeys, k)
}

// Dirty is at least the number of keys that changed since they were last
// collected.
func (r *Replica) Dirty() int { return len(r.dirty) }

// Collect appends the rows of the n longest dirty keys to rows and clears their
// marks; a key that changes again queues up anew behind the others. Where keys
// share a hash it may be a row more now and one less later. The rows are copies.
// They hold the latest state, whose append may not be durable yet: the caller
// writes them to the store only once it is.
func (r *Replica) Collect(rows []backing.Write, n int) []backing.Write {
	for _, d := range r.dirty[:n] {
		if d.number == byKey {
			k := r.dirtyKeys[0]
			r.dirtyKeys = r.dirtyKeys[1:]
			t := r.open(k.m)
			if e, ok := t.Get(k.hash, k.key); ok {
				rows = r.collect(rows, k.m, e)
			} else if t.Find(k.hash, k.key) == record.Absent {
				w := backing.Write{Row: r.row(k.m, k.hash, k.key), Delete: true}
				w.Seq = r.seq // tells it from states that were collected before
				rows = append(rows, w)
				if r.shared.memory.Budget > 0 {
					r.leaving = append(r.leaving, k)
				}
			}
			continue
		}
		m := r.shared.list[d.number]
		r.tables[m].Ascend(record.Cursor{Hash: d.hash}, d.hash, func(e record.Entry) bool {
			rows = r.collect(rows, m, e)
			return true
		})
	}
	if r.dirty = r.dirty[n:]; len(r.dirty) == 0 {
		r.dirty, r.dirtyKeys = nil, nil
	}
	return rows
}

// collect appends the row of an entry if it is dirty.
func (r *Replica) collect(rows []backing.Write, m *Map, e record.Entry) []backing.Write {
	if !e.Dirty() {
		return rows
	}
	e.SetDirty(false)
	key, state := e.Copy()
	row := r.row(m, e.Hash(), key)
	row.Seq, row.Arrival, row.State = e.Seq(), e.Arrival(), bytesOf(state)
	return append(rows, backing.Write{Row: row})
}

func (r *Replica) row(m *Map, hash uint32, key string) backing.Row {
	return backing.Row{
		Key:  backing.Key{Map: m.Name, Partition: r.ID, Hash: hash, Key: key},
		Kind: uint8(m.Kind),
	}
}

// Redirty marks the key of a collected row again, because the row will not be
// written.
func (r *Replica) Redirty(w *backing.Write) {
	m := r.shared.maps[w.Map]
	if m == nil {
		return
	}
	if t := r.tables[m]; t != nil {
		if e, ok := t.Get(w.Hash, w.Key.Key); ok {
			// What was loaded again since may have been left to the store.
			if !e.Hollow() {
				r.markDirty(m, e)
			}
			return
		}
	}
	if w.Delete {
		r.markKey(dirtyKey{m, w.Hash, w.Key.Key})
	}
}
