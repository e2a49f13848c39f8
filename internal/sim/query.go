package sim

import (
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// windowLimit is the limit of the clients' live query.
const windowLimit = 3

// liveQuery is a client's live result: the notes with the greatest n.
type liveQuery struct {
	answered bool
	rows     map[string]value.Raw
}

func newLiveQuery() *liveQuery { return &liveQuery{rows: map[string]value.Raw{}} }

func (q *liveQuery) message() *wire.QuerySub {
	return &wire.QuerySub{QueryID: "top", MapName: lwwMap, Query: wire.Query{
		Sort: wire.Sort{{Field: "n", Descending: true}}, Limit: wire.Some(int64(windowLimit)),
	}}
}

func (q *liveQuery) answer(m *wire.QueryResp) {
	q.answered = true
	clear(q.rows)
	for _, r := range m.Results {
		q.rows[r.Key] = r.Value
	}
}

func (q *liveQuery) update(c *client, m *wire.QueryUpdate) {
	_, had := q.rows[m.Key]
	switch {
	case !q.answered:
		c.sim.find("%s: QUERY_UPDATE before QUERY_RESP", c.name)
	case m.ChangeType == wire.ChangeEnter && had:
		c.sim.find("%s: %s enters twice", c.name, m.Key)
	case m.ChangeType != wire.ChangeEnter && !had:
		c.sim.find("%s: %s of %s, which is not there", c.name, m.ChangeType, m.Key)
	}
	if m.ChangeType == wire.ChangeLeave {
		delete(q.rows, m.Key)
	} else {
		q.rows[m.Key] = m.Value
	}
	if len(q.rows) > windowLimit+1 {
		c.sim.find("%s: the window has %d rows", c.name, len(q.rows))
	}
}

// text is the result in one line, rows by key.
func text(rows map[string]value.Raw) string {
	var lines []string
	for key, v := range rows {
		lines = append(lines, key+"="+string(value.AppendCanonical(nil, v)))
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// row is a note as the query sees it.
type row struct {
	key   string
	n     value.Raw
	value value.Raw
}

// top is the query, run the slow way.
func top(all []row, limit int) map[string]value.Raw {
	slices.SortFunc(all, func(a, b row) int {
		if c := value.Compare(b.n, a.n); c != 0 {
			return c
		}
		return strings.Compare(a.key, b.key)
	})
	out := map[string]value.Raw{}
	for _, r := range all[:min(limit, len(all))] {
		out[r.key] = r.value
	}
	return out
}
