package access

import "github.com/topgunbuild/topgun-go/internal/storage/index"

// Counts is what the place where the records are knows of them.
type Counts interface {
	// Records is how many records the map has.
	Records() int

	// Entries is how many entries a range of an index has. ok is false when the
	// index is not there or not complete, whole when its terms hold the values
	// as a whole, so that its order is that of the values.
	Entries(d index.Definition, r index.Range) (n int, whole, ok bool)
}

// The costs of reading one record: in the order of the map, and by its key.
const (
	costScan  = 1
	costFetch = 3
)

// Estimate is a path with what it is expected to cost.
type Estimate struct {
	Path Path
	Rows int // records to be looked at
	Cost int
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
		out = append(out, Estimate{Path: p, Rows: rows})
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
	sortByCost(out)
	return out
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
