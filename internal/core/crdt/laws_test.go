package crdt_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
)

func mergeOR(t *rapid.T, a, b crdt.ORState) crdt.ORState {
	t.Helper()
	next, changed, err := a.Merge([]byte("x"), b)
	if err != nil || next[0] != 'x' {
		t.Fatalf("merge: %v, result %x", err, next)
	}
	if !changed {
		if len(next) != 1 {
			t.Fatalf("nothing changed, but the result is %x", next)
		}
		return a
	}
	s := crdt.ORState(next[1:])
	if err := s.Validate(); err != nil {
		t.Fatalf("merge of %x and %x is %x: %v", a, b, s, err)
	}
	return s
}

func orStates(t *rapid.T, name string) crdt.ORState {
	t.Helper()
	var s crdt.ORState
	for _, op := range rapid.SliceOfN(orOps(), 0, 12).Draw(t, name) {
		s = apply(t, s, op)
	}
	return s
}

func TestSetMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := orStates(t, "a"), orStates(t, "b"), orStates(t, "c")
		if mergeOR(t, a, b) != mergeOR(t, b, a) {
			t.Fatalf("not commutative")
		}
		if mergeOR(t, mergeOR(t, a, b), c) != mergeOR(t, a, mergeOR(t, b, c)) {
			t.Fatalf("not associative")
		}
		if mergeOR(t, a, a) != a || mergeOR(t, a, "") != a || mergeOR(t, "", a) != a {
			t.Fatalf("not idempotent")
		}
	})
}

// TestReplicasOfASetConverge lets replicas receive one history, each in its own
// order and with repetitions, and exchange states in between.
func TestReplicasOfASetConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := rapid.SliceOfN(orOps(), 1, 20).Draw(t, "history")
		replicas := make([]crdt.ORState, 3)
		for i := range replicas {
			extra := rapid.SliceOf(rapid.SampledFrom(history)).Draw(t, "again")
			for _, op := range rapid.Permutation(append(extra, history...)).Draw(t, "order") {
				replicas[i] = apply(t, replicas[i], op)
				if rapid.IntRange(0, 9).Draw(t, "exchange") == 0 {
					from := rapid.SampledFrom(replicas).Draw(t, "from")
					replicas[i] = mergeOR(t, replicas[i], from)
				}
			}
		}
		for _, s := range replicas[1:] {
			if s != replicas[0] {
				t.Fatalf("replicas hold\n%x and\n%x", replicas[0], s)
			}
			if s.Hash("k") != replicas[0].Hash("k") {
				t.Fatalf("equal states, different hashes")
			}
		}
	})
}

// TestMergingAStateIsMergingItsParts is what lets the log carry one record or
// one tombstone as a state of its own.
func TestMergingAStateIsMergingItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := orStates(t, "a"), orStates(t, "b")
		parts := a
		for tag, at := range b.Tombstones() {
			parts = apply(t, parts, orOp{rec: crdt.ORRecord{Tag: tag}, remove: true, at: at})
		}
		for r := range b.Records() {
			parts = apply(t, parts, orOp{rec: r})
		}
		if got := mergeOR(t, a, b); got != parts {
			t.Fatalf("merged to %x, part by part to %x", got, parts)
		}
	})
}

func TestARemovedTagNeverComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := rapid.SliceOfN(orOps(), 1, 15).Draw(t, "history")
		removed := map[string]bool{}
		var s crdt.ORState
		for _, op := range history {
			s = apply(t, s, op)
			removed[op.rec.Tag] = removed[op.rec.Tag] || op.remove
			for r := range s.Records() {
				if removed[r.Tag] {
					t.Fatalf("tag %q is live after its removal", r.Tag)
				}
			}
		}
	})
}

func TestHashDependsOnLiveRecordsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := orStates(t, "s")
		var live crdt.ORState
		for r := range s.Records() {
			live = apply(t, live, orOp{rec: r})
		}
		if s.Hash("k") != live.Hash("k") {
			t.Fatalf("hash %d with tombstones, %d without", s.Hash("k"), live.Hash("k"))
		}
		if (s.Hash("k") == 0) != (s.Live() == 0) {
			t.Fatalf("%d live records, hash %d", s.Live(), s.Hash("k"))
		}
	})
}
