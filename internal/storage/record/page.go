package record

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// page is some entries in the order of (hash, key). From the front of its block
// grow the slots, from the end the bodies:
//
//	| slot 0 | slot 1 | ... | free | body | body | ... |
//	                  8*n     low                 cap
//
// A slot is the entry's hash and the place and length of its body. Bodies lie in
// no order, and what a replaced one leaves behind is used again when the page is
// packed.
type page struct {
	buf  []byte
	n    uint16 // slots
	low  uint16 // where the bodies begin
	live uint16 // bytes of bodies in use
}

const (
	slotSize = 8
	maxPage  = 4096

	// pageStruct is the size of a page without its block.
	pageStruct = int(unsafe.Sizeof(page{}))
)

// classes are the sizes of blocks: sizes that the allocator of Go has, so that
// nothing is lost to rounding.
var classes = [...]int{128, 192, 256, 384, 512, 640, 768, 1024, 1280, 1536, 1792, 2048, 2304, 2688, 3072, 3456, maxPage}

// classOf is the index of the smallest class that holds size bytes, at most
// maxPage.
func classOf(size int) int {
	c, _ := slices.BinarySearch(classes[:], size)
	return c
}

func (p *page) hash(i int) uint32 { return binary.LittleEndian.Uint32(p.buf[i*slotSize:]) }

func (p *page) last() uint32 { return p.hash(int(p.n) - 1) }

func (p *page) body(i int) []byte {
	s := p.buf[i*slotSize+4:]
	off := int(binary.LittleEndian.Uint16(s))
	end := off + int(binary.LittleEndian.Uint16(s[2:]))
	return p.buf[off:end:end]
}

func (p *page) setSlot(i int, hash uint32, off, size int) {
	s := p.buf[i*slotSize : i*slotSize+slotSize]
	binary.LittleEndian.PutUint32(s, hash)
	binary.LittleEndian.PutUint16(s[4:], uint16(off))
	binary.LittleEndian.PutUint16(s[6:], uint16(size))
}

// used is the bytes that the page needs, gap is those that are free in one
// piece.
func (p *page) used() int { return int(p.n)*slotSize + int(p.live) }
func (p *page) gap() int  { return int(p.low) - int(p.n)*slotSize }

// lowerBound is the first slot whose hash is not less than hash.
func (p *page) lowerBound(hash uint32) int {
	lo, hi := 0, int(p.n)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if p.hash(mid) < hash {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// open makes slot i with a body of size bytes, for which there is a gap.
func (p *page) open(i int, hash uint32, size int) []byte {
	copy(p.buf[(i+1)*slotSize:], p.buf[i*slotSize:int(p.n)*slotSize])
	p.n++
	p.low -= uint16(size)
	p.live += uint16(size)
	p.setSlot(i, hash, int(p.low), size)
	return p.body(i)
}

// close removes slot i.
func (p *page) close(i int) {
	p.live -= uint16(len(p.body(i)))
	copy(p.buf[i*slotSize:], p.buf[(i+1)*slotSize:int(p.n)*slotSize])
	p.n--
}

// resize gives slot i a body of another size, which begins with what fits of the
// old one. A larger one needs a gap of its whole size.
func (p *page) resize(i, size int) []byte {
	old := p.body(i)
	off := int(binary.LittleEndian.Uint16(p.buf[i*slotSize+4:]))
	if size > len(old) {
		p.low -= uint16(size)
		off = int(p.low)
		copy(p.buf[off:], old)
	}
	p.live += uint16(size) - uint16(len(old))
	p.setSlot(i, p.hash(i), off, size)
	return p.body(i)
}

// take appends the slots from to to of another page, for which there is a gap.
func (p *page) take(from *page, first, end int) {
	for i := first; i < end; i++ {
		copy(p.open(int(p.n), from.hash(i), len(from.body(i))), from.body(i))
	}
}
