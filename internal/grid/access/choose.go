package access

import (
	"strings"

	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// Counts is what the place where the records are knows of them.
type Counts interface {
	// Records is how many records the map has.
	Records() int

	// Entries is how many entries a range of an index has. ok is false when the
	// index is not there or not complete, whole when its terms hold the values
	// as a whole, so that its order is that of the values.
	Entries(d index.Definition, r index.Range) (n int, whole, ok bool)
}

// The costs of reading one record, in the order of the map and by its key, and of
// one entry of an index.
const (
	costScan  = 10
	costFetch = 30
	costEntry = 3
)

// Two ranges are intersected when neither has more entries than MaxIntersect:
// that is done in one go, in a millisecond or two. Below leastIntersect there is
// nothing to win.
const (
	MaxIntersect   = 1 << 14
	leastIntersect = 64
)

// Estimate is a path with what it is expected to cost.
type Estimate struct {
	Path Path
	Rows int // records to be looked at
	Cost int

	entries int // on the path, all of it
}

// Choose returns an estimate of each path that can be taken, the cheapest
// first. wanted is how many rows are asked for, 0 for all.
func Choose(paths []Path, counts Counts, wanted int) []Estimate {
	var out []Estimate
	matching := counts.Records() // at most; what the narrowest condition leaves
	for _, p := range paths {
		rows, usable := p.rows(counts)
		if !usable {
			continue
		}
		if !p.orderOnly() {
			matching = min(matching, rows)
		}
		out = append(out, Estimate{Path: p, Rows: rows, entries: rows})
	}
	for i := range out {
		e := &out[i]
		if e.Path.Ordered && wanted > 0 && e.Rows > wanted {
			// The matching ones are spread evenly, for all that is known.
			e.Rows = min(e.Rows, max(wanted, int(int64(wanted)*int64(e.Rows)/int64(max(matching, 1)))))
		}
		if e.Cost = e.Rows * costFetch; e.Path.Whole() {
			e.Cost = e.Rows * costScan
		}
	}
	if e, ok := intersection(out, counts.Records()); ok {
		out = append(out, e)
	}
	sortByCost(out)
	return out
}

// intersection is the path on which the two narrowest meet, if that may be worth
// it. The conditions are taken to have nothing to do with each other.
func intersection(all []Estimate, records int) (e Estimate, ok bool) {
	a, b := -1, -1
	for i := range all {
		p := &all[i].Path
		if len(p.Parts) == 0 || p.orderOnly() || all[i].entries > MaxIntersect {
			continue
		}
		switch {
		case a < 0 || all[i].entries < all[a].entries:
			a, b = i, a
		case b < 0 || all[i].entries < all[b].entries:
			b = i
		}
	}
	if b < 0 || all[a].entries < leastIntersect || sameConditions(all[a].Path, all[b].Path) {
		return e, false
	}
	x, y := all[a].Path, all[b].Path
	x.Ordered, y.Ordered = false, false
	e.Path = Path{And: []Path{x, y}}
	e.Rows = max(1, int(int64(all[a].entries)*int64(all[b].entries)/int64(max(records, 1))))
	e.Cost = (all[a].entries+all[b].entries)*costEntry + e.Rows*costFetch
	return e, true
}

// sameConditions reports whether two paths come from the same conditions, so that
// one tells nothing that the other does not.
func sameConditions(a, b Path) bool {
	return strings.Contains(a.Parts[0].Why, b.Parts[0].Why) || strings.Contains(b.Parts[0].Why, a.Parts[0].Why)
}

// rows is how many records a path leads to.
func (p *Path) rows(counts Counts) (n int, usable bool) {
	switch {
	case p.HasKeys:
		return len(p.Keys), true
	case p.Whole():
		return counts.Records(), true
	}
	for _, t := range p.Parts {
		c, whole, ok := counts.Entries(t.Index, t.Range)
		if !ok || p.orderOnly() && !whole {
			return 0, false
		}
		n += c
		p.Ordered = p.Ordered && whole
	}
	return n, true
}

func sortByCost(all []Estimate) {
	for i := 1; i < len(all); i++ { // few, and equal ones keep their order
		for j := i; j > 0 && all[j].Cost < all[j-1].Cost; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
}
