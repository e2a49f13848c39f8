package conditions

import (
	"bytes"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Index holds conditions, each with a value of the caller's. The zero Index is
// empty and ready to use. It is not safe for concurrent use; concurrent calls of
// Visit are.
type Index[T any] struct {
	attributes []*attribute[T]
	always     bucket[T]
	size       int
}

// Entry is one condition of an Index.
type Entry[T any] struct {
	v     T
	filed []seat[T]
	one   [1]seat[T] // room for filed, since most have no more
}

// seat is a place in a bucket.
type seat[T any] struct {
	bucket *bucket[T]
	at     int
}

// bucket are conditions that are visited together.
type bucket[T any] struct {
	filed []tenant[T]

	one [1]tenant[T] // room for filed

	// of says where the bucket is found, nil for that of the conditions that are
	// always visited: by how, and by its name or span.
	of   *attribute[T]
	how  how
	name string
	span *span
}

// tenant is an entry in a bucket, and which of its seats this is.
type tenant[T any] struct {
	entry *Entry[T]
	seat  int
}

// Len is the number of conditions.
func (x *Index[T]) Len() int { return x.size }

// Add files a condition; a nil one always holds. The Index keeps views of the
// node's values.
func (x *Index[T]) Add(n *predicate.Node, v T) *Entry[T] {
	e := &Entry[T]{v: v}
	e.filed = e.one[:0]
	x.size++
	if n != nil {
		if spots, ok := spotsOf(n, x.filedUnder); ok {
			for _, s := range spots {
				x.attribute(s.attribute).bucket(&s).add(e)
			}
			return e
		}
	}
	x.always.add(e)
	return e
}

// Remove takes a condition out again, once.
func (x *Index[T]) Remove(e *Entry[T]) {
	x.size--
	for i := range e.filed {
		// Seats move when others are given up: ask where this one is now.
		b := e.filed[i].bucket
		b.remove(e.filed[i].at)
		if len(b.filed) == 0 && b.of != nil {
			x.close(b)
		}
	}
	e.filed = nil
}

func (b *bucket[T]) add(e *Entry[T]) {
	e.filed = append(e.filed, seat[T]{b, len(b.filed)})
	b.filed = append(b.filed, tenant[T]{e, len(e.filed) - 1})
}

func (b *bucket[T]) remove(at int) {
	last := len(b.filed) - 1
	moved := b.filed[last]
	b.filed[at] = moved
	moved.entry.filed[moved.seat].at = at
	b.filed[last] = tenant[T]{}
	b.filed = b.filed[:last]
}

// visit reports whether it got through.
func (b *bucket[T]) visit(f func(T) bool) bool {
	for i := range b.filed {
		if !f(b.filed[i].entry.v) {
			return false
		}
	}
	return true
}

// filedUnder estimates how many conditions are visited for a document that has a
// spot.
func (x *Index[T]) filedUnder(s spot) int {
	for _, a := range x.attributes {
		if a.name == s.attribute {
			return a.filedUnder(&s)
		}
	}
	return 0
}

func (x *Index[T]) attribute(name string) *attribute[T] {
	for _, a := range x.attributes {
		if a.name == name {
			return a
		}
	}
	a := newAttribute[T](name)
	x.attributes = append(x.attributes, a)
	return a
}

// close takes an empty bucket out of where it is found, and an attribute under
// which nothing is filed with it.
func (x *Index[T]) close(b *bucket[T]) {
	a := b.of
	if a.close(b); a.buckets > 0 {
		return
	}
	for i := range x.attributes {
		if x.attributes[i] == a {
			x.attributes = append(x.attributes[:i], x.attributes[i+1:]...)
			return
		}
	}
}

// Visit calls f for the value of every condition that holds for a record, and
// for some that do not, until f returns false. It may call f for one condition
// more than once. It reports whether it got through.
func (x *Index[T]) Visit(key string, doc value.Raw, f func(T) bool) bool {
	if !x.always.visit(f) {
		return false
	}
	for _, a := range x.attributes {
		if !a.visit(a.of(key, doc), f) {
			return false
		}
	}
	return true
}

// VisitChange is Visit for a record that changes from one document to another: it
// finds what holds for either. A document that is not there is nil, and nothing
// is looked for in it.
func (x *Index[T]) VisitChange(key string, before, after value.Raw, f func(T) bool) bool {
	switch {
	case before == nil && after == nil:
		return true
	case before == nil:
		return x.Visit(key, after, f)
	case after == nil:
		return x.Visit(key, before, f)
	case !x.always.visit(f):
		return false
	}
	for _, a := range x.attributes {
		was, is := a.of(key, before), a.of(key, after)
		if !a.visit(is, f) || !bytes.Equal(was, is) && !a.visit(was, f) {
			return false
		}
	}
	return true
}
