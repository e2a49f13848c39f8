package topgun

import (
	"cmp"
	"reflect"
)

// Field is an attribute of records of type T that holds a V. What is compared
// with it has to be a V, and what comes of it is for records of T only: the
// compiler says so.
//
// A field that is missing in a record, or nil, is neither equal nor unequal to
// anything, less or greater: only IsNull holds. That is so too where omitempty or
// omitzero has left out a zero.
//
// Fields are made once, such as in variables of a package, and may be used by
// many goroutines at once.
type Field[T, V any] struct{ name string }

// OrderedField is a Field of numbers or strings. Numbers are ordered by value,
// strings by their bytes.
type OrderedField[T any, V cmp.Ordered] struct{ Field[T, V] }

// TextField is a Field of strings.
type TextField[T any, V ~string] struct{ OrderedField[T, V] }

// ListField is a Field of lists with elements of type E.
type ListField[T, E any] struct{ Field[T, []E] }

// FieldOf returns a field of T, a struct: its name as it is encoded, which is the
// one that a json tag gives it, or names joined by dots for a field of a field. V
// is the type of the field; of a pointer, what it points to. In a map a name is a
// key, in a list the index of an element. Below an interface, or a Raw, names and
// V may be anything.
//
// If T has no such field, or it holds no V, the error is a *QueryError that says
// what there is.
func FieldOf[T, V any](name string) (Field[T, V], error) {
	t, err := locate(reflect.TypeFor[T](), name)
	if err == nil {
		err = holds(reflect.TypeFor[T](), name, t, reflect.TypeFor[V]())
	}
	if err != nil {
		return Field[T, V]{}, err
	}
	return Field[T, V]{name}, nil
}

// OrderedOf is FieldOf for numbers and strings. Types that are written as text,
// such as time.Time, are in no order.
func OrderedOf[T any, V cmp.Ordered](name string) (OrderedField[T, V], error) {
	f, err := FieldOf[T, V](name)
	if err == nil {
		err = inOrder(reflect.TypeFor[T](), name, reflect.TypeFor[V]())
	}
	if err != nil {
		return OrderedField[T, V]{}, err
	}
	return OrderedField[T, V]{f}, nil
}

// TextOf is FieldOf for strings.
func TextOf[T any, V ~string](name string) (TextField[T, V], error) {
	f, err := OrderedOf[T, V](name)
	return TextField[T, V]{f}, err
}

// ListOf is FieldOf for slices and arrays, but for bytes, which are one value.
func ListOf[T, E any](name string) (ListField[T, E], error) {
	t, err := locate(reflect.TypeFor[T](), name)
	if err == nil {
		err = lists(reflect.TypeFor[T](), name, t, reflect.TypeFor[E]())
	}
	if err != nil {
		return ListField[T, E]{}, err
	}
	return ListField[T, E]{Field[T, []E]{name}}, nil
}

// KeyOf returns the key of records as a field.
func KeyOf[T any]() TextField[T, string] {
	return TextField[T, string]{OrderedField[T, string]{Field[T, string]{keyField}}}
}

// Must returns a field, and panics if there is none. It is meant for variables of
// a package:
//
//	var title = topgun.Must(topgun.TextOf[Task, string]("title"))
func Must[F any](f F, err error) F {
	if err != nil {
		panic(err)
	}
	return f
}

// Name is the name as the server knows it, for a Query.
func (f Field[T, V]) Name() string { return f.name }

// Eq holds where the field equals v. Nothing equals a v that is nil: use IsNull.
func (f Field[T, V]) Eq(v V) Condition[T] { return f.is("eq", v) }

// Ne holds where the field is there and does not equal v.
func (f Field[T, V]) Ne(v V) Condition[T] { return f.is("neq", v) }

// In holds where the field equals one of vs, of which there may be 10 000.
func (f Field[T, V]) In(vs ...V) Condition[T] { return f.is("in", listOf(vs)) }

// IsNull holds where the field is missing or nil.
func (f Field[T, V]) IsNull() Condition[T] { return f.is("isNull", nil) }

// IsNotNull holds where the field is neither missing nor nil.
func (f Field[T, V]) IsNotNull() Condition[T] { return f.is("isNotNull", nil) }

// Asc orders by the field, the least first. Records without it come last.
func (f Field[T, V]) Asc() Order[T] { return Order[T]{Sort{By: f.name}} }

// Desc orders by the field, the greatest first, and records without it before
// them.
func (f Field[T, V]) Desc() Order[T] { return Order[T]{Sort{By: f.name, Descending: true}} }

func (f Field[T, V]) is(operator string, v any) Condition[T] {
	return Condition[T](Is(f.name, operator, v))
}

// Lt holds where the field is less than v.
func (f OrderedField[T, V]) Lt(v V) Condition[T] { return f.is("lt", v) }

// Le holds where the field is less than v or equal.
func (f OrderedField[T, V]) Le(v V) Condition[T] { return f.is("lte", v) }

// Gt holds where the field is greater than v.
func (f OrderedField[T, V]) Gt(v V) Condition[T] { return f.is("gt", v) }

// Ge holds where the field is greater than v or equal.
func (f OrderedField[T, V]) Ge(v V) Condition[T] { return f.is("gte", v) }

// Between holds where the field is neither less than low nor greater than high.
func (f OrderedField[T, V]) Between(low, high V) Condition[T] {
	return f.is("between", []V{low, high})
}

// HasPrefix holds where the field begins with prefix. Case counts.
func (f TextField[T, V]) HasPrefix(prefix string) Condition[T] { return f.is("startsWith", prefix) }

// HasSuffix holds where the field ends with suffix. Case counts.
func (f TextField[T, V]) HasSuffix(suffix string) Condition[T] { return f.is("endsWith", suffix) }

// Contains holds where part is somewhere in the field, whatever its case.
func (f TextField[T, V]) Contains(part string) Condition[T] { return f.is("contains", part) }

// Like holds where the whole field fits a pattern, whatever its case: % is any run
// of characters, _ is one.
func (f TextField[T, V]) Like(pattern string) Condition[T] { return f.is("like", pattern) }

// Matches holds where the field contains a match of a regular expression in RE2
// syntax. A pattern that is none is told by the query.
func (f TextField[T, V]) Matches(pattern string) Condition[T] { return f.is("regex", pattern) }

// Contains holds where the list has an element equal to e.
func (f ListField[T, E]) Contains(e E) Condition[T] { return f.is("contains", e) }

// ContainsAll holds where the list has all of es, of which there may be 1024.
func (f ListField[T, E]) ContainsAll(es ...E) Condition[T] { return f.is("containsAll", listOf(es)) }

// ContainsAny holds where the list has one of es, of which there may be 1024.
func (f ListField[T, E]) ContainsAny(es ...E) Condition[T] { return f.is("containsAny", listOf(es)) }

// listOf makes a list of what may be bytes, and of nothing.
func listOf[V any](vs []V) []any {
	out := make([]any, len(vs))
	for i, v := range vs {
		out[i] = v
	}
	return out
}
