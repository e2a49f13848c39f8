package conditions

import (
	"github.com/topgunbuild/topgun-go/internal/core/ordered"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// attribute is what is filed under one path.
type attribute[T any] struct {
	name    string
	path    value.Path
	buckets int

	missing  *bucket[T]
	equals   names[T] // by normal form
	elements names[T] // the same
	spans    [classes]*ordered.Tree[interval[T]]
	begins   names[T]
	lengths  map[int]int // of the beginnings, and how many have it
}

func newAttribute[T any](name string) *attribute[T] {
	return &attribute[T]{name: name, path: value.ParsePath(name)}
}

// filedUnder is Index.filedUnder. Without looking, a value is taken to lie in one
// of 64 intervals that have both ends, and in one of four that have one.
func (a *attribute[T]) filedUnder(s *spot) int {
	var b *bucket[T]
	switch s.how {
	case missing:
		b = a.missing
	case equals:
		b = a.equals.find(value.AppendNormal(nil, s.value))
	case element:
		b = a.elements.find(value.AppendNormal(nil, s.value))
	case begins:
		b = a.begins.buckets[s.text]
	case within:
		return a.around(s.span)
	}
	if b == nil {
		return 0
	}
	return len(b.filed)
}

func (a *attribute[T]) around(s span) int {
	t := a.spans[s.class]
	if t == nil {
		return 0
	}
	n := t.Len() / 4
	if s.low != nil && s.high != nil {
		n = t.Len() / 64
	}
	if same := t.Find(&interval[T]{span: s}); same != nil {
		n += len(same.filed.filed)
	}
	return n
}

// bucket returns the bucket of a spot, making it if there is none.
func (a *attribute[T]) bucket(s *spot) *bucket[T] {
	switch s.how {
	case equals:
		return a.named(&a.equals, s.how, string(value.AppendNormal(nil, s.value)))
	case element:
		return a.named(&a.elements, s.how, string(value.AppendNormal(nil, s.value)))
	case begins:
		b := a.named(&a.begins, s.how, s.text)
		if len(b.filed) == 0 {
			if a.lengths == nil {
				a.lengths = map[int]int{}
			}
			a.lengths[len(s.text)]++
		}
		return b
	case within:
		return a.span(s)
	}
	if a.missing == nil {
		a.missing = a.open(missing)
	}
	return a.missing
}

func (a *attribute[T]) open(h how) *bucket[T] {
	a.buckets++
	b := &bucket[T]{of: a, how: h}
	b.filed = b.one[:0]
	return b
}

// named finds a bucket by its name or puts it there.
func (a *attribute[T]) named(in *names[T], h how, name string) *bucket[T] {
	if b := in.buckets[name]; b != nil {
		return b
	}
	b := a.open(h)
	b.name = name
	in.put(name, b)
	return b
}

func (a *attribute[T]) span(s *spot) *bucket[T] {
	t := a.spans[s.span.class]
	if t == nil {
		t = newIntervals[T]()
		a.spans[s.span.class] = t
	}
	i := t.Put(interval[T]{span: s.span})
	if i.filed == nil {
		i.filed = a.open(within)
		i.filed.span = &i.span
	}
	return i.filed
}

// close takes out a bucket.
func (a *attribute[T]) close(b *bucket[T]) {
	a.buckets--
	switch b.how {
	case equals:
		a.equals.remove(b.name)
	case element:
		a.elements.remove(b.name)
	case begins:
		a.begins.remove(b.name)
		if n := len(b.name); a.lengths[n] == 1 {
			delete(a.lengths, n)
		} else {
			a.lengths[n]--
		}
	case within:
		a.spans[b.span.class].Remove(&interval[T]{span: *b.span})
	default:
		a.missing = nil
	}
}

// of is what the attribute is of a record.
func (a *attribute[T]) of(key string, doc value.Raw) value.Raw {
	if a.name == predicate.KeyAttribute {
		return value.AppendStr(nil, key)
	}
	v, _ := value.Lookup(doc, a.path)
	return v
}

// visit calls f for what is filed under a value that the attribute has.
func (a *attribute[T]) visit(v value.Raw, f func(T) bool) bool {
	switch v.Kind() {
	case value.KindInvalid, value.KindNil:
		return a.missing == nil || a.missing.visit(f)
	case value.KindArray:
		if !a.visitElements(v, f) {
			return false
		}
	case value.KindStr:
		if !a.visitBeginnings(v, f) {
			return false
		}
	}
	if !a.equals.visit(v, f) {
		return false
	}
	t := a.spans[classOf(v)]
	if t == nil {
		return true
	}
	through := true
	t.Visit(
		func(i *interval[T]) bool { return i.farthest.endsBehind(v) },
		func(i *interval[T]) bool {
			if !i.span.startsBefore(v) {
				return false
			}
			if i.span.endsBehind(v) {
				through = i.filed.visit(f)
			}
			return through
		})
	return through
}

func (a *attribute[T]) visitElements(v value.Raw, f func(T) bool) bool {
	if len(a.elements.buckets) == 0 {
		return true
	}
	for e := range value.Elements(v) {
		if !a.elements.visit(e, f) {
			return false
		}
	}
	return true
}

func (a *attribute[T]) visitBeginnings(v value.Raw, f func(T) bool) bool {
	if len(a.begins.buckets) == 0 {
		return true
	}
	r := value.NewReader(v)
	s := r.StrBytes()
	for n := range a.lengths {
		if n > len(s) {
			continue
		}
		if b := a.begins.find(s[:n]); b != nil && !b.visit(f) {
			return false
		}
	}
	return true
}
