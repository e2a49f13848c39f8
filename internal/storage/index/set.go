package index

import (
	"bytes"
	"slices"
	"sort"
)

// The size of a page: beyond pageBytes it is split. A page holds one entry at
// least, however long.
const (
	pageBytes = 4 << 10
	slotBytes = 4
)

// maxPageEntries bounds the entries of a page, so that an insertion moves little.
const maxPageEntries = 512

// Set is an ordered set of byte strings. The zero Set is empty and ready to use.
type Set struct {
	pages []*page
	count int
	bytes int // of the pages' memory
}

// page holds entries in data, in the order of their making, and their places in
// the order of the entries.
type page struct {
	slots []slot
	data  []byte
	dead  int // bytes of data that no slot names
}

type slot struct {
	off  uint32
	size uint32
}

// Len is the number of entries.
func (s *Set) Len() int { return s.count }

// Bytes is the memory that the set takes.
func (s *Set) Bytes() int { return s.bytes + 8*cap(s.pages) }

func (p *page) entry(i int) []byte {
	e := p.slots[i]
	return p.data[e.off : e.off+e.size : e.off+e.size]
}

func (p *page) memory() int { return cap(p.data) + slotBytes*2*cap(p.slots) + 56 }

// lowerBound is the first entry that is not less than b.
func (p *page) lowerBound(b []byte) int {
	return sort.Search(len(p.slots), func(i int) bool { return bytes.Compare(p.entry(i), b) >= 0 })
}

// pageOf is the last page whose first entry is not greater than b, or the first
// page.
func (s *Set) pageOf(b []byte) int {
	n := sort.Search(len(s.pages), func(i int) bool { return bytes.Compare(s.pages[i].entry(0), b) > 0 })
	return max(n-1, 0)
}

// Insert adds a copy of b and reports whether it was not there.
func (s *Set) Insert(b []byte) bool {
	if len(s.pages) == 0 {
		p := &page{}
		p.insert(0, b)
		s.pages = append(s.pages, p)
		s.bytes, s.count = p.memory(), 1
		return true
	}
	n := s.pageOf(b)
	p := s.pages[n]
	i := p.lowerBound(b)
	if i < len(p.slots) && bytes.Equal(p.entry(i), b) {
		return false
	}
	was := p.memory()
	p.insert(i, b)
	s.bytes += p.memory() - was
	s.count++
	if len(p.slots) > 1 && (len(p.data)-p.dead > pageBytes || len(p.slots) > maxPageEntries) {
		s.split(n)
	}
	return true
}

func (p *page) insert(i int, b []byte) {
	if len(p.data)+len(b) > cap(p.data) && p.dead > len(p.data)/4 {
		p.compact(len(b))
	}
	p.slots = slices.Insert(p.slots, i, slot{uint32(len(p.data)), uint32(len(b))})
	p.data = append(p.data, b...)
}

// compact takes out what is dead, leaving room.
func (p *page) compact(room int) {
	data := make([]byte, 0, len(p.data)-p.dead+room)
	for i := range p.slots {
		e := p.entry(i)
		p.slots[i].off = uint32(len(data))
		data = append(data, e...)
	}
	p.data, p.dead = data, 0
}

// split moves the upper half of a page to a new one behind it. Entries that came
// in order leave full pages behind.
func (s *Set) split(n int) {
	p := s.pages[n]
	s.bytes -= p.memory()
	half := len(p.slots) / 2
	if n == len(s.pages)-1 && int(p.slots[len(p.slots)-1].off+p.slots[len(p.slots)-1].size) == len(p.data) {
		half = len(p.slots) - 1
	}
	right := &page{}
	for i := half; i < len(p.slots); i++ {
		right.insert(i-half, p.entry(i))
		p.dead += int(p.slots[i].size)
	}
	p.slots = slices.Clip(p.slots[:half:half])
	p.compact(0)
	s.pages = slices.Insert(s.pages, n+1, right)
	s.bytes += p.memory() + right.memory()
}

// Delete removes b and reports whether it was there.
func (s *Set) Delete(b []byte) bool {
	if len(s.pages) == 0 {
		return false
	}
	n := s.pageOf(b)
	p := s.pages[n]
	i := p.lowerBound(b)
	if i == len(p.slots) || !bytes.Equal(p.entry(i), b) {
		return false
	}
	was := p.memory()
	p.dead += int(p.slots[i].size)
	p.slots = slices.Delete(p.slots, i, i+1)
	if p.dead > pageBytes/2 {
		p.compact(0)
	}
	s.bytes += p.memory() - was
	s.count--
	s.tidy(n)
	return true
}

// tidy removes an empty page, and joins a small one with the one behind it.
func (s *Set) tidy(n int) {
	p := s.pages[n]
	if len(p.slots) == 0 {
		s.bytes -= p.memory()
		s.pages = slices.Delete(s.pages, n, n+1)
		return
	}
	if n+1 == len(s.pages) {
		return
	}
	next := s.pages[n+1]
	if len(p.data)-p.dead+len(next.data)-next.dead > pageBytes/2 || len(p.slots)+len(next.slots) > maxPageEntries/2 {
		return
	}
	s.bytes -= p.memory() + next.memory()
	for i := range next.slots {
		p.insert(len(p.slots), next.entry(i))
	}
	s.bytes += p.memory()
	s.pages = slices.Delete(s.pages, n+1, n+2)
}

// Ascend calls fn for the entries from the first that is not less than from, in
// order, until one is not less than to or fn returns false. A nil to is the end.
// The entry is valid during the call; fn must not change the set.
func (s *Set) Ascend(from, to []byte, fn func(b []byte) bool) {
	if len(s.pages) == 0 {
		return
	}
	n := s.pageOf(from)
	for i := s.pages[n].lowerBound(from); n < len(s.pages); n, i = n+1, 0 {
		p := s.pages[n]
		for ; i < len(p.slots); i++ {
			e := p.entry(i)
			if to != nil && bytes.Compare(e, to) >= 0 || !fn(e) {
				return
			}
		}
	}
}

// Before returns the last entry that is less than b, the last of all when b is
// nil, or nil. It is valid until the set changes.
func (s *Set) Before(b []byte) []byte {
	if len(s.pages) == 0 {
		return nil
	}
	n := len(s.pages) - 1
	i := len(s.pages[n].slots)
	if b != nil {
		n = s.pageOf(b)
		i = s.pages[n].lowerBound(b)
	}
	if i == 0 {
		if n == 0 {
			return nil
		}
		n--
		i = len(s.pages[n].slots)
	}
	return s.pages[n].entry(i - 1)
}

// Count is how many entries are not less than from and less than to; a nil to is
// the end. It costs a look at each page between them, not at each entry.
func (s *Set) Count(from, to []byte) int {
	if len(s.pages) == 0 || to != nil && bytes.Compare(from, to) >= 0 {
		return 0
	}
	first := s.pageOf(from)
	last := len(s.pages) - 1
	if to != nil {
		last = s.pageOf(to)
	}
	count := -s.pages[first].lowerBound(from)
	for n := first; n < last; n++ {
		count += len(s.pages[n].slots)
	}
	if to == nil {
		return count + len(s.pages[last].slots)
	}
	return count + s.pages[last].lowerBound(to)
}
