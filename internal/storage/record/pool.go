package record

// Pool is what the tables of one lane share: blocks that a page has left for a
// larger or smaller one, the words of their states, and the account of their
// memory.
type Pool struct {
	free  [len(classes)][][]byte
	spare page // where pages are packed
	words words
	bytes int
	rng   uint64
}

// maxFree bounds the blocks of one class that wait to be used again.
const maxFree = 8

// NewPool makes an empty pool.
func NewPool() *Pool { return &Pool{} }

// Bytes is the memory that the tables of the pool take, in bytes: blocks with
// what is unused in them, directories, filters and words. Blocks that wait for
// use, at most a quarter of a megabyte, do not count.
func (p *Pool) Bytes() int { return p.bytes + p.words.bytes }

// NewTable makes an empty table. Its states hold, at the offset word, a text
// that is the same in many of them, as one byte for its length and its bytes; a
// negative word says that they do not.
func (p *Pool) NewTable(word int) *Table { return &Table{pool: p, word: word} }

// newPage makes an empty page with a block of a class.
func (p *Pool) newPage(class int) page {
	size := classes[class]
	p.bytes += size
	if free := p.free[class]; len(free) > 0 {
		buf := free[len(free)-1]
		p.free[class] = free[:len(free)-1]
		return page{buf: buf, low: uint16(size)}
	}
	return page{buf: make([]byte, size), low: uint16(size)}
}

// release takes the block of a page back.
func (p *Pool) release(pg *page) {
	p.bytes -= len(pg.buf)
	if class := classOf(len(pg.buf)); len(p.free[class]) < maxFree {
		p.free[class] = append(p.free[class], pg.buf)
	}
	pg.buf = nil
}

// repack moves a page to a block of a class, packed.
func (p *Pool) repack(pg *page, class int) {
	if classes[class] == len(pg.buf) {
		p.pack(pg)
		return
	}
	next := p.newPage(class)
	next.take(pg, 0, int(pg.n))
	p.release(pg)
	*pg = next
}

// pack removes the holes of a page in its own block.
func (p *Pool) pack(pg *page) {
	if p.spare.buf == nil {
		p.spare.buf = make([]byte, maxPage)
	}
	old := page{buf: p.spare.buf[:len(pg.buf)], n: pg.n}
	copy(old.buf, pg.buf)
	pg.n, pg.live, pg.low = 0, 0, uint16(len(pg.buf))
	pg.take(&old, 0, int(old.n))
}

// words keeps each text once and gives it a number.
type words struct {
	ids   map[string]uint32
	list  []word
	free  []uint32
	bytes int
}

type word struct {
	text string
	refs uint32
}

// wordCost is what a word takes beside its text: its places in map and list.
const wordCost = 64

// A text is worth keeping once within these bounds; the upper one is that of a
// length in one byte.
const (
	minWord = 4
	maxWord = 127
)

// take returns the number of a text and counts one more use of it.
func (w *words) take(text []byte) uint32 {
	if id, ok := w.ids[string(text)]; ok {
		w.list[id].refs++
		return id
	}
	if w.ids == nil {
		w.ids = map[string]uint32{}
	}
	var id uint32
	if n := len(w.free); n > 0 {
		id, w.free = w.free[n-1], w.free[:n-1]
	} else {
		id = uint32(len(w.list))
		w.list = append(w.list, word{})
	}
	w.list[id] = word{text: string(text), refs: 1}
	w.ids[w.list[id].text] = id
	w.bytes += wordCost + len(text)
	return id
}

// drop counts one use less.
func (w *words) drop(id uint32) {
	e := &w.list[id]
	if e.refs--; e.refs > 0 {
		return
	}
	w.bytes -= wordCost + len(e.text)
	delete(w.ids, e.text)
	e.text = ""
	w.free = append(w.free, id)
}
