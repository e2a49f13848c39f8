package access

import (
	"cmp"
	"slices"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// Suggest returns the index that would serve a question best, if any would: the
// fields that must have a value first, then the one that has a range or those
// that are sorted by; or the elements that an array must have.
func Suggest(mapName string, q Question) (d index.Definition, ok bool) {
	leaves := conjuncts(nil, q.Node)
	d = index.Definition{Map: mapName, Kind: index.Ordered}
	ranged := ""
	for _, n := range leaves {
		f := n.Attribute
		if !literal(n) || f == predicate.KeyAttribute || slices.Contains(d.Fields, f) {
			continue
		}
		if _, _, ok := points(leaves, f); ok {
			d.Fields = append(d.Fields, f)
		} else if _, _, _, _, some := rangeOf(leaves, f); some && ranged == "" {
			ranged = f
		}
	}
	slices.Sort(d.Fields) // the order of conditions makes no other index
	equal := len(d.Fields)
	tail := []string{ranged}
	if sorted, _ := q.inOrder(sortedBy(q.Sort)); sorted && len(q.Sort) > 0 && (ranged == "" || ranged == q.Sort[0].Field) {
		tail = sortedBy(q.Sort)
	}
	for _, f := range tail {
		if f != "" && !slices.Contains(d.Fields, f) {
			d.Fields = append(d.Fields, f)
		}
	}
	if len(d.Fields) > index.MaxFields {
		d.Fields = d.Fields[:index.MaxFields]
	}
	if len(d.Fields) == equal && equal > 0 {
		d.Kind = index.Hash
	}
	if len(d.Fields) == 0 {
		d.Kind = index.Inverted
		for _, n := range leaves {
			if literal(n) && n.Attribute != predicate.KeyAttribute &&
				slices.Contains([]predicate.Op{predicate.OpContains, predicate.OpContainsAll, predicate.OpContainsAny}, n.Op) {
				d.Fields = []string{n.Attribute}
				break
			}
		}
	}
	return d, d.Validate() == nil
}

func sortedBy(sort []SortField) []string {
	var out []string
	for _, s := range sort {
		out = append(out, s.Field)
	}
	return out
}

// Advice is an index that would have spared reading.
type Advice struct {
	index.Definition

	// Queries is how often a query would have used it, and Spared how many records
	// they looked at beyond those that they wanted.
	Queries, Spared uint64
}

// adviceKept bounds the suggestions that are remembered; when there are more, the
// one that spares least goes.
const adviceKept = 256

// adviceLeast is how many records a query must look at in vain to be noted: what
// is quickly read needs no index.
const adviceLeast = 1000

// Adviser remembers which indexes the queries seen would have used. It is safe
// for concurrent use. The zero Adviser has seen nothing.
type Adviser struct {
	mu   sync.Mutex
	seen map[string]*Advice
}

// Saw notes that a query has looked at so many records and wanted so many of
// them.
func (a *Adviser) Saw(mapName string, q Question, looked, wanted int) {
	if looked-wanted < adviceLeast || looked < 4*wanted {
		return
	}
	d, ok := Suggest(mapName, q)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[string]*Advice{}
	}
	e := a.seen[d.Name()]
	if e == nil {
		if len(a.seen) == adviceKept {
			a.forgetLeast()
		}
		e = &Advice{Definition: d}
		a.seen[d.Name()] = e
	}
	e.Queries++
	e.Spared += uint64(looked - wanted)
}

func (a *Adviser) forgetLeast() {
	least := ""
	for name, e := range a.seen {
		if least == "" || e.Spared < a.seen[least].Spared {
			least = name
		}
	}
	delete(a.seen, least)
}

// Advice returns what was seen, the most worthwhile first. Indexes that are
// there are left out.
func (a *Adviser) Advice(there func(d index.Definition) bool) []Advice {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Advice
	for _, e := range a.seen {
		if !there(e.Definition) {
			out = append(out, *e)
		}
	}
	slices.SortFunc(out, func(x, y Advice) int {
		return cmp.Or(cmp.Compare(y.Spared, x.Spared), cmp.Compare(x.Name(), y.Name()))
	})
	return out
}
