package record

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// Table is an ordered set of entries; see the package comment.
type Table struct {
	pool   *Pool
	word   int // where a state has its word, negative for none
	pages  []page
	firsts []uint32 // the hash that each page begins with, close together for pageOf
	count  int      // entries that are not gone
	cost   int

	// What is in the store and not here; see Full.
	filter             filter
	fresh              *filter // that is being made to take its place, or nil
	away, hollow, gone int
	pins               int

	// out are the blocks of entries that are too large for a page. The places in
	// it that are free are listed in outFree.
	out     [][]byte
	outFree []uint32

	dirt dirt

	scratch []byte
}

// Len is the number of entries that are here.
func (t *Table) Len() int { return t.count }

// Cost is the memory that the entries take, in bytes; see Entry.Cost.
func (t *Table) Cost() int { return t.cost }

// Get returns the entry of key, and false when there is none.
func (t *Table) Get(hash uint32, key string) (Entry, bool) {
	p, i, found := t.find(hash, key)
	if !found {
		return Entry{}, false
	}
	e := t.at(p, i)
	if e.is(flagGone) {
		return Entry{}, false
	}
	return e, true
}

// Put returns the entry of key after giving it a copy of state, making the
// entry if there is none.
func (t *Table) Put(hash uint32, key string, state []byte) Entry {
	p, i, found := t.find(hash, key)
	if !found {
		return t.insert(p, i, hash, key, state)
	}
	e := t.Update(t.at(p, i), state)
	if e.is(flagGone) {
		e.b[atFlags] &= flagOut | flagWord
		clear(e.b[atHits:headSize])
		e.b[atHits] = newHits
		t.gone--
		t.count++
	}
	return e
}

// Update gives e, an entry of this table, a copy of state, and returns it anew.
func (t *Table) Update(e Entry, state []byte) Entry {
	if e.is(flagHollow) {
		e.set(flagHollow, false)
		t.hollow--
	}
	t.cost -= e.Cost()
	key := len(e.tail()) - len(e.packed()) // with its length
	id, worded := t.sameWord(e, state)
	size := headSize + key + t.packedLen(state, id, worded)
	switch {
	case size > maxInline || e.is(flagOut):
		t.scratch = append(t.scratch[:0], e.tail()[:key]...)
		t.scratch = t.appendPacked(t.scratch, state, id, worded)
		e = t.putTail(e)
	case size == len(e.b):
		t.appendPacked(e.b[:headSize+key], state, id, worded)
	default:
		e = t.resize(e, size)
		t.appendPacked(e.b[:headSize+key], state, id, worded)
	}
	e.set(flagWord, worded)
	t.cost += e.Cost()
	return e
}

// sameWord returns the number of the word of a new state of e; the word of the
// old state, where there was one, is given up.
func (t *Table) sameWord(e Entry, state []byte) (id uint32, worded bool) {
	text := t.wordOf(state)
	if !e.is(flagWord) {
		if text == nil {
			return 0, false
		}
		return t.pool.words.take(text), true
	}
	id = e.wordID()
	if text != nil && t.pool.words.list[id].text == string(text) {
		return id, true
	}
	t.pool.words.drop(id)
	if text == nil {
		return 0, false
	}
	return t.pool.words.take(text), true
}

// wordOf is the word of a state, nil when it has none or none worth keeping.
func (t *Table) wordOf(state []byte) []byte {
	if t.word < 0 || len(state) <= t.word {
		return nil
	}
	n := int(state[t.word])
	if n < minWord || n > maxWord || len(state)-t.word-1 < n {
		return nil
	}
	return state[t.word+1 : t.word+1+n]
}

func (t *Table) packedLen(state []byte, id uint32, worded bool) int {
	if !worded {
		return len(state)
	}
	return len(state) - 1 - int(state[t.word]) + uvarintLen(uint64(id))
}

