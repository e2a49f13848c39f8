package topgun

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

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
	return query[T](ctx, m.client, m.name, q)
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
	return query[map[string]T](ctx, m.client, m.name, q)
}

func query[T any](ctx context.Context, c *Client, mapName string, q Query) (*Subscription[Result[T]], error) {
	live, err := c.newQuery(mapName, q)
	if err != nil {
		return nil, err
	}
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
	return func(yield func([]Row[T], error) bool) {
		for {
			r, err := m.page(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.Rows, nil) || !r.More || r.Cursor == "" {
				return
			}
			q.After = r.Cursor
		}
	}
}

func (m *Map[T]) page(ctx context.Context, q Query) (Result[T], error) {
	s, err := m.Query(ctx, q)
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
	if q.Limit > 0 {
		l.message.Query.Limit = wire.Some(int64(q.Limit))
	}
	for _, s := range q.Sort {
		l.message.Query.Sort = append(l.message.Query.Sort, wire.SortField{Field: s.By, Descending: s.Descending})
		l.sort = append(l.sort, value.ParsePath(s.By))
		// Rows are put in order here too, so what orders them has to come along.
		if len(l.fields) > 0 && s.By != predicate.KeyAttribute && !slices.Contains(l.message.Fields, s.By) {
			l.message.Fields = append(l.message.Fields, s.By)
		}
	}
	return l, nil
}

// liveQuery is the client's half of a live query. It is guarded by Client.mu.
type liveQuery struct {
	ending   *ending
	message  *wire.QuerySub // of the subscription
	sort     []value.Path
	fields   []string
	rows     map[string]*liveRow
	answered bool
	told     bool                 // the first result was read
	changed  map[string]value.Raw // what rows were when a result was last read; nil for none
	more     bool
	cursor   string
	total    int64
	known    int64     // the total that was read last
	position string    // where the rows stand, for the server
	halfAt   time.Time // when the first part of a change came of which the rest is still to come; zero for none
	retryAt  time.Time // of the subscription; zero for none
}

// liveRow is a row. A row that is another gets another liveRow.
type liveRow struct {
	key   string
	value value.Raw
	sort  []value.Raw

	// decoded is the value for the application, once somebody has asked for it:
	// it stays the same while the row does.
	decoded atomic.Pointer[any]
}

// snapshot is a result as the client holds it.
type snapshot struct {
	rows    []*liveRow
	updates []rowUpdate
	first   bool
	more    bool
	cursor  string
	total   int64
}

type rowUpdate struct {
	kind UpdateKind
	key  string
	row  *liveRow // nil if Left
}

// subscribeQuery asks the server, for what was missed if there are rows already.
// mu is held.
func (c *Client) subscribeQuery(l *liveQuery) {
	l.retryAt = time.Time{}
	m := *l.message
	m.Since = l.position
	c.send(&m)
}

const (
	// queryRetry is how long to wait when the server could not answer just now.
	queryRetry = time.Second

	// queryPatience is how long half a change is held back.
	queryPatience = time.Second
)

// queryAnswered takes in a whole result. mu is held.
func (c *Client) queryAnswered(m *wire.QueryResp) {
	l := c.queries[m.QueryID]
	switch {
	case l == nil:
		return
	case m.Code == wire.CodeSnapshotOverflow.Name():
		l.retryAt = c.opt.clock.Now().Add(queryRetry)
		ring(c.alarm)
		return
	case m.Error != "" || m.Code != "":
		l.ending.end(&QueryError{Name: strings.Clone(m.Code), Reason: strings.Clone(m.Error)})
		return
	case m.CursorStatus == wire.CursorExpired || m.CursorStatus == wire.CursorInvalid:
		l.ending.end(&QueryError{Name: wire.CodeInvalidCursor.Name(), Reason: "the cursor is " + string(m.CursorStatus)})
		return
	}
	if !m.Resumed {
		l.replaceRows(m.Results)
	}
	l.answered, l.halfAt, l.more, l.cursor, l.total = true, time.Time{}, m.HasMore, strings.Clone(m.NextCursor), m.TotalCount.Value
	l.position = strings.Clone(m.Position)
	l.ending.ring()
}

func (l *liveQuery) replaceRows(results []wire.QueryRow) {
	gone := l.rows
	l.rows = make(map[string]*liveRow, len(results))
	for i := range results {
		r := &results[i]
		l.put(r.Key, gone[r.Key], r.Value)
		delete(gone, r.Key)
	}
	for key, row := range gone {
		l.note(key, row)
	}
}

// queryUpdated takes in one change of a result. mu is held.
func (c *Client) queryUpdated(m *wire.QueryUpdate) {
	l := c.queries[m.QueryID]
	if l == nil || !l.answered {
		return
	}
	old := l.rows[m.Key]
	if m.ChangeType == wire.ChangeLeave {
		delete(l.rows, m.Key)
		l.note(m.Key, old)
	} else {
		l.put(m.Key, old, m.Value)
	}
	if m.Position != "" && m.Position == l.position {
		if l.halfAt.IsZero() {
			l.halfAt = c.opt.clock.Now()
			ring(c.alarm)
		}
		return
	}
	l.position, l.halfAt = strings.Clone(m.Position), time.Time{}
	l.ending.ring()
}

