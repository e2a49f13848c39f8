package records

import "cmp"

// slot is a place in the tables of a lane that has to be looked at some time:
// the keys of one hash in one map. It holds no pointer and no key, so that a
// million of them are nothing to the garbage collector, and it stays good
// whatever becomes of the records.
type slot struct {
	m    uint32 // Map.number
	hash uint32
}

// agenda is a timing structure of a lane: which slots to look at when. A slot is
// down at most once, for the earliest time it was added with; whoever takes it
// out looks what is really there, and adds it again if it is not time yet. So a
// record that is written over and over costs nothing more.
//
// It takes 24 bytes in the heap and about twice that in the index for each slot.
// Adding and taking cost the logarithm of the number of slots.
type agenda struct {
	heap []item
	next map[slot]int64
}

// item is a slot and a time in milliseconds since the Unix epoch. It counts
// only while the index has the same time.
type item struct {
	at int64
	slot
}

// never is later than every time of an agenda.
const never = 1<<63 - 1

// add puts a slot down for a time, unless it is down for an earlier one.
func (a *agenda) add(at int64, s slot) {
	if at == never {
		return
	}
	if have, ok := a.next[s]; ok && have <= at {
		return
	}
	if a.next == nil {
		a.next = map[slot]int64{}
	}
	a.next[s] = at
	a.heap = append(a.heap, item{at, s})
	a.up(len(a.heap) - 1)
	if len(a.heap) > 2*len(a.next)+64 {
		a.compact()
	}
}

// drop takes a slot out, when there is nothing left to look at.
func (a *agenda) drop(s slot) {
	if delete(a.next, s); len(a.heap) > 2*len(a.next)+64 {
		a.compact()
	}
}

// take removes and returns the first slot that is down for a time before the
// given one.
func (a *agenda) take(before int64) (slot, bool) {
	for len(a.heap) > 0 && a.heap[0].at < before {
		it := a.heap[0]
		last := len(a.heap) - 1
		a.heap[0] = a.heap[last]
		a.heap = a.heap[:last]
		a.down(0)
		if at, ok := a.next[it.slot]; ok && at == it.at {
			delete(a.next, it.slot)
			return it.slot, true
		}
	}
	return slot{}, false
}

// compact drops the items that do not count.
func (a *agenda) compact() {
	kept := a.heap[:0]
	for _, it := range a.heap {
		if at, ok := a.next[it.slot]; ok && at == it.at {
			kept = append(kept, it)
		}
	}
	a.heap = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		a.down(i)
	}
}

// before orders items by time; slots break ties, so that the order in which
// they come out never depends on how they came in.
func (it item) before(o item) bool {
	return cmp.Or(cmp.Compare(it.at, o.at), cmp.Compare(it.m, o.m), cmp.Compare(it.hash, o.hash)) < 0
}

func (a *agenda) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !a.heap[i].before(a.heap[parent]) {
			return
		}
		a.heap[i], a.heap[parent] = a.heap[parent], a.heap[i]
		i = parent
	}
}

func (a *agenda) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(a.heap) && a.heap[child].before(a.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		a.heap[i], a.heap[least] = a.heap[least], a.heap[i]
		i = least
	}
}
