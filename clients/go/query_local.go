package topgun

import (
	"context"
	"encoding/base64"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// localLimit is the most rows of a result without a Limit, and of any: the
// server's own limit unless it is configured otherwise.
const localLimit = 10_000

// QueryLocal is Query answered from the replica of this client: from the first
// moment, connected or not, and with this client's writes as soon as they are
// made. For what is here, the rows are those that the server would answer. A
// result follows the replica; that a record's time to live has passed shows when
// there is another reason for a new one.
//
// References to auth find nothing, and groups are not made here: both are a
// *QueryError. A Cursor continues results of QueryLocal only.
func (m *Map[T]) QueryLocal(ctx context.Context, q Query) (*Subscription[Result[T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	c := m.client
	l, err := c.newLocalQuery(q)
	if err != nil {
		return nil, err
	}
	l.states = m.replica.states
	c.mu.Lock()
	l.follower, err = c.follow(ctx, &m.replica.replica)
	// What changes while the records are looked at, the follower will tell.
	now, known := c.now(), make([]liveState, 0, len(l.states))
	for key, state := range l.states {
		known = append(known, liveState{key, state})
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	l.fill(known, now)
	l.follower.ending.ring()
	return &Subscription[Result[T]]{l.follower.ending, func() (func() (Result[T], error), bool) {
		s, ok := l.take(c.now())
		if !ok {
			return nil, false
		}
		return func() (Result[T], error) { return decodeResult[T](c, s, l.project) }, true
	}}, nil
}

// localQuery is a live query over a replica. It is guarded by Client.mu once it
// is filled.
type localQuery struct {
	*liveQuery // the order of rows, and their fields

	follower *follower
	states   map[string]string // of the replica
	match    *predicate.Program
	limit    int
	id       uint32   // of condition and order, to which cursors belong
	after    *liveRow // rows up to it are left out

	all    []*liveRow          // that match, in order
	before map[string]struct{} // keys that match and are left out by after
	byKey  map[string]*liveRow
	ends   map[string]int64 // of rows with a time to live: their last millisecond
	window map[string]*liveRow
}

type liveState struct{ key, state string }

func (c *Client) newLocalQuery(q Query) (*localQuery, error) {
	if len(q.GroupBy)+len(q.Aggregations) > 0 {
		return nil, &QueryError{Name: wire.CodeInvalidQuery.Name(), Reason: "groups are made by the server only: use Query"}
	}
	after := q.After
	q.After = ""
	live, err := c.newQuery("", q)
	if err != nil {
		return nil, err
	}
	l := &localQuery{
		liveQuery: live, limit: localLimit,
		byKey: map[string]*liveRow{}, before: map[string]struct{}{}, ends: map[string]int64{}, window: map[string]*liveRow{},
	}
	if q.Limit > 0 && q.Limit < localLimit {
		l.limit = q.Limit
	}
	node, err := conditionOf(&live.message.Query)
	if err == nil {
		l.match, err = predicate.Compile(node, predicate.Env{Auth: value.AppendMap(nil, 0)})
	}
	if err != nil {
		return nil, queryError(err)
	}
	h := fnv.New32a()
	_, _ = h.Write(predicate.Canonical(node))
	for _, s := range q.Sort {
		_, _ = h.Write(value.AppendBool(value.AppendStr(nil, s.By), s.Descending))
	}
	l.id = h.Sum32()
	if after != "" {
		if l.after = l.parseCursor(after); l.after == nil {
			return nil, &QueryError{Name: wire.CodeInvalidCursor.Name(), Reason: "the cursor is not one of this query"}
		}
	}
	return l, nil
}

// conditionOf is the condition of a query that was checked, nil for none.
func conditionOf(q *wire.Query) (*predicate.Node, error) {
	switch {
	case len(q.Predicate) > 0:
		return predicate.Parse(q.Predicate)
	case len(q.Where) > 0:
		return predicate.ParseWhere(q.Where)
	}
	return nil, nil
}

// fill takes in a whole replica.
func (l *localQuery) fill(known []liveState, now int64) {
	for _, k := range known {
		if row := l.wanted(k.key, k.state, now); row != nil {
			l.byKey[k.key] = row
			l.all = append(l.all, row)
		}
	}
	slices.SortFunc(l.all, l.compare)
}

// wanted returns the row of a state, nil if the query does not want it.
func (l *localQuery) wanted(key, state string, now int64) *liveRow {
	delete(l.ends, key)
	delete(l.before, key)
	rec, err := crdt.ParseLWW(state)
	if err != nil || !rec.Visible(now) || !l.match.Match(key, rec.Value) {
		return nil
	}
	if rec.TTL != 0 {
		l.ends[key] = rec.TS.Millis + rec.TTL
	}
	row := l.row(key, rec.Value)
	if l.after != nil && l.compare(row, l.after) <= 0 {
		l.before[key] = struct{}{}
		return nil
	}
	return row
}

// refresh brings the row of a key up to date. mu is held.
func (l *localQuery) refresh(key string, now int64) {
	old, next := l.byKey[key], l.wanted(key, l.states[key], now)
	if old != nil && next != nil && l.alike(old, next) {
		return
	}
	if old != nil {
		i, _ := slices.BinarySearchFunc(l.all, old, l.compare)
		l.all = slices.Delete(l.all, i, i+1)
		delete(l.byKey, key)
	}
	if next != nil {
		i, _ := slices.BinarySearchFunc(l.all, next, l.compare)
		l.all = slices.Insert(l.all, i, next)
		l.byKey[key] = next
	}
}

// alike reports whether two rows of a key are the same to the application.
func (l *localQuery) alike(a, b *liveRow) bool {
	if len(l.fields) == 0 {
		return value.Equal(a.value, b.value)
	}
	return l.compare(a, b) == 0 && value.Equal(l.project(a.value), l.project(b.value))
}

// take returns the result, if it is another one than was read last. mu is held.
func (l *localQuery) take(now int64) (snapshot, bool) {
	for key, ok := l.follower.pop(); ok; key, ok = l.follower.pop() {
		l.refresh(key, now)
	}
	for key, end := range l.ends {
		if end < now {
			l.refresh(key, now)
		}
	}
	s := snapshot{first: !l.told, rows: slices.Clone(l.all[:min(len(l.all), l.limit)]), more: len(l.all) > l.limit}
	if l.message.Query.TotalCount {
		s.total = int64(len(l.all) + len(l.before))
	}
	shown := make(map[string]*liveRow, len(s.rows))
	for _, row := range s.rows {
		shown[row.key] = row
		switch was := l.window[row.key]; {
		case was == nil:
			s.updates = append(s.updates, rowUpdate{Entered, row.key, row})
		case was != row:
			s.updates = append(s.updates, rowUpdate{Updated, row.key, row})
		}
		delete(l.window, row.key)
	}
	for key := range l.window {
		s.updates = append(s.updates, rowUpdate{kind: Left, key: key})
	}
	l.window = shown
	if l.told && len(s.updates) == 0 && s.total == l.known {
		return snapshot{}, false
	}
	l.told, l.known = true, s.total
	if n := len(s.rows); s.more && n > 0 {
		s.cursor = l.cursorAt(s.rows[n-1])
	}
	return s, true
}

// project leaves out the fields that were not asked for.
func (l *localQuery) project(v value.Raw) value.Raw {
	if len(l.fields) == 0 {
		return v
	}
	return value.Project(v, l.fields)
}

// cursorAt names the place behind a row.
func (l *localQuery) cursorAt(row *liveRow) string {
	b := value.AppendUint(value.AppendArray(nil, 2+len(row.sort)), uint64(l.id))
	b = value.AppendStr(b, row.key)
	for _, v := range row.sort {
		if len(v) == 0 {
			v = value.AppendNil(nil)
		}
		b = append(b, v...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor returns a row at the place of a cursor, nil if it is none of this
// query.
func (l *localQuery) parseCursor(cursor string) *liveRow {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || value.Check(b) != nil {
		return nil
	}
	r := value.NewReader(b)
	if n := r.ArrayHeader(); n != 2+len(l.sort) || r.Int() != int64(l.id) {
		return nil
	}
	row := &liveRow{key: strings.Clone(r.Str())}
	for range l.sort {
		row.sort = append(row.sort, r.Raw())
	}
	if r.Err() != nil {
		return nil
	}
	return row
}
