package conditions

import (
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
}

// seat is a place in a bucket.
type seat[T any] struct {
	bucket *bucket[T]
	at     int
}

// bucket are conditions that are visited together.
type bucket[T any] struct {
	filed []tenant[T]

	// drop takes the bucket out of where it is found; nil for that of the
	// conditions that are always visited.
	drop func()
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
	x.size++
	if n != nil {
		if spots, ok := spotsOf(n, x.filedUnder); ok {
			for _, s := range spots {
				x.attribute(s.attribute).bucket(x, &s).add(e)
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
		e.filed[i].bucket.remove(e.filed[i].at)
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
	if b.filed = b.filed[:last]; last == 0 && b.drop != nil {
		b.drop()
	}
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

// tidy forgets an attribute under which nothing is filed.
func (x *Index[T]) tidy(a *attribute[T]) {
	if a.buckets > 0 {
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
		var v value.Raw
		var scratch [64]byte
		if a.name == predicate.KeyAttribute {
			v = value.AppendStr(scratch[:0], key)
		} else {
			v, _ = value.Lookup(doc, a.path)
		}
		if !a.visit(v, f) {
			return false
		}
	}
	return true
}
