package partition_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// check fails unless t is complete and balanced over members.
func check(t *rapid.T, table *partition.Table, members []string) {
	t.Helper()
	wanted := min(len(table.Backups), len(members)-1)
	owned, copies := map[string]int{}, map[string]int{}
	for p := range partition.ID(partition.Count) {
		holders := []string{table.Owner(p)}
		for r := range table.Backups {
			if b := table.Backup(p, r); b != "" {
				holders = append(holders, b)
			}
		}
		if len(holders) != 1+wanted {
			t.Fatalf("partition %d is held by %q, want %d holders", p, holders, 1+wanted)
		}
		for i, h := range holders {
			if !slices.Contains(members, h) || slices.Contains(holders[:i], h) {
				t.Fatalf("partition %d is held by %q, not by distinct members", p, holders)
			}
			copies[h]++
		}
		owned[holders[0]]++
	}
	for _, count := range []map[string]int{owned, copies} {
		least, most := partition.Count*len(members), 0
		for _, m := range members {
			least, most = min(least, count[m]), max(most, count[m])
		}
		if most-least > 1 {
			t.Fatalf("not balanced within one: %v", count)
		}
	}
}

// fewest returns how many owners must change at least for a balanced table.
func fewest(table *partition.Table, members []string) int {
	var have []int
	for _, m := range members {
		n := 0
		for p := range partition.ID(partition.Count) {
			if table.Owner(p) == m {
				n++
			}
		}
		have = append(have, n)
	}
	slices.Sort(have)
	slices.Reverse(have)
	kept := 0
	for i, n := range have {
		quota := partition.Count / len(members)
		if i < partition.Count%len(members) {
			quota++
		}
		kept += min(n, quota)
	}
	return partition.Count - kept
}

func memberSets() *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		n := rapid.SampledFrom([]int{1, 2, 2, 3, 3, 4, 5, 7, 9}).Draw(t, "n")
		var pool []string
		for i := range 10 {
			pool = append(pool, fmt.Sprintf("node-%d", i))
		}
		return rapid.Permutation(pool).Draw(t, "order")[:n]
	})
}

func TestPlanLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := partition.New(rapid.IntRange(0, 3).Draw(t, "backups"))
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			members := memberSets().Draw(t, "members")
			moves := partition.Plan(&table, members)
			if again := partition.Plan(&table, slices.Sorted(slices.Values(members))); !slices.Equal(moves, again) {
				t.Fatal("the plan depends on the order of members")
			}
			owners := 0
			for _, m := range moves {
				if m.From == m.To {
					t.Fatalf("%+v moves nothing", m)
				}
				if m.Replica == 0 {
					owners++
				}
			}
			if want := fewest(&table, members); owners != want {
				t.Fatalf("the plan changes %d owners, %d would do", owners, want)
			}
			before := table
			table = table.Apply(members, moves)
			check(t, &table, members)
			if table.Version != before.Version+1 {
				t.Fatalf("version %d after %d", table.Version, before.Version)
			}
			if more := partition.Plan(&table, members); len(more) != 0 {
				t.Fatalf("planning a planned table moves %+v", more)
			}
		}
	})
}

// copiesSent counts the positions that go to members without the data.
func copiesSent(before *partition.Table, moves []partition.Move) int {
	n := 0
	for _, m := range moves {
		if m.To != "" && !before.Holds(m.Partition, m.To) {
			n++
		}
	}
	return n
}

func TestOneMemberMoreOrLessCopiesLittleMoreThanItsShare(t *testing.T) {
	for _, backups := range []int{0, 1, 2} {
		for n := 2; n <= 9; n++ {
			var members []string
			for i := range n {
				members = append(members, fmt.Sprintf("node-%d", i))
			}
			empty := partition.New(backups)
			small := empty.Apply(members[1:], partition.Plan(&empty, members[1:]))
			grow := partition.Plan(&small, members)
			large := small.Apply(members, grow)
			shrink := partition.Plan(&large, members[1:])
			joins := partition.Count * (1 + min(backups, n-1)) / n
			leaves := partition.Count * (1 + min(backups, n-2)) / n
			if n-1 <= backups {
				leaves = 0 // everybody held everything
			}
			for _, c := range []struct{ got, ideal int }{
				{copiesSent(&small, grow), joins},
				{copiesSent(&large, shrink), leaves},
			} {
				if c.got > c.ideal+c.ideal/4 {
					t.Errorf("%d members, %d backups: %d partitions copied, the member's share is %d", n, backups, c.got, c.ideal)
				}
			}
		}
	}
}

func TestALostOwnerIsReplacedByItsBackup(t *testing.T) {
	members := []string{"a", "b", "c"}
	empty := partition.New(1)
	table := empty.Apply(members, partition.Plan(&empty, members))
	promoted, lost := 0, 0
	for _, m := range partition.Plan(&table, []string{"a", "b"}) {
		if m.Replica == 0 && m.From == "" {
			lost++
			if table.Holds(m.Partition, m.To) {
				promoted++
			}
		}
	}
	if lost < partition.Count/3 || promoted != lost {
		t.Errorf("%d of %d lost partitions went to a member that has the data", promoted, lost)
	}
}
