package query

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/mistake"
)

// position is a place in the changes of a map as this node has seen them. Epoch
// changes when they cannot be continued.
type position struct {
	epoch, at uint64
}

// history is what has happened to the keys of a map lately: enough to know what
// a result was at a position, and so what somebody has missed since.
type history struct {
	epoch uint64
	at    uint64 // position behind the last event
	past  []event
	bytes int
}

// event is a change of a key from one state to another, "" for none.
type event struct {
	key, before, after string
}

// begin starts an epoch: what was before cannot be continued.
func (h *history) begin(epoch uint64) { *h = history{epoch: epoch, at: 1} }

// now is the position behind all that has happened.
func (h *history) now() position { return position{h.epoch, h.at} }

func (h *history) add(key, before, after string) {
	h.at++
	h.past = append(h.past, event{key, before, after})
	h.bytes += eventSize(key, before, after)
}

func eventSize(key, before, after string) int { return 64 + len(key) + len(before) + len(after) }

// trim forgets the oldest events beyond a size.
func (h *history) trim(events, bytes int) {
	n := 0
	for len(h.past)-n > events || h.bytes > bytes {
		e := &h.past[n]
		h.bytes -= eventSize(e.key, e.before, e.after)
		*e = event{}
		n++
	}
	h.past = h.past[n:] // append moves it when there is no room left behind
}

// since returns what has happened since a position; ok is false if that is not
// known any more.
func (h *history) since(p position) (events []event, ok bool) {
	missed := h.at - p.at
	if p.epoch != h.epoch || p.at > h.at || missed > uint64(len(h.past)) {
		return nil, false
	}
	events = h.past[len(h.past)-int(missed):]
	if mistake.QueryResumesLate && len(events) > 0 {
		events = events[1:]
	}
	return events, true
}

// text is a position as a client is told it: opaque, and bound to the query.
func (p position) text(plan *plan) string {
	var b [20]byte
	binary.BigEndian.PutUint64(b[:], p.epoch)
	binary.BigEndian.PutUint64(b[8:], p.at)
	binary.BigEndian.PutUint32(b[16:], plan.mark)
	return hex.EncodeToString(b[:])
}

// parsePosition reads a position that was given for the same query, and the zero
// one from anything else.
func parsePosition(s string, plan *plan) position {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 20 || binary.BigEndian.Uint32(b[16:]) != plan.mark {
		return position{}
	}
	return position{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// missed returns what turns the rows shown at an earlier position into those that
// are shown now. ok is false where that cannot be told any more.
func (q *standing) missed(kind change.Kind, events []event) (ups []update, ok bool) {
	if q.plan.groups != nil {
		return q.missedGroups(kind, events)
	}
	// What has changed since is as it was before its first change; all else is
	// as it is.
	was := map[string]string{}
	for _, e := range events {
		if _, later := was[e.key]; !later {
			was[e.key] = e.before
		}
	}
	w := q.live.window
	then := &window{plan: q.plan}
	for _, r := range w.rows {
		if _, changed := was[r.key]; !changed {
			then.rows = append(then.rows, r)
		}
	}
	for key, state := range was {
		if r := q.plan.wants(kind, key, state, document.Always); r != nil {
			then.rows = append(then.rows, r)
		}
	}
	then.sort()
	if w.cut {
		// Beyond the window there are rows that nobody knows.
		n := q.plan.limit
		if len(then.rows) < n || n > 0 && q.plan.compare(then.rows[n-1], w.rows[len(w.rows)-1]) > 0 {
			return nil, false
		}
	}
	return w.compareShown(then.shown(), nil), true
}

// missedGroups is missed for groups: those that a changed record was or is in.
func (q *standing) missedGroups(kind change.Kind, events []event) (ups []update, ok bool) {
	w, groups := q.live.window, q.live.groups
	if len(w.rows) > q.plan.limit {
		return nil, false
	}
	touched := group.NewSet(q.plan.groups)
	var keys []string
	note := func(key, state string) {
		doc := document.Of(kind, state, document.Always)
		if !doc.There || !q.plan.match.Match(key, doc.Full) {
			return
		}
		if gr := touched.Put(key, doc.Full, +1); gr != nil && gr.Count == 1 {
			keys = append(keys, gr.Key)
		}
	}
	for _, e := range events {
		note(e.key, e.before)
		note(e.key, e.after)
	}
	if touched.Full() || groups.Full() {
		return nil, false
	}
	then := len(w.rows) // groups at most
	for _, key := range keys {
		if r := w.byID[key]; r != nil {
			ups = append(ups, update{enter, r})
			continue
		}
		then++
		ups = append(ups, update{leave, &row{key: key}})
	}
	return ups, then <= q.plan.limit
}
