package topgun

import (
	"context"
	"iter"
	"reflect"
	"slices"
)

// Condition is a Predicate on records of type T. The zero Condition holds for
// all. All, Any and Not combine conditions. One that no field can say is made of
// a Predicate, as in
//
//	topgun.Condition[Task](topgun.Is("title", "endsWith", "!"))
//
// and the other way round, for a Query, a Predicate of a Condition.
type Condition[T any] struct {
	node map[string]any
}

// Order says by which field records of type T are ordered; see Field.Asc.
type Order[T any] struct{ sort Sort }

// AnyField is a field of T, whatever it holds.
type AnyField[T any] interface {
	Name() string
	Asc() Order[T]
}

// Selection is a Query about records of type T, a struct, with the parts that a
// compiler can check. It is a value: its methods return another Selection and
// leave it as it is, so a part may be kept and used many times.
//
//	urgent := topgun.Where(done.Eq(false), priority.Ge(3)).Sort(priority.Desc()).Limit(20)
//	live, err := urgent.Query(ctx, tasks)
type Selection[T any] struct{ query Query }

// Where selects the records for which all conditions hold. Without any, as in
// Where[Task](), these are all records.
func Where[T any](conditions ...Condition[T]) Selection[T] {
	var s Selection[T]
	if len(conditions) > 0 {
		s.query.Predicate = Predicate(All(conditions...))
	}
	return s
}

// Sort orders the rows, by each field where those before are equal, and last by
// key. It takes the place of an earlier Sort.
func (s Selection[T]) Sort(by ...Order[T]) Selection[T] {
	s.query.Sort = make([]Sort, len(by))
	for i, o := range by {
		s.query.Sort[i] = o.sort
	}
	return s
}

// Limit is the most rows; 0 is the server's own limit, 10 000 by default.
func (s Selection[T]) Limit(n int) Selection[T] {
	s.query.Limit = n
	return s
}

// Fields leaves out all other fields: they are zero in the rows. Of a field of a
// field, the whole outermost one comes.
func (s Selection[T]) Fields(fields ...AnyField[T]) Selection[T] {
	s.query.Fields = nil
	for _, f := range fields {
		_, outermost, _ := step(reflect.TypeFor[T](), f.Name())
		if outermost == "" { // it is the key, which is in no value and always comes
			outermost = keyField
		}
		if !slices.Contains(s.query.Fields, outermost) {
			s.query.Fields = append(s.query.Fields, outermost)
		}
	}
	return s
}

// Total asks for Result.Total.
func (s Selection[T]) Total() Selection[T] {
	s.query.Total = true
	return s
}

// After continues behind an earlier result: its Cursor. It belongs to the same
// conditions and Sort, and to the method that has given the result, Query or
// QueryLocal.
func (s Selection[T]) After(cursor string) Selection[T] {
	s.query.After = cursor
	return s
}

// Untyped is the same as a Query, for what a Selection has not: groups, and maps
// that hold something else.
func (s Selection[T]) Untyped() Query {
	q := s.query
	q.Sort, q.Fields = slices.Clone(q.Sort), slices.Clone(q.Fields)
	return q
}

// Query returns a live result from the server; see Map.Query. The row of a record
// that did not change has the pointer that it had in the result before, so that
// comparing pointers tells what has changed. What it points to must not be
// written to.
func (s Selection[T]) Query(ctx context.Context, m *Map[T]) (*Subscription[Result[*T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	return query[*T](ctx, m.client, m.name, s.query, false)
}

// QueryLocal returns a live result from the replica; see Map.QueryLocal. Rows are
// as in Query.
func (s Selection[T]) QueryLocal(ctx context.Context, m *Map[T]) (*Subscription[Result[*T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	return queryLocal[*T](ctx, m.client, s.query, m.replica.source())
}

// Pages returns the whole result page by page; see Map.Pages.
func (s Selection[T]) Pages(ctx context.Context, m *Map[T]) iter.Seq2[[]Row[*T], error] {
	return pages(s.query, func(q Query) (*Subscription[Result[*T]], error) {
		s.query = q
		return s.Query(ctx, m)
	})
}
