package topgun

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// liveQuery is the client's half of a live query. It is guarded by Client.mu.
type liveQuery struct {
	ending   *ending
	message  *wire.QuerySub // of the subscription
	sort     []document.Attribute
	fields   []string
	grouping *group.Grouping // nil for a query of records
	sets     bool            // rows are the values of sets, by their tags
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
	if !l.halfAt.IsZero() && m.Resumed && m.Position == l.position {
		l.halfAt = c.opt.clock.Now() // its rest comes now
	} else {
		l.halfAt = time.Time{}
	}
	l.answered, l.more, l.cursor, l.total = true, m.HasMore, strings.Clone(m.NextCursor), m.TotalCount.Value
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
		doc := v
		if l.sets && len(l.sort) > 0 && l.grouping == nil && len(l.fields) == 0 {
			doc = document.OfValues(v)
		}
		row = l.row(strings.Clone(key), v, doc)
		l.note(row.key, old)
	}
	l.rows[row.key] = row
}

// row makes a row. doc is what orders it.
func (l *liveQuery) row(key string, v, doc value.Raw) *liveRow {
	row := &liveRow{key: key, value: v}
	for _, attribute := range l.sort {
		row.sort = append(row.sort, attribute.Of(key, doc))
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
