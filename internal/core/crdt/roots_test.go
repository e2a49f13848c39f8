package crdt_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
)

// replica is a map with its Merkle tree, kept up write by write.
type replica struct {
	states map[string]string
	tree   merkle.Tree
	entry  func(key, state string) uint32
}

func newReplica(entry func(key, state string) uint32) *replica {
	return &replica{states: map[string]string{}, entry: entry}
}

func (r *replica) put(key, state string) {
	old, known := r.states[key]
	oldEntry, delta := uint32(0), 1
	if known {
		oldEntry, delta = r.entry(key, old), 0
	}
	r.tree.Update(hash.Key(key), oldEntry, r.entry(key, state), delta)
	r.states[key] = state
}

// rebuilt is the root of a tree made from the states alone.
func (r *replica) rebuilt() uint32 {
	var tree merkle.Tree
	for key, state := range r.states {
		tree.Update(hash.Key(key), 0, r.entry(key, state), 1)
	}
	return tree.Root()
}

func keys() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"", "a", "b", "a:1", "ключ"})
}

// agree delivers one history to several replicas, to each in its own order and
// with repetitions, and expects the same states and roots everywhere.
func agree[Op any](t *rapid.T, history []Op, entry func(key, state string) uint32, deliver func(*replica, Op)) {
	t.Helper()
	var first *replica
	for range 3 {
		r := newReplica(entry)
		again := rapid.SliceOf(rapid.SampledFrom(history)).Draw(t, "again")
		for _, op := range rapid.Permutation(append(again, history...)).Draw(t, "order") {
			deliver(r, op)
		}
		if got, want := r.tree.Root(), r.rebuilt(); got != want {
			t.Fatalf("the root kept up is %d, rebuilt %d", got, want)
		}
		if first == nil {
			first = r
		}
		if len(r.states) != len(first.states) || r.tree.Root() != first.tree.Root() {
			t.Fatalf("roots %d and %d over %d and %d keys", r.tree.Root(), first.tree.Root(), len(r.states), len(first.states))
		}
		for key, state := range r.states {
			if state != first.states[key] {
				t.Fatalf("key %q holds %x and %x", key, state, first.states[key])
			}
		}
	}
}

func TestReplicasOfAMapAgreeOnItsRoot(t *testing.T) {
	type write struct {
		key string
		rec crdt.LWW
	}
	writes := rapid.Custom(func(t *rapid.T) write {
		return write{keys().Draw(t, "key"), lwwAt(timestamps().Draw(t, "ts"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		history := rapid.SliceOfN(writes, 1, 20).Draw(t, "history")
		agree(t, history, crdt.LWWHashOf, func(r *replica, w write) {
			if crdt.AcceptLWW(r.states[w.key], w.rec.TS) > 0 {
				r.put(w.key, encode(w.rec))
			}
		})
	})
}

func TestReplicasOfAnORMapAgreeOnItsRoot(t *testing.T) {
	type write struct {
		key string
		op  orOp
	}
	writes := rapid.Custom(func(t *rapid.T) write {
		return write{keys().Draw(t, "key"), orOps().Draw(t, "op")}
	})
	entry := func(key, state string) uint32 { return crdt.ORState(state).Hash(key) }
	rapid.Check(t, func(t *rapid.T) {
		history := rapid.SliceOfN(writes, 1, 20).Draw(t, "history")
		agree(t, history, entry, func(r *replica, w write) {
			old := crdt.ORState(r.states[w.key])
			if next := apply(t, old, w.op); next != old {
				r.put(w.key, string(next))
			}
		})
	})
}
