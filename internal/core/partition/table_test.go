package partition_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

func TestOfPlacesKeysByHashModulo(t *testing.T) {
	for key, want := range map[string]partition.ID{"": 199, "hello": 95, "key1": 268, "日本語": 27, "😀": 102} {
		if got := partition.Of(hash.Key(key)); got != want {
			t.Errorf("partition of %q = %d, want %d", key, got, want)
		}
	}
}

func TestTablesWithoutMembersHaveNoOwners(t *testing.T) {
	for name, table := range map[string]partition.Table{"zero": {}, "new": partition.New(2)} {
		for p := range partition.ID(partition.Count) {
			if o, b := table.Owner(p), table.Backup(p, 0); o != "" || b != "" || table.Holds(p, "") {
				t.Fatalf("%s table: partition %d has owner %q and backup %q", name, p, o, b)
			}
		}
		if moves := partition.Plan(&table, nil); moves != nil {
			t.Errorf("%s table: plan without members is %v", name, moves)
		}
	}
}

func TestSingleOwnsEverything(t *testing.T) {
	table := partition.Single("n1")
	for p := range partition.ID(partition.Count) {
		if table.Owner(p) != "n1" || !table.Holds(p, "n1") {
			t.Fatalf("partition %d is owned by %q", p, table.Owner(p))
		}
	}
	if moves := partition.Plan(&table, []string{"n1"}); len(moves) != 0 {
		t.Errorf("plan for the same member is %v", moves)
	}
}

func TestApplySkipsMovesThatMakeNoSense(t *testing.T) {
	table := partition.Single("n1")
	next := table.Apply([]string{"n2", "n1", "n1", ""}, []partition.Move{
		{Partition: partition.Count, To: "n2"},
		{Partition: 1, Replica: -1, To: "n2"},
		{Partition: 2, Replica: 1, To: "n2"},
		{Partition: 3, To: "stranger"},
		{Partition: 4, To: "n2"},
	})
	for p := range partition.ID(partition.Count) {
		want := "n1"
		if p == 4 {
			want = "n2"
		}
		if got := next.Owner(p); got != want {
			t.Errorf("partition %d is owned by %q, want %q", p, got, want)
		}
	}
	if len(next.Members) != 2 || next.Version != 2 {
		t.Errorf("members %q at version %d, want n1 and n2 at 2", next.Members, next.Version)
	}
}

func TestApplyEmptiesPositionsOfMembersThatAreGone(t *testing.T) {
	table := partition.Single("n1")
	next := table.Apply([]string{"n2"}, nil)
	if got := next.Owner(0); got != "" {
		t.Errorf("owner after the only one left = %q", got)
	}
	if table.Owner(0) != "n1" {
		t.Error("Apply changed its receiver")
	}
}

func BenchmarkPlanOneMemberJoins(b *testing.B) {
	empty := partition.New(2)
	members := []string{"a", "b", "c", "d", "e", "f"}
	table := empty.Apply(members[1:], partition.Plan(&empty, members[1:]))
	for b.Loop() {
		partition.Plan(&table, members)
	}
}
