package records

import (
	"cmp"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// A lane knows its tables that have something to write to the store. A checkpoint
// takes the list, and then table by table what is dirty; what a table gets from
// then on puts it on the list anew.

// markDirty has the next checkpoint write an entry.
func (r *Replica) markDirty(m *Map, e record.Entry) {
	if t := r.tables[m]; t.MarkDirty(e) {
		r.shared.unsaved = append(r.shared.unsaved, held{r, m, t})
	}
}

// markRemoved has the next checkpoint remove a key, if it is not there.
func (r *Replica) markRemoved(m *Map, hash uint32, key string) {
	if t := r.tables[m]; t.MarkRemoved(hash, key) {
		r.shared.unsaved = append(r.shared.unsaved, held{r, m, t})
	}
}

// Dirty is at least the number of keys that changed since they were last
// collected.
func (r *Replica) Dirty() int {
	n := 0
	for _, t := range r.tables {
		n += t.Dirty()
	}
	return n
}

// Unsaved is a table with keys that have to be written to the store. It belongs
// to the lane, but for its place in the order of the store.
type Unsaved struct {
	held
	keys *record.DirtyKeys // nil until the first Collect
}

// TakeUnsaved returns the tables that have something to write, in no order.
// Whoever takes them collects each to its end, or gives all of them back.
func (s *Shared) TakeUnsaved() []*Unsaved {
	all, list := make([]Unsaved, len(s.unsaved)), make([]*Unsaved, len(s.unsaved))
	for i, h := range s.unsaved {
		all[i].held, list[i] = h, &all[i]
	}
	s.unsaved = nil
	return list
}

// Compare orders tables as the store orders their rows. Any goroutine may compare.
func (u *Unsaved) Compare(o *Unsaved) int {
	return cmp.Or(strings.Compare(u.m.Name, o.m.Name), cmp.Compare(u.r.ID, o.r.ID))
}

// Collect adds the rows of the next dirty keys, in the order of the store, until
// it has looked at most keys or rows is full. It reports whether any are left,
// and takes them the first time: a key that changes later is collected as it is
// then, or is dirty anew. The rows hold the latest states, whose append may not
// be durable yet: they go to the store only once it is.
func (u *Unsaved) Collect(rows *Rows, most int) (more bool) {
	if u.keys == nil {
		u.keys = u.t.TakeDirty()
	}
	return u.keys.Walk(most, func(e record.Entry) bool {
		rows.add(u, e)
		return !rows.Full()
	}, func(hash uint32, key string) bool {
		rows.remove(u, hash, key)
		if u.r.shared.memory.Budget > 0 {
			u.r.leaving = append(u.r.leaving, mapKey{u.m, hash, key})
		}
		return !rows.Full()
	})
}

// GiveBack takes back what was collected, because it was not written, and has the
// next checkpoint collect it again. It returns how many keys it looked at.
func (u *Unsaved) GiveBack() (keys int) {
	if u.r.tables[u.m] != u.t {
		return 0 // loaded again, and dirty anew
	}
	if u.keys == nil || u.keys.GiveBack() {
		u.r.shared.unsaved = append(u.r.shared.unsaved, u.held)
	}
	if u.keys == nil {
		return 0
	}
	return u.keys.Taken()
}

// forgetUnsaved takes the tables of a replica that is dropped from the list.
func (s *Shared) forgetUnsaved(r *Replica) {
	s.unsaved = slices.DeleteFunc(s.unsaved, func(h held) bool { return h.r == r })
}

// CollectAll collects everything that is dirty, in the order of the store.
func (s *Shared) CollectAll() []backing.Write {
	tables := s.TakeUnsaved()
	slices.SortFunc(tables, (*Unsaved).Compare)
	rows := NewRows(0)
	for _, u := range tables {
		for u.Collect(rows, collectAtOnce) {
		}
	}
	return rows.List
}

const collectAtOnce = 1 << 16

// Rows are rows that were collected, with memory of their own.
type Rows struct {
	List []backing.Write

	buf   []byte // for keys and states
	bytes int
	limit int
}

// NewRows makes room for rows whose keys and states take about so many bytes. One
// row always fits; 0 sets no limit.
func NewRows(bytes int) *Rows { return &Rows{limit: bytes, buf: make([]byte, 0, bytes)} }

// Reset forgets the rows, and uses their memory for the next ones.
func (r *Rows) Reset() { r.List, r.buf, r.bytes = r.List[:0], r.buf[:0], 0 }

// Full reports whether the rows take as many bytes as they may.
func (r *Rows) Full() bool { return r.limit > 0 && r.bytes >= r.limit }

// room returns memory for n bytes to be appended to.
func (r *Rows) room(n int) []byte {
	r.bytes += n
	if len(r.buf)+n > cap(r.buf) {
		return make([]byte, 0, n)
	}
	b := r.buf[len(r.buf) : len(r.buf) : len(r.buf)+n]
	r.buf = r.buf[:len(r.buf)+n]
	return b
}

func (r *Rows) add(u *Unsaved, e record.Entry) {
	b := e.AppendKey(r.room(e.CopyLen()))
	k := len(b)
	b = e.AppendState(b)
	row := rowOf(u, e.Hash(), stringOf(b[:k]))
	row.Seq, row.Arrival, row.State = e.Seq(), e.Arrival(), b[k:]
	r.List = append(r.List, backing.Write{Row: row})
}

func (r *Rows) remove(u *Unsaved, hash uint32, key string) {
	w := backing.Write{Row: rowOf(u, hash, stringOf(append(r.room(len(key)), key...))), Delete: true}
	w.Seq = u.r.seq
	r.List = append(r.List, w)
}

func rowOf(u *Unsaved, hash uint32, key string) backing.Row {
	return backing.Row{
		Key:  backing.Key{Map: u.m.Name, Partition: u.r.ID, Hash: hash, Key: key},
		Kind: uint8(u.m.Kind),
	}
}
