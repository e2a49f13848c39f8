package record

import (
	"cmp"
	"slices"
	"strings"
)

// A table knows which keys the durable store does not have as they are here: the
// hashes of dirty entries, and the keys that were removed. A hash is four bytes
// without a pointer, because there may be as many as records.
type dirt struct {
	hashes  []uint32 // in no order, some of them more than once
	removed []removed
}

type removed struct {
	hash uint32
	key  string
}

// Dirty reports whether the entry changed since it was last taken for a
// checkpoint.
func (e Entry) Dirty() bool { return e.is(flagDirty) }

// MarkDirty notes that an entry has changed. It reports whether the table had
// nothing to be taken before.
func (t *Table) MarkDirty(e Entry) (first bool) {
	if e.is(flagDirty) {
		return false
	}
	first = t.Dirty() == 0
	e.set(flagDirty, true)
	t.dirt.hashes = append(t.dirt.hashes, e.hash)
	return first
}

// MarkRemoved notes that a key was removed. It reports whether the table had
// nothing to be taken before.
func (t *Table) MarkRemoved(hash uint32, key string) (first bool) {
	first = t.Dirty() == 0
	t.setRemoved(hash, key, true)
	t.dirt.removed = append(t.dirt.removed, removed{hash, key})
	return first
}

// setRemoved notes whether the removal of a key, if it is kept as gone, has yet to
// be taken.
func (t *Table) setRemoved(hash uint32, key string, dirty bool) {
	if p, i, found := t.find(hash, key); found {
		if e := t.at(p, i); e.is(flagGone) {
			e.set(flagDirty, dirty)
		}
	}
}

// Dirty is at least the number of keys that changed since they were last taken.
func (t *Table) Dirty() int { return len(t.dirt.hashes) + len(t.dirt.removed) }

// DirtyKeys are the keys of a table that changed until they were taken, and a
// place among them.
type DirtyKeys struct {
	table *Table
	whole dirt // as taken, for GiveBack

	hashes  []uint32  // that are left, ascending
	removed []removed // that are left, in order
	at      Cursor    // how far the first hash that is left has come
}

// TakeDirty begins to hand over the keys that have changed until now. What
// changes from here on counts anew.
func (t *Table) TakeDirty() *DirtyKeys {
	d := &DirtyKeys{table: t, whole: t.dirt}
	t.dirt = dirt{}
	slices.Sort(d.whole.hashes)
	d.whole.hashes = slices.Compact(d.whole.hashes)
	slices.SortFunc(d.whole.removed, func(a, b removed) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), strings.Compare(a.key, b.key))
	})
	d.whole.removed = slices.Compact(d.whole.removed)
	d.hashes, d.removed = d.whole.hashes, d.whole.removed
	return d
}

// GiveBack makes dirty again whatever was taken; what shares a hash with it and is
// clean becomes dirty too. It reports whether the table had nothing to be taken
// before.
func (d *DirtyKeys) GiveBack() (first bool) {
	t := d.table
	first = t.Dirty() == 0
	visited := len(d.whole.hashes) - len(d.hashes) + 1 // the last of them perhaps in part
	for _, hash := range d.whole.hashes[:min(visited, len(d.whole.hashes))] {
		t.Ascend(Cursor{Hash: hash}, hash, func(e Entry) bool {
			if !e.Hollow() {
				e.set(flagDirty, true)
			}
			return true
		})
	}
	for _, r := range d.whole.removed {
		t.setRemoved(r.hash, r.key, true)
	}
	t.dirt.hashes = append(t.dirt.hashes, d.whole.hashes...)
	t.dirt.removed = append(t.dirt.removed, d.whole.removed...)
	return first && t.Dirty() > 0
}

// Taken is how many keys were taken.
func (d *DirtyKeys) Taken() int { return len(d.whole.hashes) + len(d.whole.removed) }

// Walk goes on through the keys, in the order of the table, for at most so many
// of them: write is told entries and clears their marks, remove keys that are not
// there any more. Either ends the walk after its key by returning false. Walk
// reports whether keys are left.
//
// However many keys share a hash, each is looked at once.
func (d *DirtyKeys) Walk(most int, write func(Entry) bool, remove func(hash uint32, key string) bool) (more bool) {
	w := walk{DirtyKeys: d, left: most, write: write, remove: remove}
	for w.left > 0 {
		hash, ok := d.next()
		if !ok {
			return false
		}
		if d.at.Hash != hash {
			d.at = Cursor{Hash: hash}
		}
		// An entry whose hash was not taken has come later, and is not given back.
		if taken := len(d.hashes) > 0 && d.hashes[0] == hash; taken && !d.at.Last {
			d.table.Ascend(d.at, hash, w.entry)
		}
		if w.left > 0 {
			d.at.Last = true
			w.gone(func(removed) bool { return true })
		}
		if w.left > 0 && len(d.hashes) > 0 && d.hashes[0] == hash {
			d.hashes = d.hashes[1:]
		}
	}
	_, more = d.next()
	return more
}

// next is the first hash that is left.
func (d *DirtyKeys) next() (hash uint32, ok bool) {
	switch {
	case len(d.removed) == 0 && len(d.hashes) == 0:
		return 0, false
	case len(d.hashes) == 0 || len(d.removed) > 0 && d.removed[0].hash < d.hashes[0]:
		return d.removed[0].hash, true
	default:
		return d.hashes[0], true
	}
}

// walk is one Walk.
type walk struct {
	*DirtyKeys
	left   int
	write  func(Entry) bool
	remove func(hash uint32, key string) bool
}

// entry visits one entry of the hash that is under way, and before it the removed
// keys that come before it.
func (w *walk) entry(e Entry) bool {
	key := e.KeyView()
	if w.gone(func(r removed) bool { return r.key < key }); w.left <= 0 {
		w.at = Cursor{Hash: e.hash, Key: strings.Clone(key)}
		return false
	}
	if len(w.removed) > 0 && w.removed[0].hash == e.hash && w.removed[0].key == key {
		w.removed = w.removed[1:] // and is back
	}
	w.left--
	if e.is(flagDirty) {
		e.set(flagDirty, false)
		if !w.write(e) {
			w.left = 0
		}
	}
	if w.left <= 0 {
		w.at = Cursor{Hash: e.hash, Key: strings.Clone(key), After: true}
		return false
	}
	return true
}

// removed reports whether the store has to remove a key. One that has come back since
// and is not written yet is removed as well: the log has what came back only.
func (t *Table) removed(r removed) bool {
	if e, here := t.Get(r.hash, r.key); here {
		return e.Dirty()
	}
	return t.Find(r.hash, r.key) == Absent
}

// gone visits removed keys of the hash that is under way as long as they are
// wanted.
func (w *walk) gone(wanted func(removed) bool) {
	for w.left > 0 && len(w.removed) > 0 && w.removed[0].hash == w.at.Hash && wanted(w.removed[0]) {
		r := w.removed[0]
		w.removed = w.removed[1:]
		w.left--
		w.table.setRemoved(r.hash, r.key, false)
		if w.table.removed(r) && !w.remove(r.hash, r.key) {
			w.left = 0
		}
	}
}
