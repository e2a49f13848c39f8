package query

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/conditions"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// condition is one distinct condition of a map, with the standing queries that
// have it. It is evaluated once for a change, whatever they do with it.
type condition struct {
	plan      *plan // of any of them
	entry     *conditions.Entry[*condition]
	at        uint64 // when it was made
	place     int    // in the map's list
	standings []*standing
	one       [1]*standing // room for standings, since most have no more

	event   uint64 // the last change that it was found for
	was, is bool   // whether it holds before and after that change
}

// standing is one distinct query with those who have asked it.
type standing struct {
	plan *plan
	cond *condition
	at   int // in the map's list, and in the condition's
	of   int

	// live is the result; nil until the first pass is done.
	live *result

	// scan is under way, or nil; queued is set while the query waits for a pass.
	scan   *scan
	queued bool
	fills  int // how often the window ran short

	// filling is set while live is not the true result, because its window ran
	// short or changes were lost. Nothing is sent then; shown holds what clients
	// have, and from the position at which it was true.
	filling bool
	shown   []*row
	from    position

	// subs hear of changes. waiting are answered when the pass is done, later
	// once it is done and they can see their own writes.
	subs, waiting, later list
	users                int // in these lists and in those of fences

	// pending is what subs are still to be told, from a position on.
	pending []pending
	before  position

	counted int64 // the total that was sent last
	recount bool  // the total may be another one

	answers [2]*wire.FanOut // as long as they are true, at most for this step: without and with a position
}

// subscription is one session's interest in a standing query.
type subscription struct {
	session  *sessionState
	id       string
	standing *standing
	head     []byte // of its updates: everything up to and with its id

	in *list // where it is
	at int

	positions bool     // it is sent positions
	since     position // what it says that it has; zero for nothing
	lagging   bool     // it is sent nothing until it has caught up
	lagged    int64    // since when
	cursor    cursorStatus
}

// list holds subscriptions, each of which knows its place.
type list struct{ subs []*subscription }

func (l *list) add(sub *subscription) {
	sub.leave()
	sub.in, sub.at = l, len(l.subs)
	l.subs = append(l.subs, sub)
}

// leave takes a subscription out of its list.
func (sub *subscription) leave() {
	l := sub.in
	if l == nil {
		return
	}
	last := len(l.subs) - 1
	moved := l.subs[last]
	l.subs[sub.at], moved.at = moved, sub.at
	l.subs[last] = nil
	if l.subs = l.subs[:last]; last == 0 {
		l.subs = nil
	}
	sub.in = nil
}

// take empties the list.
func (l *list) take() []*subscription {
	subs := l.subs
	l.subs = nil
	for _, sub := range subs {
		sub.in = nil
	}
	return subs
}

// apply takes one change of the map, which was at position from before it. It returns the updates for those who
// listen, and whether the window has to be filled by a pass.
func (q *standing) apply(e *engine.Engine, c *changed, from position, ups []update) (out []update, short bool) {
	if q.scan != nil && !mistake.QueryScanIsAlone {
		q.scan.take(e, c)
	}
	if q.live == nil || q.filling {
		return ups, false
	}
	w := q.live.window
	var before []*row
	if w.cut && len(w.rows) == q.plan.limit && w.byID[c.key] != nil {
		before = append(before, w.shown()...)
	}
	n := len(ups)
	ups = q.live.take(c, ups)
	q.answers = [2]*wire.FanOut{}
	q.recount = q.plan.total
	if w.short() {
		q.filling, q.shown, q.from = true, before, from
		q.fills++
		return ups[:n], true
	}
	return ups, false
}

var errManyGroups = &service.Error{
	Code: wire.CodeTooLarge,
	Text: fmt.Sprintf("the query has more than %d groups; narrow it or group by less", group.MaxGroups),
}

// failed reports why the result cannot be shown, nil if it can.
func (r *result) failed() *service.Error {
	if r.groups != nil && r.groups.Full() {
		return errManyGroups
	}
	return nil
}

// drop removes v, which is at place at, from a list whose members know their
// places.
func drop[T any](all []T, at int, moved func(T, int)) []T {
	last := len(all) - 1
	all[at] = all[last]
	moved(all[at], at)
	var zero T
	all[last] = zero
	return all[:last]
}
