package vectors_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
)

// orMap is an observed-remove map as the client has it: one set of tombstones
// for all keys. Here tombstones belong to keys.
type orMap struct {
	states map[string]crdt.ORState
	tree   merkle.Tree
}

func (m *orMap) put(key string, next crdt.ORState) {
	m.tree.Update(hash.Key(key), m.states[key].Hash(key), next.Hash(key), 0)
	m.states[key] = next
}

func (m *orMap) add(t *testing.T, key string, r orRecord) (isNew, changed bool) {
	t.Helper()
	next, prev, changed, err := m.states[key].Add(nil, r.crdt(t))
	if err != nil {
		t.Fatal(err)
	}
	if changed {
		m.put(key, crdt.ORState(next))
	}
	return prev.Tag == "", changed
}

func (m *orMap) remove(t *testing.T, key, tag string) {
	t.Helper()
	next, _, _, changed, err := m.states[key].Remove(nil, tag, 1)
	if err != nil {
		t.Fatal(err)
	}
	if changed {
		m.put(key, crdt.ORState(next))
	}
}

func TestCrossCheckORMapMerkle(t *testing.T) {
	for _, c := range section[[]struct {
		Name    string
		Entries []struct {
			Key     string
			Records []orRecord
		}
		Tombstones  []string
		EntryHashes map[string]uint32
		RootHash    uint32
		RootBuckets map[string]uint32
		HashInputs  map[string]string
	}](t, "orMapMerkle") {
		t.Run(c.Name, func(t *testing.T) {
			m := orMap{states: map[string]crdt.ORState{}}
			for _, e := range c.Entries {
				for _, r := range e.Records {
					m.add(t, e.Key, r)
				}
				for _, tag := range c.Tombstones {
					m.remove(t, e.Key, tag)
				}
			}
			hashes, texts := map[string]uint32{}, map[string]string{}
			for key, state := range m.states {
				if state.Live() > 0 {
					hashes[key], texts[key] = state.Hash(key), textOf(key, state)
				}
			}
			if !maps.Equal(texts, c.HashInputs) {
				t.Errorf("hashed are %q, want %q", texts, c.HashInputs)
			}
			if !maps.Equal(hashes, c.EntryHashes) {
				t.Errorf("entry hashes %v, want %v", hashes, c.EntryHashes)
			}
			if got := m.tree.Root(); got != c.RootHash {
				t.Errorf("root %d, want %d", got, c.RootHash)
			}
			for digit, want := range c.RootBuckets {
				var below merkle.Tree
				m.tree.AddBelow(digit, &below)
				if got := below.Root(); got != hash.Mix(want) {
					t.Errorf("bucket %s does not have hash %d", digit, want)
				}
			}
		})
	}
}

func TestCrossCheckORMapMergeSteps(t *testing.T) {
	m := orMap{states: map[string]crdt.ORState{}}
	for i, s := range section[[]struct {
		MergeKey *struct {
			Key        string
			Records    []orRecord
			Tombstones []string
		}
		ApplyTombstone string
		Result         struct{ Added, Updated int }
		Values         map[string][]json.RawMessage
		Tombstones     []string
		RootHash       uint32
	}](t, "orMapMergeSteps") {
		if s.MergeKey != nil {
			for _, tag := range s.MergeKey.Tombstones {
				m.remove(t, s.MergeKey.Key, tag)
			}
			added, updated := 0, 0
			for _, r := range s.MergeKey.Records {
				switch isNew, changed := m.add(t, s.MergeKey.Key, r); {
				case changed && isNew:
					added++
				case changed:
					updated++
				}
			}
			if added != s.Result.Added || updated != s.Result.Updated {
				t.Errorf("step %d: added %d and updated %d, want %+v", i, added, updated, s.Result)
			}
		} else {
			m.remove(t, "k", s.ApplyTombstone)
		}
		var values, want, tombstones []string
		for r := range m.states["k"].Records() {
			values = append(values, string(r.Value))
		}
		for _, v := range s.Values["k"] {
			want = append(want, string(rawOf(t, v)))
		}
		for tag := range m.states["k"].Tombstones() {
			tombstones = append(tombstones, tag)
		}
		if !slices.Equal(values, want) || !slices.Equal(tombstones, s.Tombstones) {
			t.Errorf("step %d: values %q and tombstones %q, want %q and %q", i, values, tombstones, want, s.Tombstones)
		}
		if got := m.tree.Root(); got != s.RootHash {
			t.Errorf("step %d: root %d, want %d", i, got, s.RootHash)
		}
	}
}
