package crdt

import (
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
)

// CounterState is the state of a PN counter, encoded: what each node has added
// and what it has subtracted. Counts are finite and not negative; fractions are
// allowed. A count of 0 is the same as none and is not stored. "" is the counter
// nobody has touched.
type CounterState string

// CounterEntry is what one node has contributed.
type CounterEntry struct {
	Node     string
	Pos, Neg float64 // added, subtracted in total; not both 0
}

const (
	counterPos = 1 << 0
	counterNeg = 1 << 1

	counterFlags = counterPos | counterNeg
)

// AppendCounter appends the state with these counts per node. A count that is
// not finite or is negative is refused with a CountError; dst is returned as it
// was then.
func AppendCounter(dst []byte, pos, neg map[string]float64) ([]byte, error) {
	for _, counts := range []map[string]float64{pos, neg} {
		for node, n := range counts {
			if !isCount(n) {
				return dst, &CountError{Node: node, Count: n}
			}
		}
	}
	nodes := slices.AppendSeq(make([]string, 0, len(pos)+len(neg)), maps.Keys(pos))
	nodes = slices.AppendSeq(nodes, maps.Keys(neg))
	slices.Sort(nodes)
	start := len(dst)
	for _, node := range slices.Compact(nodes) {
		dst = appendEntry(dst, start, CounterEntry{Node: node, Pos: pos[node], Neg: neg[node]})
	}
	return dst, nil
}

func isCount(n float64) bool { return n >= 0 && n <= math.MaxFloat64 }

// appendEntry appends an entry, after the format byte if it is the first one of
// the state that begins at start.
func appendEntry(dst []byte, start int, e CounterEntry) []byte {
	if e.Pos == 0 && e.Neg == 0 {
		return dst
	}
	if len(dst) == start {
		dst = append(dst, formatCounter)
	}
	dst = appendText(dst, e.Node)
	at := len(dst)
	dst = append(dst, 0)
	if e.Pos != 0 {
		dst[at] |= counterPos
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(e.Pos))
	}
	if e.Neg != 0 {
		dst[at] |= counterNeg
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(e.Neg))
	}
	return dst
}

// entry reads one entry.
func (c *cursor) entry() CounterEntry {
	e := CounterEntry{Node: c.text()}
	flags := c.byte()
	if flags == 0 || flags&^counterFlags != 0 {
		c.fail()
	}
	if flags&counterPos != 0 {
		e.Pos = c.count()
	}
	if flags&counterNeg != 0 {
		e.Neg = c.count()
	}
	return e
}

func (c *cursor) count() float64 {
	b := c.take(8)
	if c.bad {
		return 0
	}
	n := math.Float64frombits(beUint64(b))
	if n == 0 || !isCount(n) {
		c.fail()
	}
	return n
}

// counterWalk is a walk over the entries of a state.
type counterWalk struct {
	c  cursor
	e  CounterEntry
	ok bool
}

// walk returns a walk at the first entry.
func (s CounterState) walk() counterWalk {
	w := counterWalk{c: cursor{s: string(s)}}
	if s != "" && w.c.byte() != formatCounter {
		w.c.fail()
	}
	w.next()
	return w
}

func (w *counterWalk) next() {
	if w.ok = !w.c.done() && !w.c.bad; w.ok {
		w.e = w.c.entry()
		w.ok = !w.c.bad
	}
}

// Entries yields what each node has contributed, in the order of node names.
func (s CounterState) Entries() iter.Seq[CounterEntry] {
	return func(yield func(CounterEntry) bool) {
		for w := s.walk(); w.ok; w.next() {
			if !yield(w.e) {
				return
			}
		}
	}
}

// Value is the counter's value: all that was added less all that was
// subtracted. It is always finite; sums beyond the range of float64 stop at its
// end.
func (s CounterState) Value() float64 {
	var pos, neg float64
	for w := s.walk(); w.ok; w.next() {
		pos += w.e.Pos
		neg += w.e.Neg
	}
	return min(pos, math.MaxFloat64) - min(neg, math.MaxFloat64)
}

// Merge merges another state: for each node the greater of both counts. The new
// state is appended to dst and returned as next; when remote brings nothing,
// changed is false and next is dst.
func (s CounterState) Merge(dst []byte, remote CounterState) (next []byte, changed bool, err error) {
	start := len(dst)
	out := dst
	a, b := s.walk(), remote.walk()
	for a.ok || b.ok {
		var d int // which node comes first
		switch {
		case !b.ok:
			d = -1
		case !a.ok:
			d = +1
		default:
			d = strings.Compare(a.e.Node, b.e.Node)
		}
		e := a.e
		switch {
		case d > 0:
			e = b.e
			changed = true
		case d == 0:
			e.Pos, e.Neg = max(e.Pos, b.e.Pos), max(e.Neg, b.e.Neg)
			changed = changed || e != a.e
		}
		out = appendEntry(out, start, e)
		if d <= 0 {
			a.next()
		}
		if d >= 0 {
			b.next()
		}
	}
	switch {
	case a.c.bad:
		return dst, false, a.c.corrupt("counter")
	case b.c.bad:
		return dst, false, b.c.corrupt("counter")
	case !changed:
		return dst, false, nil
	}
	return out, true, nil
}

// Validate checks that s is a state and the only encoding of it. Its error wraps
// ErrCorrupt.
func (s CounterState) Validate() error {
	w := s.walk()
	for last, first := "", true; w.ok; w.next() {
		if !first && w.e.Node <= last {
			return w.c.corrupt("counter")
		}
		last, first = w.e.Node, false
	}
	if w.c.bad || len(s) == 1 {
		return w.c.corrupt("counter")
	}
	return nil
}
