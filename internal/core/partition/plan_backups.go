package partition

import "slices"

// placeBackups balances copies, not backups: a member that owns one partition
// more than another backs up one less.
func (d *draft) placeBackups() {
	want := min(d.rows-1, len(d.members)-1)
	copies := make([]int, len(d.members))
	for p := range d.old {
		for i, m := range d.old[p] {
			if m != none && !slices.Contains(d.old[p][:i], m) {
				copies[m]++
			}
		}
	}
	d.quota = share(Count*(1+want), copies)
	d.load = make([]int, len(d.members))
	d.shared = make([][]int, len(d.members))
	for m := range d.shared {
		d.shared[m] = make([]int, len(d.members))
	}
	for p := range d.next {
		d.load[d.next[p][0]]++
	}
	for p := range d.next {
		for r := 1; r <= want; r++ {
			if m := d.old[p][r]; d.fits(p, m) {
				d.put(p, r, m)
			}
		}
	}
	for p := range d.next {
		for r := 1; r <= want; r++ {
			if d.next[p][r] == none && !d.spread(p, r) {
				d.chain(p, r)
			}
		}
	}
}

// fits reports whether m can take one more copy and it can be that of p.
func (d *draft) fits(p, m int) bool {
	return m != none && d.load[m] < d.quota[m] && !slices.Contains(d.next[p], m)
}

func (d *draft) put(p, r, m int) {
	d.next[p][r] = m
	d.load[m]++
	d.shared[d.next[p][0]][m]++
}

// spread fills position r of p with the member that backs up least of what the
// owner of p has, so that the load of a lost owner falls on many.
func (d *draft) spread(p, r int) bool {
	best := none
	shared := d.shared[d.next[p][0]]
	for m := range d.members {
		if d.fits(p, m) && (best == none || shared[m] < shared[best]) {
			best = m
		}
	}
	if best == none {
		return false
	}
	d.put(p, r, best)
	return true
}

// hop says that a member can take over position row of partition p from the
// member before it on the path, or, for the first of a path, the open position.
type hop struct {
	p, row int
	from   int
	seen   bool
}

// chain fills position r of p when every member that does not hold p is full:
// by the shortest chain in which each member hands one of its backups to the
// next and the last has room.
func (d *draft) chain(p, r int) {
	hops := make([]hop, len(d.members))
	var queue []int
	reach := func(q, row, from int) {
		for m := range d.members {
			if !hops[m].seen && !slices.Contains(d.next[q], m) {
				hops[m] = hop{p: q, row: row, from: from, seen: true}
				queue = append(queue, m)
			}
		}
	}
	reach(p, r, none)
	for i := 0; i < len(queue); i++ {
		m := queue[i]
		if d.load[m] < d.quota[m] {
			d.load[m]++
			for at := m; at != none; at = hops[at].from {
				d.next[hops[at].p][hops[at].row] = at
			}
			return
		}
		for q := range d.next {
			if row := slices.Index(d.next[q][1:], m); row >= 0 {
				reach(q, 1+row, m)
			}
		}
	}
	// The quotas leave a chain in every case known; without one, the copy goes
	// to the first candidate all the same. Balance is worth less than a backup.
	if len(queue) > 0 {
		d.next[p][r] = queue[0]
		d.load[queue[0]]++
	}
}
