package record

import (
	"slices"
	"sort"
)

// pageSize is the most entries a page holds. Larger pages make the directory
// shorter and insertions longer: an insertion moves at most 128 entries of 40
// bytes, which is about what one missed cache line costs.
const pageSize = 128

// Table is an ordered set of entries; see the package comment. The zero Table
// is empty and ready to use.
type Table struct {
	pages []*page
	count int
	cost  int
}

type page struct {
	hashes  []uint32
	entries []Entry
}

// Len is the number of entries.
func (t *Table) Len() int { return t.count }

// Cost is the memory that the entries take, in bytes; see Entry.Cost.
func (t *Table) Cost() int { return t.cost }

// Get returns the entry of key, or nil. The pointer is valid until the next Put
// or Delete; writing through it other than by Update corrupts the accounting.
func (t *Table) Get(hash uint32, key string) *Entry {
	p, i, found := t.find(hash, key)
	if !found {
		return nil
	}
	return &t.pages[p].entries[i]
}

// Put returns the entry of key after giving it a copy of state, making the
// entry if there is none. The pointer is valid until the next Put or Delete.
func (t *Table) Put(hash uint32, key string, state []byte) *Entry {
	p, i, found := t.find(hash, key)
	if found {
		e := &t.pages[p].entries[i]
		t.Update(e, state)
		return e
	}
	return t.insert(p, i, hash, Entry{blob: newBlob(key, state)})
}

// Update gives e, an entry of this table, a copy of state.
func (t *Table) Update(e *Entry, state []byte) {
	t.cost -= e.Cost()
	e.SetState(state)
	t.cost += e.Cost()
}

// Delete removes key and reports whether it was there.
func (t *Table) Delete(hash uint32, key string) bool {
	p, i, found := t.find(hash, key)
	if !found {
		return false
	}
	pg := t.pages[p]
	t.cost -= pg.entries[i].Cost()
	t.count--
	pg.hashes = slices.Delete(pg.hashes, i, i+1)
	pg.entries = slices.Delete(pg.entries, i, i+1)
	if len(pg.entries) == 0 {
		t.pages = slices.Delete(t.pages, p, p+1)
	}
	return true
}

// Cursor is a place in the order of a table: before the first entry that is not
// less than (Hash, Key). The zero Cursor is the beginning. With After set the
// place is behind that key.
type Cursor struct {
	Hash  uint32
	Key   string
	After bool
}

// Covers reports whether a scan that has come as far as c has passed the place
// of the key, and so has seen it if it was there.
func (c Cursor) Covers(hash uint32, key string) bool {
	if hash != c.Hash {
		return hash < c.Hash
	}
	return key < c.Key || (c.After && key == c.Key)
}

// Ascend calls fn for the entries from the cursor on, in order, until fn
// returns false or an entry's hash is greater than last. fn must not add or
// remove entries.
func (t *Table) Ascend(from Cursor, last uint32, fn func(hash uint32, e *Entry) bool) {
	p, i, found := t.find(from.Hash, from.Key)
	if found && from.After {
		i++
	}
	for ; p < len(t.pages); p, i = p+1, 0 {
		pg := t.pages[p]
		for ; i < len(pg.entries); i++ {
			if pg.hashes[i] > last || !fn(pg.hashes[i], &pg.entries[i]) {
				return
			}
		}
	}
}

// find returns the place of (hash, key): page, index, and whether it is there.
// Where it is not, the place is where it would be inserted; the page is 0 in an
// empty table.
func (t *Table) find(hash uint32, key string) (p, i int, found bool) {
	p = t.pageOf(hash, key)
	if p < 0 {
		return 0, 0, false
	}
	pg := t.pages[p]
	i = lowerBound(pg.hashes, hash)
	for ; i < len(pg.hashes) && pg.hashes[i] == hash; i++ {
		if k := pg.entries[i].Key(); k >= key {
			return p, i, k == key
		}
	}
	return p, i, false
}

// pageOf is the last page whose first entry is not greater than (hash, key), or
// page 0 when all are; -1 in an empty table.
func (t *Table) pageOf(hash uint32, key string) int {
	switch len(t.pages) {
	case 0:
		return -1
	case 1:
		return 0
	}
	n := sort.Search(len(t.pages), func(n int) bool {
		pg := t.pages[n]
		if pg.hashes[0] != hash {
			return pg.hashes[0] > hash
		}
		return pg.entries[0].Key() > key
	})
	return max(n-1, 0)
}

// lowerBound is the first index whose hash is not less than hash.
func lowerBound(hashes []uint32, hash uint32) int {
	lo, hi := 0, len(hashes)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if hashes[mid] < hash {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (t *Table) insert(p, i int, hash uint32, e Entry) *Entry {
	if len(t.pages) == 0 {
		t.pages = append(t.pages, &page{})
	}
	pg := t.pages[p]
	if len(pg.entries) == pageSize {
		right := pg.split()
		t.pages = slices.Insert(t.pages, p+1, right)
		if i > len(pg.entries) {
			i -= len(pg.entries)
			pg = right
		}
	}
	pg.hashes = slices.Insert(pg.hashes, i, hash)
	pg.entries = slices.Insert(pg.entries, i, e)
	t.count++
	t.cost += e.Cost()
	return &pg.entries[i]
}

// split moves the upper half of a full page to a new one.
func (p *page) split() *page {
	const half = pageSize / 2
	right := &page{
		hashes:  append(make([]uint32, 0, pageSize), p.hashes[half:]...),
		entries: append(make([]Entry, 0, pageSize), p.entries[half:]...),
	}
	clear(p.entries[half:])
	p.hashes, p.entries = p.hashes[:half], p.entries[:half]
	return right
}
