package query

import (
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// standing is one distinct query with those who have asked it.
type standing struct {
	plan *plan

	// window is the live result; nil until the first scan is done.
	window *window

	// scan is under way, or nil; queued is set while the query waits for one.
	scan   *scan
	queued bool

	// filling is set while window is not the true one, because it was short or
	// changes were lost. Nothing is sent then; shown holds what clients have.
	filling bool
	shown   []*row

	// subs hear of changes. waiting are answered when the scan is done, later
	// when the one after it is.
	subs, waiting, later []*subscription
}

// subscription is one session's interest in a standing query.
type subscription struct {
	caller   *service.Caller
	id       string
	standing *standing
	cursor   cursorStatus
}

// scan reads a whole map into a window.
type scan struct {
	standing *standing
	window   *window
	places   []engine.Place // by lane
	left     int            // lanes that are not done
}

// passed reports whether the scan has seen the key.
func (s *scan) passed(e *engine.Engine, keyHash uint32, key string) bool {
	return s.places[e.Lane(keyHash)].Covers(keyHash, key)
}

// apply takes one change of the map. It returns the updates for those who
// listen, and whether the window has to be filled by a scan.
func (q *standing) apply(e *engine.Engine, key string, keyHash uint32, state string, now int64, ups []update) (out []update, short bool) {
	next := q.plan.row(key, state, now)
	if s := q.scan; s != nil && s.passed(e, keyHash, key) {
		s.window.set(key, next, nil)
	}
	if q.window == nil || q.filling {
		return ups, false
	}
	var before []*row
	if q.window.cut && len(q.window.rows) == q.plan.limit && q.window.byID[key] != nil {
		before = append(before, q.window.shown()...)
	}
	n := len(ups)
	ups = q.window.set(key, next, ups)
	if q.window.short() {
		q.filling, q.shown = true, before
		return ups[:n], true
	}
	return ups, false
}

// remove takes a subscription out of the lists.
func (q *standing) remove(sub *subscription) {
	q.subs = without(q.subs, sub)
	q.waiting = without(q.waiting, sub)
	q.later = without(q.later, sub)
}

// unused reports whether nobody asks this any more.
func (q *standing) unused() bool {
	return len(q.subs) == 0 && len(q.waiting) == 0 && len(q.later) == 0
}

func without[T comparable](list []T, v T) []T {
	for i := range list {
		if list[i] == v {
			last := len(list) - 1
			list[i] = list[last]
			var zero T
			list[last] = zero
			return list[:last]
		}
	}
	return list
}