func (t *Table) appendPacked(dst, state []byte, id uint32, worded bool) []byte {
	if !worded {
		return append(dst, state...)
	}
	dst = append(dst, state[:t.word]...)
	dst = binary.AppendUvarint(dst, uint64(id))
	return append(dst, state[t.word+1+int(state[t.word]):]...)
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// insert makes the entry of a key at the place that find gave.
func (t *Table) insert(p, i int, hash uint32, key string, state []byte) Entry {
	var id uint32
	text := t.wordOf(state)
	if text != nil {
		id = t.pool.words.take(text)
	}
	t.scratch = binary.AppendUvarint(t.scratch[:0], uint64(len(key)))
	t.scratch = append(t.scratch, key...)
	t.scratch = t.appendPacked(t.scratch, state, id, text != nil)
	size := headSize + len(t.scratch)
	if size > maxInline {
		size = headSize
	}
	e := t.open(p, i, hash, size)
	clear(e.b[:headSize])
	e.b[atHits] = newHits
	e.set(flagWord, text != nil)
	if size == headSize {
		e = t.putTail(e)
	} else {
		copy(e.b[headSize:], t.scratch)
	}
	t.count++
	t.cost += e.Cost()
	return e
}

// putTail gives e what is in scratch for key length, key and state, in its page
// or in a block.
func (t *Table) putTail(e Entry) Entry {
	if headSize+len(t.scratch) <= maxInline {
		if e.is(flagOut) {
			t.dropOut(e.outID())
			e.set(flagOut, false)
		}
		e = t.resize(e, headSize+len(t.scratch))
		copy(e.b[headSize:], t.scratch)
		return e
	}
	if e.is(flagOut) {
		t.setOut(e.outID(), t.scratch)
		return e
	}
	var id uint32
	if n := len(t.outFree); n > 0 {
		id, t.outFree = t.outFree[n-1], t.outFree[:n-1]
	} else {
		id = uint32(len(t.out))
		t.out = append(t.out, nil)
	}
	t.setOut(id, t.scratch)
	e = t.resize(e, headSize+4)
	binary.LittleEndian.PutUint32(e.b[headSize:], id)
	e.set(flagOut, true)
	return e
}

func (t *Table) setOut(id uint32, b []byte) {
	old := t.out[id]
	t.pool.bytes -= cap(old)
	if len(b) > cap(old) || len(b) < cap(old)/2 {
		old = make([]byte, 0, len(b))
	}
	t.out[id] = append(old[:0], b...)
	t.pool.bytes += cap(t.out[id])
}

func (t *Table) dropOut(id uint32) {
	t.pool.bytes -= cap(t.out[id])
	t.out[id] = nil
	t.outFree = append(t.outFree, id)
}

// Delete removes key and reports whether it was there.
func (t *Table) Delete(hash uint32, key string) bool {
	e, found := t.Get(hash, key)
	if found {
		t.drop(e)
	}
	return found
}

// drop removes an entry.
func (t *Table) drop(e Entry) {
	switch {
	case e.is(flagGone):
		t.gone--
	case e.is(flagHollow):
		t.hollow--
		t.count--
	default:
		t.count--
	}
	t.cost -= e.Cost()
	t.giveUp(e)
	t.pages[e.p].close(e.i)
	t.setFirst(e.p)
	t.tidy(e.p)
}

// giveUp gives back what e holds outside of its page.
func (t *Table) giveUp(e Entry) {
	if e.is(flagWord) {
		t.pool.words.drop(e.wordID())
	}
	if e.is(flagOut) {
		t.dropOut(e.outID())
	}
}

// Clear removes everything.
func (t *Table) Clear() {
	for p := range t.pages {
		for i := range int(t.pages[p].n) {
			t.giveUp(t.at(p, i))
		}
		t.pool.release(&t.pages[p])
	}
	t.dropFilters()
	t.pool.bytes -= t.directory()
	*t = Table{pool: t.pool, word: t.word, pins: t.pins}
}

// Cursor is a place in the order of a table: before the first entry that is not
// less than (Hash, Key). The zero Cursor is the beginning. With After set the
// place is behind that key, and with Last behind all keys of that hash.
type Cursor struct {
	Hash  uint32
	Key   string
	After bool
	Last  bool
}

// End is the place behind all entries.
var End = Cursor{Hash: math.MaxUint32, Last: true}

// Covers reports whether a scan that has come as far as c has passed the place
// of the key, and so has seen it if it was there.
func (c Cursor) Covers(hash uint32, key string) bool {
	if hash != c.Hash {
		return hash < c.Hash
	}
	return key < c.Key || (c.After && key == c.Key) || c.Last
}

// Ascend calls fn for the entries from the cursor on, in order, until fn
// returns false or an entry's hash is greater than last. fn may change what an
// entry says of itself, but not its state, and must not add or remove entries.
func (t *Table) Ascend(from Cursor, last uint32, fn func(e Entry) bool) {
	p, i, found := t.find(from.Hash, from.Key)
	if found && from.After {
		i++
	}
	for ; p < len(t.pages); p, i = p+1, 0 {
		for ; i < int(t.pages[p].n); i++ {
			e := t.at(p, i)
			if e.hash > last {
				return
			}
			if !e.is(flagGone) && !fn(e) {
				return
			}
		}
	}
}

// at is the entry at a place.
func (t *Table) at(p, i int) Entry {
	pg := &t.pages[p]
	return Entry{t: t, p: p, i: i, hash: pg.hash(i), b: pg.body(i)}
}

// find returns the place of (hash, key): page, index, and whether it is there.
// Where it is not, the place is where it would be inserted; the page is 0 in an
// empty table.
func (t *Table) find(hash uint32, key string) (p, i int, found bool) {
	if len(t.pages) == 0 {
		return 0, 0, false
	}
	p = t.pageOf(hash, key)
	pg := &t.pages[p]
	i = pg.lowerBound(hash)
	for ; i < int(pg.n) && pg.hash(i) == hash; i++ {
		if c := strings.Compare(t.at(p, i).KeyView(), key); c >= 0 {
			return p, i, c == 0
		}
	}
	return p, i, false
}

// pageOf is the last page whose first entry is not greater than (hash, key), or
// page 0 when all are.
func (t *Table) pageOf(hash uint32, key string) int {
	lo, hi := 1, len(t.pages)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		first := t.firsts[mid]
		if first < hash || first == hash && t.at(mid, 0).KeyView() <= key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

// open makes an entry with a body of size bytes at a place, wherever that is
// once there is room for it.
func (t *Table) open(p, i int, hash uint32, size int) Entry {
	if len(t.pages) == 0 {
		t.insertPage(0, t.pool.newPage(classOf(slotSize+size)))
	}
	p, i = t.room(p, i, slotSize+size)
	t.pages[p].open(i, hash, size)
	t.setFirst(p)
	return t.at(p, i)
}

// resize gives e a body of another size. Flags and key stay, what follows is
// undefined.
func (t *Table) resize(e Entry, size int) Entry {
	if size == len(e.b) {
		return e
	}
	p, i := e.p, e.i
	if size > len(e.b) {
		p, i = t.room(p, i, size)
	}
	t.pages[p].resize(i, size)
	if size < len(e.b) {
		p, i = t.settle(p, i)
	}
	return t.at(p, i)
}

// room makes a gap of size bytes in the page of a place and returns where the
// place is now.
func (t *Table) room(p, i, size int) (int, int) {
	pg := &t.pages[p]
	if pg.gap() >= size {
		return p, i
	}
	switch want := pg.used() + size; {
	case want <= len(pg.buf):
		t.pool.pack(pg)
	case want <= maxPage:
		t.pool.repack(pg, classOf(want))
	default:
		p, i = t.split(p, i)
		return t.room(p, i, size)
	}
	return p, i
}

// split makes two pages of one and returns where a place of it is now. The last
// page is left as it is when the place is its end: so a table that is filled in
// order has full pages.
func (t *Table) split(p, i int) (int, int) {
	left := &t.pages[p]
	if i == int(left.n) && p == len(t.pages)-1 {
		t.insertPage(p+1, t.pool.newPage(classOf(maxInline)))
		return p + 1, 0
	}
	k, half := 0, 0
	for ; k < int(left.n)-1 && 2*half < left.used(); k++ {
		half += slotSize + len(left.body(k))
	}
	right := t.pool.newPage(classOf(left.used() - half))
	right.take(left, k, int(left.n))
	rest := t.pool.newPage(classOf(half))
	rest.take(left, 0, k)
	t.pool.release(left)
	*left = rest
	t.insertPage(p+1, right)
	if i >= k {
		return p + 1, i - k
	}
	return p, i
}

func (t *Table) insertPage(p int, pg page) {
	t.pool.bytes -= t.directory()
	t.pages, t.firsts = slices.Insert(t.pages, p, pg), slices.Insert(t.firsts, p, 0)
	t.pool.bytes += t.directory()
	t.setFirst(p)
}

// setFirst notes what a page begins with; one that is empty gets an entry before
// anybody looks.
func (t *Table) setFirst(p int) {
	if pg := &t.pages[p]; pg.n > 0 {
		t.firsts[p] = pg.hash(0)
	}
}

// directory is the memory that the table takes for its pages beside their blocks.
func (t *Table) directory() int { return cap(t.pages)*pageStruct + cap(t.firsts)*4 }

func (t *Table) removePage(p int) {
	t.pool.release(&t.pages[p])
	t.pages, t.firsts = slices.Delete(t.pages, p, p+1), slices.Delete(t.firsts, p, p+1)
	if n := len(t.pages); n < cap(t.pages)/4 {
		t.pool.bytes -= t.directory()
		t.pages, t.firsts = append(make([]page, 0, 2*n), t.pages...), append(make([]uint32, 0, 2*n), t.firsts...)
		t.pool.bytes += t.directory()
	}
}

// tidy gives back what a page no longer needs.
func (t *Table) tidy(p int) { t.settle(p, 0) }

// settle is tidy for a page with a place in it, and returns where that is now.
func (t *Table) settle(p, i int) (int, int) {
	pg := &t.pages[p]
	if pg.n == 0 {
		t.removePage(p)
		return p, i
	}
	if pg.used() <= maxPage/4 {
		if p > 0 && t.pages[p-1].used()+pg.used() <= maxPage*3/4 {
			i += int(t.pages[p-1].n)
			t.join(p - 1)
			return p - 1, i
		}
		if p+1 < len(t.pages) && t.pages[p+1].used()+pg.used() <= maxPage*3/4 {
			t.join(p)
			return p, i
		}
	}
	// Not down to the last byte, or the next write would need it back.
	if class := classOf(min(pg.used()+pg.used()/8, maxPage)); 4*classes[class] <= 3*len(pg.buf) {
		t.pool.repack(pg, class)
	}
	return p, i
}

// join moves the entries of page p+1 to page p.
func (t *Table) join(p int) {
	pg, next := &t.pages[p], &t.pages[p+1]
	if need := next.used(); pg.gap() < need {
		t.pool.repack(pg, classOf(pg.used()+need))
	}
	pg.take(next, 0, int(next.n))
	t.removePage(p + 1)
}
