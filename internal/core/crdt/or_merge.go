package crdt

// Merge merges another state of the same key: all tombstones of both, and the
// live records of both that have none, of two records with one tag the newer
// and, at the same timestamp, the one in s. The new state is appended to dst and
// returned as next; when remote brings nothing, changed is false and next is dst.
func (s ORState) Merge(dst []byte, remote ORState) (next []byte, changed bool, err error) {
	a, okA := s.split()
	b, okB := remote.split()
	if !okA {
		return dst, false, s.corrupt()
	}
	if !okB {
		return dst, false, remote.corrupt()
	}
	start := len(dst)
	out, live, okR := mergeRecords(dst, a, b)
	size := len(out) - start
	out, dead, okT := mergeTombstones(out, a.tombstones, b.tombstones)
	if !okR || !okT {
		if err := s.Validate(); err != nil {
			return dst, false, err
		}
		return dst, false, remote.corrupt()
	}
	if out = insertHeader(out, start, live, dead, size); string(out[start:]) == string(s) {
		return dst, false, nil
	}
	return out, true, nil
}

// Forget drops the tombstones for which drop returns true. The new state is
// appended to dst and returned as next; it is empty when nothing else was in s.
// gone is a state of its own that holds what was dropped. When no tombstone goes,
// dropped is 0, next is dst, and gone is empty.
//
// A forgotten tag that is added again comes back to life; the caller sees to it
// that such additions are refused.
func (s ORState) Forget(dst []byte, drop func(tag string, removedAt int64) bool) (next []byte, gone ORState, dropped int, err error) {
	p, ok := s.split()
	if !ok {
		return dst, "", 0, s.corrupt()
	}
	start := len(dst)
	out := dst
	out = append(out, p.records...)
	var left []byte
	c := cursor{s: p.tombstones}
	for !c.done() {
		from := c.at
		tag, at := c.tombstone()
		if c.bad {
			return dst, "", 0, s.corrupt()
		}
		if drop(tag, at) {
			left = append(left, p.tombstones[from:c.at]...)
			dropped++
		} else {
			out = append(out, p.tombstones[from:c.at]...)
		}
	}
	if dropped == 0 {
		return dst, "", 0, nil
	}
	out = insertHeader(out, start, p.live, p.dead-uint64(dropped), len(p.records))
	return out, ORState(insertHeader(left, 0, 0, uint64(dropped), 0)), dropped, nil
}

// insertHeader puts the header in front of sections that begin at start. The
// empty state has none.
func insertHeader(dst []byte, start int, live, dead uint64, size int) []byte {
	end := len(dst)
	if end == start {
		return dst
	}
	dst = appendHeader(dst, live, dead, size)
	var header [40]byte // a byte and three varints
	n := copy(header[:], dst[end:])
	copy(dst[start+n:], dst[start:end])
	copy(dst[start:], header[:n])
	return dst
}

// mergeRecords appends the live records of both that neither has removed.
func mergeRecords(dst []byte, a, b sections) (out []byte, live uint64, ok bool) {
	deadA := graveyard{c: cursor{s: a.tombstones}}
	deadB := graveyard{c: cursor{s: b.tombstones}}
	x, y := recordWalk{c: cursor{s: a.records}}, recordWalk{c: cursor{s: b.records}}
	x.next()
	y.next()
	for x.ok || y.ok {
		w := &x // the one whose record comes next
		switch d := order(x.ok, y.ok, x.r.Tag, y.r.Tag); {
		case d > 0:
			w = &y
		case d == 0 && y.r.TS.After(x.r.TS):
			x.next()
			w = &y
		case d == 0:
			y.next()
		}
		if tag := w.r.Tag; !deadA.has(tag) && !deadB.has(tag) {
			dst = append(dst, w.encoded()...)
			live++
		}
		w.next()
	}
	return dst, live, !x.c.bad && !y.c.bad && !deadA.c.bad && !deadB.c.bad
}

// mergeTombstones appends all tombstones, the earlier of two for one tag.
func mergeTombstones(dst []byte, a, b string) (out []byte, dead uint64, ok bool) {
	x, y := tombstoneWalk{c: cursor{s: a}}, tombstoneWalk{c: cursor{s: b}}
	x.next()
	y.next()
	for x.ok || y.ok {
		w := &x
		switch d := order(x.ok, y.ok, x.tag, y.tag); {
		case d > 0:
			w = &y
		case d == 0:
			x.at = min(x.at, y.at)
			y.next()
		}
		dst = appendTombstone(dst, w.tag, w.at)
		dead++
		w.next()
	}
	return dst, dead, !x.c.bad && !y.c.bad
}

// order says which of two walks comes first; one that has ended comes last.
func order(okA, okB bool, a, b string) int {
	switch {
	case !okB:
		return -1
	case !okA:
		return +1
	}
	return compareTags(a, b)
}

// recordWalk is a walk over encoded records with the current one at hand.
type recordWalk struct {
	c    cursor
	from int
	r    ORRecord
	ok   bool
}

func (w *recordWalk) next() {
	w.from = w.c.at
	if w.ok = !w.c.done() && !w.c.bad; w.ok {
		w.r = w.c.record()
		w.ok = !w.c.bad
	}
}

// encoded is the current record as it lies in the state.
func (w *recordWalk) encoded() string { return w.c.s[w.from:w.c.at] }

// tombstoneWalk is recordWalk for tombstones.
type tombstoneWalk struct {
	c   cursor
	tag string
	at  int64
	ok  bool
}

func (w *tombstoneWalk) next() {
	if w.ok = !w.c.done() && !w.c.bad; w.ok {
		w.tag, w.at = w.c.tombstone()
		w.ok = !w.c.bad
	}
}