// queryCounted takes in how many rows there are. mu is held.
func (c *Client) queryCounted(m *wire.QueryTotal) {
	if l := c.queries[m.QueryID]; l != nil && l.answered {
		l.total = m.TotalCount
		l.ending.ring()
	}
}

// put replaces a row, unless it is as it was.
func (l *liveQuery) put(key string, old *liveRow, v value.Raw) {
	row := old
	if old == nil || !value.Equal(old.value, v) {
		row = l.row(strings.Clone(key), v)
		l.note(row.key, old)
	}
	l.rows[row.key] = row
}

func (l *liveQuery) row(key string, v value.Raw) *liveRow {
	row := &liveRow{key: key, value: v}
	for _, path := range l.sort {
		if path.String() == predicate.KeyAttribute {
			row.sort = append(row.sort, value.AppendStr(nil, key))
			continue
		}
		s, _ := value.Lookup(v, path)
		row.sort = append(row.sort, s)
	}
	return row
}

// note remembers what a row was when a result was last read.
func (l *liveQuery) note(key string, was *liveRow) {
	if _, ok := l.changed[key]; ok {
		return
	}
	if was != nil {
		l.changed[key] = was.value
	} else {
		l.changed[key] = nil
	}
}

// take returns the result, if it is another one than was read last.
func (l *liveQuery) take() (snapshot, bool) {
	if !l.answered || !l.halfAt.IsZero() {
		return snapshot{}, false
	}
	s := snapshot{first: !l.told, more: l.more, cursor: l.cursor, total: l.total}
	for key, was := range l.changed {
		row := l.rows[key]
		switch {
		case row == nil && was != nil:
			s.updates = append(s.updates, rowUpdate{kind: Left, key: key})
		case row != nil && was == nil:
			s.updates = append(s.updates, rowUpdate{Entered, key, row})
		case row != nil && !value.Equal(was, row.value):
			s.updates = append(s.updates, rowUpdate{Updated, key, row})
		}
	}
	clear(l.changed)
	if l.told && len(s.updates) == 0 && l.total == l.known {
		return snapshot{}, false
	}
	l.told, l.known = true, l.total
	for _, row := range l.rows {
		s.rows = append(s.rows, row)
	}
	return s, true
}

// compare is the order of the rows.
func (l *liveQuery) compare(a, b *liveRow) int {
	for i, f := range l.message.Query.Sort {
		c := value.Compare(a.sort[i], b.sort[i])
		if f.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.key, b.key)
}

// decodeResult makes a result for the application. No lock is held.
func decodeResult[T any](c *Client, s snapshot, project func(value.Raw) value.Raw) (Result[T], error) {
	slices.SortFunc(s.updates, func(a, b rowUpdate) int { return strings.Compare(a.key, b.key) })
	r := Result[T]{More: s.more, Cursor: s.cursor, Total: s.total, Rows: make([]Row[T], len(s.rows))}
	var err error
	for i, row := range s.rows {
		r.Rows[i].Key = row.key
		if r.Rows[i].Value, err = decodeRow[T](c, row, project); err != nil {
			return Result[T]{}, err
		}
	}
	if s.first {
		return r, nil
	}
	r.Updates = make([]Update[T], len(s.updates))
	for i, u := range s.updates {
		r.Updates[i] = Update[T]{Kind: u.kind, Key: u.key}
		if u.kind == Left {
			continue
		}
		if r.Updates[i].Value, err = decodeRow[T](c, u.row, project); err != nil {
			return Result[T]{}, err
		}
	}
	return r, nil
}

// decodeRow decodes a row, once.
func decodeRow[T any](c *Client, row *liveRow, project func(value.Raw) value.Raw) (T, error) {
	if known := row.decoded.Load(); known != nil {
		v, _ := (*known).(T) // a T that is a nil interface is none
		return v, nil
	}
	var v T
	if err := c.codec.decode(row.key, project(row.value), &v); err != nil {
		return v, err
	}
	var known any = v
	if !row.decoded.CompareAndSwap(nil, &known) {
		v, _ = (*row.decoded.Load()).(T) // somebody else was faster
	}
	return v, nil
}

// project leaves out fields that came along for the order only. The server has
// already made the dotted names of a projection into names of fields.
func (l *liveQuery) project(v value.Raw) value.Raw {
	if len(l.fields) == len(l.message.Fields) {
		return v
	}
	return value.Project(v, l.fields)
}

// tickQuery asks again when it is time, tells half a change of which the rest does
// not come, and returns when there is something to do. mu is held.
func (c *Client) tickQuery(l *liveQuery, now time.Time) time.Duration {
	next := tickUnset
	if !l.halfAt.IsZero() {
		if wait := l.halfAt.Add(queryPatience).Sub(now); wait > 0 {
			next = wait
		} else {
			l.halfAt = time.Time{}
			l.ending.ring()
		}
	}
	if l.retryAt.IsZero() {
		return next
	}
	if now.Before(l.retryAt) {
		return min(next, l.retryAt.Sub(now))
	}
	c.subscribeQuery(l)
	return next
}
