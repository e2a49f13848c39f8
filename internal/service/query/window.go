package query

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/mistake"
)

// window is the beginning of a plan's result: all rows that match, in order, up
// to a few more than are shown.
//
// Invariant: rows are the first len(rows) of all matching rows. If cut is false
// they are all there are.
type window struct {
	plan *plan
	most int // rows that are held
	rows []*row
	byID map[string]*row
	cut  bool
	ttl  bool // rows in it may expire
}

// update is one step of what a client has to do to its rows.
type update struct {
	kind changeKind
	row  *row
}

type changeKind uint8

const (
	enter changeKind = iota
	replace
	leave
)

// maxReserve is the most rows that a window holds beyond those it shows.
const maxReserve = 1 << 13

// newWindow makes an empty window. Its reserve is the greater the more often the
// window had to be filled before, so that this becomes rare.
func newWindow(p *plan, fills int) *window {
	reserve := min(max(16, min(p.limit/4, 1024))<<min(2*fills, 16), maxReserve)
	if p.groups != nil {
		reserve = group.MaxGroups // there is nowhere to fill it from
	}
	return &window{plan: p, most: p.limit + reserve}
}

// shown are the rows that clients see.
func (w *window) shown() []*row { return w.rows[:min(len(w.rows), w.plan.limit)] }

// more reports whether rows match that clients do not see.
func (w *window) more() bool { return w.cut || len(w.rows) > w.plan.limit }

// short reports whether rows may be missing from those shown, so that the
// window has to be filled by a scan.
func (w *window) short() bool {
	return w.cut && len(w.rows) < w.plan.limit && !mistake.QueryWindowShrinks
}

// set makes the row of key the given one, nil for none, and appends to ups what
// that changes in the rows shown. When the window is short afterwards ups is
// meaningless: the caller scans and compares.
func (w *window) set(key string, next *row, ups []update) []update {
	old := w.byID[key]
	if old == nil && next == nil {
		return ups
	}
	from, to := -1, -1
	var pushed *row // shown before, and not any more
	if n := w.plan.limit; len(w.rows) >= n && n > 0 {
		pushed = w.rows[n-1]
	}
	if old != nil {
		from = w.find(old)
		w.rows = slices.Delete(w.rows, from, from+1)
		delete(w.byID, key)
	}
	if next != nil {
		if to = w.place(next); to == len(w.rows) && w.cut {
			to = -1 // behind what the window knows
		} else {
			w.rows = slices.Insert(w.rows, to, next)
			w.name(next)
			w.ttl = w.ttl || next.ttl
			w.trim()
		}
	}
	return w.difference(from, to, old, next, pushed, ups)
}

// name makes a row be found by its key.
func (w *window) name(r *row) {
	if w.byID == nil {
		w.byID = map[string]*row{}
	}
	w.byID[r.key] = r
}

// difference says what moving a row from one place to another, -1 for none,
// changes in the rows shown.
func (w *window) difference(from, to int, old, next, pushed *row, ups []update) []update {
	limit := w.plan.limit
	was, is := from >= 0 && from < limit, to >= 0 && to < limit
	switch {
	case was && is:
		if old.alike(next) {
			return ups
		}
		return append(ups, update{replace, next})
	case was:
		ups = append(ups, update{leave, old})
		if len(w.rows) >= limit {
			ups = append(ups, update{enter, w.rows[limit-1]})
		}
	case is:
		if pushed != nil {
			ups = append(ups, update{leave, pushed})
		}
		ups = append(ups, update{enter, next})
	}
	return ups
}

func (w *window) trim() {
	for len(w.rows) > w.most {
		last := w.rows[len(w.rows)-1]
		delete(w.byID, last.key)
		w.rows[len(w.rows)-1] = nil
		w.rows = w.rows[:len(w.rows)-1]
		w.cut = true
	}
}

// sort puts rows in order that were put in without.
func (w *window) sort() { slices.SortFunc(w.rows, w.plan.compare) }

// place is where a row belongs.
func (w *window) place(r *row) int {
	i, _ := slices.BinarySearchFunc(w.rows, r, w.plan.compare)
	return i
}

// find is where a row of the window is.
func (w *window) find(r *row) int {
	i, found := slices.BinarySearchFunc(w.rows, r, w.plan.compare)
	if !found {
		// The order of two values never changes, so this cannot happen; a linear
		// search would hide it.
		panic("query: a row of the window is not in its place")
	}
	return i
}

// compareShown appends what turns the rows of before into those of w.
func (w *window) compareShown(before []*row, ups []update) []update {
	old := make(map[string]*row, len(before))
	for _, r := range before {
		old[r.key] = r
	}
	now := w.shown()
	keep := make(map[string]bool, len(now))
	for _, r := range now {
		keep[r.key] = true
	}
	for _, r := range before {
		if !keep[r.key] {
			ups = append(ups, update{leave, r})
		}
	}
	for _, r := range now {
		switch was := old[r.key]; {
		case was == nil:
			ups = append(ups, update{enter, r})
		case was.state != r.state && !was.alike(r):
			ups = append(ups, update{replace, r})
		}
	}
	return ups
}
