package partition

import "slices"

// Index points into Table.Members. An index beyond its end means nobody, so the
// zero Table has no owners.
type Index uint16

// Nobody is the Index of a position that is not filled.
const Nobody Index = 1<<16 - 1

// Table says who holds which partition. Treat it as immutable: Apply returns a
// changed copy. The zero Table has no members, no owners and wants no backups.
type Table struct {
	// Version grows by one with every applied plan.
	Version uint64
	// Members are the names of the members, sorted, each once.
	Members []string
	// Owners holds the owner of each partition.
	Owners [Count]Index
	// Backups has one row for each backup wanted. A row stays unfilled where
	// there are too few members.
	Backups [][Count]Index
}

// New returns a table without members that wants so many backups of every
// partition besides the owner.
func New(backups int) Table {
	t := Table{Backups: make([][Count]Index, max(0, backups))}
	fill(&t.Owners, Nobody)
	for r := range t.Backups {
		fill(&t.Backups[r], Nobody)
	}
	return t
}

// Single returns the table, of version 1, of a cluster of one: member owns
// everything and there are no backups.
func Single(member string) Table {
	return Table{Version: 1, Members: []string{member}}
}

// Owner returns the name of the owner of p, or "" when there is none.
func (t *Table) Owner(p ID) string { return t.name(t.Owners[p]) }

// Backup returns the name of the r-th backup of p, counted from 0, or "" when
// that position is not filled or not wanted.
func (t *Table) Backup(p ID, r int) string {
	if r < 0 || r >= len(t.Backups) {
		return ""
	}
	return t.name(t.Backups[r][p])
}

// Holds reports whether member has a copy of p, as owner or backup.
func (t *Table) Holds(p ID, member string) bool {
	if member == "" {
		return false
	}
	for r := range t.Backups {
		if t.Backup(p, r) == member {
			return true
		}
	}
	return t.Owner(p) == member
}

func (t *Table) name(i Index) string {
	if int(i) >= len(t.Members) {
		return ""
	}
	return t.Members[i]
}

// Apply returns the next version of t, with these members and after these
// moves. Positions of members that are gone and that no move fills are left
// unfilled. A move that names an unknown partition, position or member is
// skipped.
func (t *Table) Apply(members []string, moves []Move) Table {
	next := Table{
		Version: t.Version + 1,
		Members: normalize(members),
		Backups: make([][Count]Index, len(t.Backups)),
	}
	for p := range ID(Count) {
		next.Owners[p] = next.index(t.Owner(p))
		for r := range t.Backups {
			next.Backups[r][p] = next.index(t.Backup(p, r))
		}
	}
	for _, m := range moves {
		to := next.index(m.To)
		switch {
		case m.Partition >= Count || to == Nobody && m.To != "":
		case m.Replica == 0:
			next.Owners[m.Partition] = to
		case m.Replica > 0 && m.Replica <= len(next.Backups):
			next.Backups[m.Replica-1][m.Partition] = to
		}
	}
	return next
}

func (t *Table) index(member string) Index {
	if i, ok := slices.BinarySearch(t.Members, member); ok {
		return Index(i)
	}
	return Nobody
}

// normalize sorts a copy of members and drops repetitions and empty names.
func normalize(members []string) []string {
	out := slices.Clone(members)
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > 0 && out[0] == "" {
		out = out[1:]
	}
	return out
}

func fill(row *[Count]Index, with Index) {
	for p := range row {
		row[p] = with
	}
}
