package topgun

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Query selects records of a map. The zero Query selects all.
type Query struct {
	// Where are attributes and what they have to be equal to. A value that is a
	// map of $eq, $ne, $gt, $gte, $lt, $lte or $in is compared so. It is ignored
	// if there is a Predicate.
	Where map[string]any

	// Predicate is the condition.
	Predicate Predicate

	// Sort orders the rows; ties are in the order of keys, and so is a result
	// without it.
	Sort []Sort

	// Limit is the most rows; 0 is the server's own limit, 10 000 by default.
	Limit int

	// Fields leaves out all other fields of the values; none means all.
	Fields []string

	// GroupBy makes one row of all records that agree in these attributes. Its
	// value is a map of them, of __key and __count, and of an aggregate
	// __func_field for each of Aggregations; with Aggregations alone there is one
	// row. Sort, Limit and Fields are those of these rows.
	GroupBy      []string
	Aggregations []Aggregation

	// Total asks for Result.Total.
	Total bool

	// After continues behind an earlier result: its Cursor.
	After string
}

// Aggregation is computed over the records of a group: sum, avg, min or max of
// an attribute. How many there are is always told.
type Aggregation struct {
	Func string
	Of   string
}

// Sort orders by an attribute: booleans, numbers, strings, everything else,
// missing values.
type Sort struct {
	By         string
	Descending bool
}

// Row is one record of a result.
type Row[T any] struct {
	Key   string
	Value T
}

// UpdateKind says how a row came into, changed in, or left a result.
type UpdateKind int

// The kinds.
const (
	Entered UpdateKind = iota + 1
	Updated
	Left
)

// String is the kind's name.
func (k UpdateKind) String() string { return [...]string{"", "entered", "updated", "left"}[k] }

// Update is what happened to one row.
type Update[T any] struct {
	Kind  UpdateKind
	Key   string
	Value T // the zero T if Left
}

// Result is what a query selects at a moment.
type Result[T any] struct {
	// Rows are all rows, in order. The value of a row that did not change is the
	// same one as in the result before: it is decoded once, and what it points to
	// must not be written to.
	Rows []Row[T]

	// Updates are the differences to the result before; nil in the first.
	Updates []Update[T]

	// More says that the limit left out rows when the query was answered, and
	// Cursor continues there.
	More   bool
	Cursor string

	// Total is how many rows there are whatever Limit and After, if the query
	// asked for it. That it changes is a change of the result.
	Total int64
}

// Query returns a live result. The first value of the subscription is what the
// server answered; each further one is the result after changes, of this client
// too. Changes that come faster than results are read are merged into one.
// What was missed while there was no connection is one change.
//
// Queries are answered by the server, so there is no result before a connection,
// and without one the last result stays. A query that cannot be answered ends
// with a *QueryError, where possible at once.
func (m *Map[T]) Query(ctx context.Context, q Query) (*Subscription[Result[T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	return query[T](ctx, m.client, m.name, q, false)
}

// QueryOf is Map.Query without the map: nothing but the rows of the result is
// fetched and kept. It is for maps that are too large to have here. MapOf and
// QueryOf may be used side by side. A name that is not one of a map is
// ErrInvalidName.
func QueryOf[T any](ctx context.Context, c *Client, mapName string, q Query) (*Subscription[Result[T]], error) {
	if err := checkMapName(mapName); err != nil {
		return nil, err
	}
	return query[T](ctx, c, mapName, q, false)
}

// Query returns a live result over the sets of the map. A row is a key, its value
// the values of the set by their tags. In conditions and orders the attribute
// _values is the list of them; a condition on one value is one like
//
//	Is("_values", "contains", v)
//
// It is otherwise as Map.Query.
func (m *ORMap[T]) Query(ctx context.Context, q Query) (*Subscription[Result[map[string]T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	return query[map[string]T](ctx, m.client, m.name, q, true)
}

func query[T any](ctx context.Context, c *Client, mapName string, q Query, sets bool) (*Subscription[Result[T]], error) {
	live, err := c.newQuery(mapName, q)
	if err != nil {
		return nil, err
	}
	live.sets = sets
	c.mu.Lock()
	defer c.mu.Unlock()
	live.ending, err = c.newEnding(ctx, func() {
		delete(c.queries, live.message.QueryID)
		c.send(&wire.QueryUnsub{QueryID: live.message.QueryID})
	})
	if err != nil {
		return nil, err
	}
	c.queries[live.message.QueryID] = live
	c.subscribeQuery(live)
	return &Subscription[Result[T]]{live.ending, func() (func() (Result[T], error), bool) {
		s, ok := live.take()
		if !ok {
			return nil, false
		}
		return func() (Result[T], error) {
			slices.SortFunc(s.rows, live.compare)
			return decodeResult[T](c, s, live.project)
		}, true
	}}, nil
}

// Pages returns the whole result of a query, page by page: no more than Limit
// rows at a time, each page as it is when it is asked for. Without a Limit the
// server's own is the length of a page. The error, if there is one, comes last.
func (m *Map[T]) Pages(ctx context.Context, q Query) iter.Seq2[[]Row[T], error] {
	return pages(q, func(q Query) (*Subscription[Result[T]], error) { return m.Query(ctx, q) })
}

func pages[T any](q Query, ask func(Query) (*Subscription[Result[T]], error)) iter.Seq2[[]Row[T], error] {
	return func(yield func([]Row[T], error) bool) {
		for next := q; ; {
			r, err := page(next, ask)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.Rows, nil) || !r.More || r.Cursor == "" {
				return
			}
			next.After = r.Cursor
		}
	}
}

func page[T any](q Query, ask func(Query) (*Subscription[Result[T]], error)) (Result[T], error) {
	s, err := ask(q)
	if err != nil {
		return Result[T]{}, err
	}
	defer s.Close()
	return s.Next()
}

// newQuery checks a query.
func (c *Client) newQuery(mapName string, q Query) (*liveQuery, error) {
	where, err := c.codec.encodeWhere(q.Where)
	if err != nil {
		return nil, err
	}
	condition, err := c.codec.encodePredicate(q.Predicate)
	if err != nil {
		return nil, err
	}
	l := &liveQuery{fields: slices.Clone(q.Fields), rows: map[string]*liveRow{}, changed: map[string]value.Raw{}}
	l.message = &wire.QuerySub{
		QueryID: newUUID(c.opt.random), MapName: strings.Clone(mapName), Fields: slices.Clone(q.Fields), Positions: true,
		Query: wire.Query{Where: where, Predicate: condition, Cursor: q.After, GroupBy: slices.Clone(q.GroupBy), TotalCount: q.Total},
	}
	for _, a := range q.Aggregations {
		l.message.Query.Aggregations = append(l.message.Query.Aggregations, wire.Aggregation{Func: wire.AggregateFunc(a.Func), Field: a.Of})
	}
	if l.grouping, err = group.NewGrouping(&l.message.Query); err != nil {
		return nil, queryError(err)
	}
	if q.Limit > 0 {
		l.message.Query.Limit = wire.Some(int64(q.Limit))
	}
	for _, s := range q.Sort {
		l.message.Query.Sort = append(l.message.Query.Sort, wire.SortField{Field: s.By, Descending: s.Descending})
		l.sort = append(l.sort, document.NewAttribute(s.By))
		// Rows are put in order here too, so what orders them has to come along.
		if len(l.fields) > 0 && s.By != predicate.KeyAttribute && !slices.Contains(l.message.Fields, s.By) {
			l.message.Fields = append(l.message.Fields, s.By)
		}
	}
	return l, nil
}
