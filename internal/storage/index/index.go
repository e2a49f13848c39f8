package index

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Index is one index of the records that one lane has of a map.
type Index struct {
	Definition

	paths []value.Path
	set   Set
	cut   int // entries whose term holds part of a value only

	// scratch
	values   []value.Raw
	old, new []entry
}

// entry is one entry of a record.
type entry struct {
	bytes []byte
	cut   bool
}

// New makes an empty index.
func New(d Definition) *Index { return &Index{Definition: d, paths: d.paths()} }

// Len is the number of entries: of records, but in an inverted index.
func (x *Index) Len() int { return x.set.Len() }

// Bytes is the memory that the index takes.
func (x *Index) Bytes() int { return x.set.Bytes() }

// Whole reports whether every term holds all of its values, so that the order of
// the entries is that of the records.
func (x *Index) Whole() bool { return x.cut == 0 }

// Update replaces what the index has of a key: before and after are the values
// that the record had and has, nil for none. It is legal to repeat it.
func (x *Index) Update(key string, before, after value.Raw) {
	x.old = x.entries(x.old[:0], key, before)
	x.new = x.entries(x.new[:0], key, after)
	for _, e := range x.old {
		if !slices.ContainsFunc(x.new, e.same) && x.set.Delete(e.bytes) && e.cut {
			x.cut--
		}
	}
	for _, e := range x.new {
		if !slices.ContainsFunc(x.old, e.same) {
			x.insert(e)
		}
	}
}

// Put adds what a record has, whether the index had something of the key or not.
func (x *Index) Put(key string, v value.Raw) {
	x.new = x.entries(x.new[:0], key, v)
	for _, e := range x.new {
		x.insert(e)
	}
}

func (x *Index) insert(e entry) {
	if x.set.Insert(e.bytes) && e.cut {
		x.cut++
	}
}

func (e entry) same(o entry) bool { return slices.Equal(e.bytes, o.bytes) }

// entries appends the entries of a record, reusing the memory of those that were
// in dst before.
func (x *Index) entries(dst []entry, key string, v value.Raw) []entry {
	if missing(v) {
		return dst
	}
	x.values = x.values[:0]
	for _, p := range x.paths {
		f, _ := value.Lookup(v, p)
		x.values = append(x.values, f)
	}
	add := func(term []byte, cut bool) {
		dst = append(dst, entry{append(term, key...), cut})
	}
	room := func() []byte {
		if len(dst) < cap(dst) {
			return dst[:len(dst)+1][len(dst)].bytes[:0]
		}
		return nil
	}
	switch x.Kind {
	case Hash:
		add(hashTerm(room(), x.values), false)
	case Ordered:
		term, whole := orderedTerm(room(), x.values)
		add(term, !whole)
	case Inverted:
		for _, t := range invertedTerms(x.values[0]) {
			add(append(room(), t...), false)
		}
	}
	return dst
}

// Covers reports whether what has been read up to a cursor contains the entries
// of a record in a range: the record has one, and it is behind the cursor.
func (x *Index) Covers(r Range, c Cursor, key string, v value.Raw) bool {
	for _, e := range x.entries(nil, key, v) {
		if r.has(e.bytes) && c.passed(x.termLen(e.bytes), e.bytes, r.Desc) {
			return true
		}
	}
	return false
}

// Drop removes the entries of keys for which gone returns true.
func (x *Index) Drop(gone func(key string) bool) {
	var out [][]byte
	x.set.Ascend(nil, nil, func(b []byte) bool {
		if gone(string(b[x.termLen(b):])) {
			out = append(out, slices.Clone(b))
		}
		return true
	})
	for _, b := range out {
		x.set.Delete(b)
	}
	if x.set.Len() == 0 {
		x.cut = 0
	}
}

// Holds reports whether an entry is one that a record has: an index may lead to
// a record that has changed since.
func (x *Index) Holds(entry []byte, key string, v value.Raw) bool {
	x.old = x.entries(x.old[:0], key, v)
	for _, e := range x.old {
		if slices.Equal(e.bytes, entry) {
			return true
		}
	}
	return false
}

// Forget removes an entry that no record has.
func (x *Index) Forget(entry []byte) { x.set.Delete(entry) }
