package topgun

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/group"
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
// A Cursor continues results of QueryLocal only, at any time. The server's limits
// count here too: a query of more than 65 536 groups ends with a *QueryError.
func (m *Map[T]) QueryLocal(ctx context.Context, q Query) (*Subscription[Result[T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	return queryLocal[T](ctx, m.client, q, m.replica.source())
}

// QueryLocal is ORMap.Query answered from the replica of this client; see
// Map.QueryLocal.
func (m *ORMap[T]) QueryLocal(ctx context.Context, q Query) (*Subscription[Result[map[string]T]], error) {
	if m.err != nil {
		return nil, m.err
	}
	return queryLocal[map[string]T](ctx, m.client, q, m.replica.source())
}

// source is a replica as queries read it. It is guarded by Client.mu.
type source struct {
	replica *replica
	kind    change.Kind
	states  iter.Seq2[string, string] // by key
	state   func(key string) string
}

func (r *lwwReplica) source() source {
	return source{&r.replica, change.KindLWW, maps.All(r.states), func(key string) string { return r.states[key] }}
}

func (r *orReplica) source() source {
	all := func(yield func(key, state string) bool) {
		for key, state := range r.states {
			if !yield(key, string(state)) {
				return
			}
		}
	}
	return source{&r.replica, change.KindOR, all, func(key string) string { return string(r.states[key]) }}
}

func queryLocal[T any](ctx context.Context, c *Client, q Query, from source) (*Subscription[Result[T]], error) {
	l, err := c.newLocalQuery(q, from)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	l.follower, err = c.follow(ctx, from.replica)
	// What changes while the records are looked at, the follower will tell.
	now, known := c.now(), []liveState(nil)
	for key, state := range from.states {
		known = append(known, liveState{key, state})
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := l.fill(known, now); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.follower.ending.end(err)
		return nil, err
	}
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
	source   source
	match    *predicate.Program
	ends     map[string]int64 // of records that expire, or of which a part does: the last millisecond before that
	groups   *localGroups     // nil for a query of records
	limit    int
	id       uint32   // of condition, order and groups, to which cursors belong
	after    *liveRow // rows up to it are left out

	all    []*liveRow          // in order, but for those that are left out
	before map[string]struct{} // keys of rows that are left out by after
	byKey  map[string]*liveRow
	window map[string]*liveRow // what was read last
}

type liveState struct{ key, state string }

func (c *Client) newLocalQuery(q Query, from source) (*localQuery, error) {
	after := q.After
	q.After = ""
	live, err := c.newQuery("", q)
	if err != nil {
		return nil, err
	}
	l := &localQuery{
		liveQuery: live, source: from, limit: localLimit,
		byKey: map[string]*liveRow{}, before: map[string]struct{}{}, ends: map[string]int64{}, window: map[string]*liveRow{},
	}
	if q.Limit > 0 && q.Limit < localLimit {
		l.limit = q.Limit
	}
	if live.grouping != nil {
		l.groups = newLocalGroups(live.grouping)
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
	_, _ = h.Write([]byte(live.grouping.Text()))
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

var errManyGroups = &QueryError{
	Name:   wire.CodeTooLarge.Name(),
	Reason: fmt.Sprintf("the query has more than %d groups; narrow it or group by less", group.MaxGroups),
}
