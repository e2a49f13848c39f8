package partition

import "slices"

// Move changes who fills one position of one partition.
type Move struct {
	Partition ID
	Replica   int    // 0 is the owner, r the r-th backup counted from 1
	From      string // who fills it now; "" for nobody, or somebody who is gone
	To        string // who shall; "" for nobody, when there are too few members
}

// Plan returns the moves from t to a balanced table over members, in order of
// partition, owner first. The order and repetitions of members do not matter.
// Without members there is nobody to move to and the plan is empty.
//
// Owners change as little as balance allows, and an owner is replaced by a
// backup of the same partition where that member has room, since it holds the
// data already. Backups stay where they are as far as the balance of copies
// allows.
func Plan(t *Table, members []string) []Move {
	d := newDraft(t, normalize(members))
	if len(d.members) == 0 {
		return nil
	}
	d.placeOwners()
	d.placeBackups()
	return d.moves()
}

const none = -1 // no member, in a draft

// draft is a table under construction. Members are numbers into members.
type draft struct {
	members []string
	rows    int // positions of a partition: owner and wanted backups
	old     [Count][]int
	next    [Count][]int
	load    []int   // owners, then copies, placed on each member so far
	quota   []int   // most of them that it shall have
	shared  [][]int // [owner][m]: partitions of owner that m backs up
}

func newDraft(t *Table, members []string) *draft {
	d := &draft{members: members, rows: 1 + len(t.Backups)}
	number := make(map[string]int, len(members))
	for i, m := range members {
		number[m] = i
	}
	find := func(name string) int {
		if i, ok := number[name]; ok {
			return i
		}
		return none
	}
	for p := range ID(Count) {
		d.old[p] = append(d.old[p], find(t.Owner(p)))
		for r := range t.Backups {
			d.old[p] = append(d.old[p], find(t.Backup(p, r)))
		}
		d.next[p] = slices.Repeat([]int{none}, d.rows)
	}
	return d
}

// placeOwners keeps what balance allows, promotes backups, then fills up.
func (d *draft) placeOwners() {
	have := make([]int, len(d.members))
	for p := range d.old {
		if m := d.old[p][0]; m != none {
			have[m]++
		}
	}
	d.load, d.quota = have, share(Count, have)

	var open []int // partitions that need another owner
	for p := range d.next {
		if d.old[p][0] == none && !d.promote(p) {
			open = append(open, p)
		}
	}
	for p := range d.next { // hand surplus to backups first
		m := d.old[p][0]
		switch {
		case m == none:
		case have[m] > d.quota[m] && d.promote(p):
			have[m]--
		default:
			d.next[p][0] = m
		}
	}
	for p := range d.next { // surplus that no backup could take
		m := d.next[p][0]
		if m != none && have[m] > d.quota[m] {
			have[m]--
			d.next[p][0] = none
			open = append(open, p)
		}
	}
	slices.Sort(open)
	for _, p := range open {
		m := 0 // the member with most room: partitions next to each other spread
		for i := range have {
			if d.quota[i]-have[i] > d.quota[m]-have[m] {
				m = i
			}
		}
		d.next[p][0] = m
		have[m]++
	}
}

// promote makes a backup of p its owner if one has room.
func (d *draft) promote(p int) bool {
	for _, b := range d.old[p][1:] {
		if b != none && b != d.old[p][0] && d.load[b] < d.quota[b] {
			d.next[p][0] = b
			d.load[b]++
			return true
		}
	}
	return false
}

// moves lists where next differs from old.
func (d *draft) moves() []Move {
	var out []Move
	name := func(m int) string {
		if m == none {
			return ""
		}
		return d.members[m]
	}
	for p := range d.next {
		for r, to := range d.next[p] {
			if from := d.old[p][r]; from != to {
				out = append(out, Move{Partition: ID(p), Replica: r, From: name(from), To: name(to)})
			}
		}
	}
	return out
}

// share splits total among the members to within one. The larger shares go to
// those who have most, so that least has to move.
func share(total int, have []int) []int {
	order := make([]int, len(have))
	quota := make([]int, len(have))
	for m := range have {
		order[m] = m
		quota[m] = total / len(have)
	}
	slices.SortStableFunc(order, func(a, b int) int { return have[b] - have[a] })
	for _, m := range order[:total%len(have)] {
		quota[m]++
	}
	return quota
}
