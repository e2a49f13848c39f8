package index

import (
	"bytes"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Range is a part of an index: the entries from From on that are less than To. A
// nil To is the end. Desc reads the terms from the greatest to the least; within
// one term keys ascend either way.
type Range struct {
	From, To []byte
	Desc     bool
}

func (r Range) has(b []byte) bool {
	return bytes.Compare(b, r.From) >= 0 && (r.To == nil || bytes.Compare(b, r.To) < 0)
}

// Cursor is a place in a range: behind the entry Last. The zero Cursor is the
// beginning. Done is behind the end.
type Cursor struct {
	Last []byte
	Done bool
}

// passed reports whether an entry whose term is so long is at or before the
// cursor.
func (c Cursor) passed(term int, b []byte, desc bool) bool {
	switch {
	case c.Done:
		return true
	case c.Last == nil:
		return false
	case !desc:
		return bytes.Compare(b, c.Last) <= 0
	}
	// Terms descend, keys ascend.
	if bytes.HasPrefix(c.Last, b[:term]) {
		return bytes.Compare(b, c.Last) <= 0
	}
	return bytes.Compare(b, c.Last) > 0
}

// Read calls fn with the keys of a range from a cursor on, each with its entry,
// until fn returns false, and returns the cursor behind the last key. The entry
// is valid during the call. fn must not change the index.
func (x *Index) Read(r Range, c Cursor, fn func(key string, entry []byte) bool) Cursor {
	switch {
	case c.Done:
		return c
	case r.Desc:
		return x.readDown(r, c, fn)
	}
	from := r.From
	if c.Last != nil {
		from = append(slices.Clone(c.Last), 0)
	}
	return x.readUp(from, r.To, fn)
}

// readUp reads entries in their order.
func (x *Index) readUp(from, to []byte, fn func(key string, entry []byte) bool) Cursor {
	end := Cursor{Done: true}
	x.set.Ascend(from, to, func(b []byte) bool {
		if fn(string(b[x.termLen(b):]), b) {
			return true
		}
		end = Cursor{Last: slices.Clone(b)}
		return false
	})
	return end
}

// readDown reads term by term, the greatest first.
func (x *Index) readDown(r Range, c Cursor, fn func(key string, entry []byte) bool) Cursor {
	below := r.To
	if c.Last != nil {
		term := slices.Clone(c.Last[:x.termLen(c.Last)])
		end := x.readUp(append(slices.Clone(c.Last), 0), least(after(slices.Clone(term)), r.To), fn)
		if !end.Done {
			return end
		}
		below = term
	}
	for {
		b := x.set.Before(below)
		if b == nil || bytes.Compare(b, r.From) < 0 {
			return Cursor{Done: true}
		}
		term := slices.Clone(b[:x.termLen(b)])
		from := term
		if bytes.Compare(from, r.From) < 0 {
			from = r.From
		}
		if end := x.readUp(from, least(after(slices.Clone(term)), r.To), fn); !end.Done {
			return end
		}
		below = term
	}
}

// least is the lesser of two ends, nil being none.
func least(a, b []byte) []byte {
	if a == nil || b != nil && bytes.Compare(b, a) < 0 {
		return b
	}
	return a
}

// Count is how many entries a range has.
func (x *Index) Count(r Range) int { return x.set.Count(r.From, r.To) }

// Prefix is the range of all entries that begin with b.
func Prefix(b []byte) Range { return Range{From: b, To: after(slices.Clone(b))} }

// Equal is the range of the records in which the fields have these values: all
// fields in a hash index, the first ones in an ordered index.
func (d Definition) Equal(values ...value.Raw) Range {
	if d.Kind == Hash {
		return Prefix(hashTerm(nil, values))
	}
	term, _ := orderedTerm(nil, values)
	return Prefix(term)
}

// Bound is one end of a range of values.
type Bound struct {
	Value value.Raw // nil: the end of the values of the other bound's type
	Open  bool      // the value itself is not in the range
}

// Between is the range of the records whose first fields equal prefix and whose
// next one lies between two values of one type; one of them may be absent. The
// index must be an ordered one.
func (d Definition) Between(prefix []value.Raw, low, high Bound) Range {
	head, _ := orderedTerm(nil, prefix)
	of := low.Value
	if of == nil {
		of = high.Value
	}
	first, _ := value.AppendOrdered(slices.Clone(head), of, termLimit)
	kind := first[:len(head)+1] // all values of one type begin with one byte
	r := Prefix(slices.Clone(kind))
	if low.Value != nil {
		// A value that is cut shares its term with greater ones: it stays in.
		term, whole := value.AppendOrdered(slices.Clone(head), low.Value, termLimit)
		if r.From = term; low.Open && whole {
			r.From = after(slices.Clone(term))
		}
	}
	if high.Value != nil {
		term, whole := value.AppendOrdered(slices.Clone(head), high.Value, termLimit)
		if r.To = term; !high.Open || !whole {
			r.To = after(slices.Clone(term))
		}
	}
	return r
}

// StartsWith is the range of the records whose first fields equal prefix and
// whose next one is a string that begins with s. The index must be an ordered one.
func (d Definition) StartsWith(prefix []value.Raw, s string) Range {
	head, _ := orderedTerm(nil, prefix)
	return Prefix(value.AppendOrderedPrefix(head, s, termLimit))
}

// Contains are the ranges of the records whose field, an array, has the element,
// and of those that have to be read to know: strings, which may contain a text,
// and long arrays. The index must be an inverted one.
func (d Definition) Contains(element value.Raw) []Range {
	term, _ := value.AppendOrdered([]byte{invertedElement}, element, termLimit)
	ranges := []Range{Prefix(term), Prefix([]byte{invertedMore})}
	if element.Kind() == value.KindStr {
		ranges = append(ranges, Prefix([]byte{invertedText}))
	}
	return ranges
}
