package record

import (
	"encoding/binary"
	"unsafe"
)

// Entry is a record in its table. It is a view: it ends with the next change of
// the table.
type Entry struct {
	t    *Table
	p, i int
	hash uint32
	b    []byte // the body
}

// The body of an entry:
//
//	| flags 1 | hits 1 | used 4 | sum 4 | seq 8 | arrival 8 | key length, uvarint | key | state |
//
// With flagOut the number of a block of the table stands behind the arrival, 4
// bytes, and the rest in that block. With flagWord the state lacks its word and
// has the word's number, an uvarint, in the place.
const (
	atFlags   = 0
	atHits    = 1
	atUsed    = 2
	atSum     = 6
	atSeq     = 10
	atArrival = 18
	headSize  = 26

	// maxInline is the largest body that lies in a page.
	maxInline = 1024
)

const (
	flagDirty = 1 << iota
	flagStale
	flagOut
	flagWord
	flagHollow
	flagGone
)

// Hash is the hash of the entry's key.
func (e Entry) Hash() uint32 { return e.hash }

// Alone reports whether no other entry has the same hash.
func (e Entry) Alone() bool {
	pg := &e.t.pages[e.p]
	switch {
	case e.i > 0 && pg.hash(e.i-1) == e.hash, e.i+1 < int(pg.n) && pg.hash(e.i+1) == e.hash:
		return false
	case e.i == 0 && e.p > 0 && e.t.pages[e.p-1].last() == e.hash:
		return false
	case e.i+1 == int(pg.n) && e.p+1 < len(e.t.pages) && e.t.firsts[e.p+1] == e.hash:
		return false
	}
	return true
}

// Key is the entry's key.
func (e Entry) Key() string { return string(e.keyBytes()) }

// KeyView is Key without a copy; see the package comment.
func (e Entry) KeyView() string { return view(e.keyBytes()) }

// State is the entry's encoded state, in the encoding of its map's kind.
func (e Entry) State() string { return string(e.AppendState(nil)) }

// StateView is State without a copy where it lies in one piece, else put
// together in *buf; see the package comment.
func (e Entry) StateView(buf *[]byte) string {
	if !e.is(flagWord) {
		return view(e.packed())
	}
	*buf = e.AppendState((*buf)[:0])
	return view(*buf)
}

// AppendState appends the entry's state.
func (e Entry) AppendState(dst []byte) []byte {
	s := e.packed()
	if !e.is(flagWord) {
		return append(dst, s...)
	}
	at := e.t.word
	id, n := binary.Uvarint(s[at:])
	text := e.t.pool.words.list[id].text
	dst = append(dst, s[:at]...)
	dst = append(dst, byte(len(text)))
	dst = append(dst, text...)
	return append(dst, s[at+n:]...)
}

// StateLen is about the length of the state: its word is not counted.
func (e Entry) StateLen() int { return len(e.packed()) }

// AppendKey appends the entry's key.
func (e Entry) AppendKey(dst []byte) []byte { return append(dst, e.keyBytes()...) }

// CopyLen is the most bytes that key and state take together.
func (e Entry) CopyLen() int { return len(e.keyBytes()) + len(e.packed()) + e.wordLen() }

// Copy returns key and state in one piece of memory of their own.
func (e Entry) Copy() (key, state string) {
	b := e.AppendKey(make([]byte, 0, e.CopyLen()))
	k := len(b)
	b = e.AppendState(b)
	return view(b[:k]), view(b[k:])
}

// Cost is the memory that the entry takes, in bytes, without its share of what
// is unused in its page.
func (e Entry) Cost() int {
	n := slotSize + len(e.b)
	if e.is(flagOut) {
		n += cap(e.t.out[e.outID()])
	}
	return n
}

// Seq is the position in the partition's stream that wrote the state.
func (e Entry) Seq() uint64 { return binary.LittleEndian.Uint64(e.b[atSeq:]) }

// Arrival is the node's clock at that moment: milliseconds in the upper 48
// bits, counter in the lower 16.
func (e Entry) Arrival() uint64 { return binary.LittleEndian.Uint64(e.b[atArrival:]) }

// SetPlace sets Seq and Arrival.
func (e Entry) SetPlace(seq, arrival uint64) {
	binary.LittleEndian.PutUint64(e.b[atSeq:], seq)
	binary.LittleEndian.PutUint64(e.b[atArrival:], arrival)
}

// Sum is the entry hash that the Merkle tree holds for this key, 0 for none.
// While Stale is set it is the hash of an earlier state.
func (e Entry) Sum() uint32 { return binary.LittleEndian.Uint32(e.b[atSum:]) }

// SetSum sets Sum.
func (e Entry) SetSum(sum uint32) { binary.LittleEndian.PutUint32(e.b[atSum:], sum) }

// Used is when the entry was last read or written by its key, in seconds since
// the Unix epoch.
func (e Entry) Used() uint32 { return binary.LittleEndian.Uint32(e.b[atUsed:]) }

// SetUsed sets Used.
func (e Entry) SetUsed(sec uint32) { binary.LittleEndian.PutUint32(e.b[atUsed:], sec) }

// Stale reports whether Sum has to be computed again.
func (e Entry) Stale() bool { return e.is(flagStale) }

// SetStale sets or clears the mark that Stale reports.
func (e Entry) SetStale(on bool) { e.set(flagStale, on) }

func (e Entry) is(flag byte) bool { return e.b[atFlags]&flag != 0 }

func (e Entry) set(flag byte, on bool) {
	if on {
		e.b[atFlags] |= flag
	} else {
		e.b[atFlags] &^= flag
	}
}

// outID is the number of the block that has key and state.
func (e Entry) outID() uint32 { return binary.LittleEndian.Uint32(e.b[headSize:]) }

// tail is key length, key and state.
func (e Entry) tail() []byte {
	if e.is(flagOut) {
		return e.t.out[e.outID()]
	}
	return e.b[headSize:]
}

func (e Entry) keyBytes() []byte {
	b := e.tail()
	if n := int(b[0]); n < 0x80 {
		return b[1 : 1+n]
	}
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)]
}

// packed is the state as it lies, with the number of its word.
func (e Entry) packed() []byte {
	b := e.tail()
	if n := int(b[0]); n < 0x80 {
		return b[1+n:]
	}
	n, w := binary.Uvarint(b)
	return b[w+int(n):]
}

// wordID is the number of the state's word; it has one.
func (e Entry) wordID() uint32 {
	id, _ := binary.Uvarint(e.packed()[e.t.word:])
	return uint32(id)
}

// wordLen is what the word adds to the state at most.
func (e Entry) wordLen() int {
	if !e.is(flagWord) {
		return 0
	}
	return 1 + len(e.t.pool.words.list[e.wordID()].text)
}

// view looks at bytes as a string.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
