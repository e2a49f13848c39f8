package vectors_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

type orFile struct {
	About     string      `json:"about"`
	Entries   []orEntry   `json:"entries"`
	Histories []orHistory `json:"histories"`
}

// orEntry is a key with its live records, and what is hashed of them.
type orEntry struct {
	Name    string     `json:"name"`
	Key     string     `json:"key"`
	Records []orRecord `json:"records"`
	Text    string     `json:"text"`
	Hash    uint32     `json:"hash"`
}

type orRecord struct {
	Value     json.RawMessage `json:"value"`
	Timestamp stamp           `json:"timestamp"`
	Tag       string          `json:"tag"`
	TTLMs     *int64          `json:"ttlMs,omitempty"`
}

func (r orRecord) crdt(t *testing.T) crdt.ORRecord {
	t.Helper()
	out := crdt.ORRecord{Tag: r.Tag, Value: rawOf(t, r.Value), TS: r.Timestamp.hlc()}
	if out.HasTTL = r.TTLMs != nil; out.HasTTL {
		out.TTL = *r.TTLMs
	}
	return out
}

type orHistory struct {
	Name  string   `json:"name"`
	Steps []orStep `json:"steps"`
	Keys  []orKey  `json:"keys"`
	Tree  []node   `json:"tree"`
}

// orStep is an addition or a removal.
type orStep struct {
	Key       string    `json:"key"`
	Add       *orRecord `json:"add,omitempty"`
	Remove    string    `json:"remove,omitempty"`
	RemovedAt int64     `json:"removedAt,omitempty"`
	Changed   bool      `json:"changed"`
	EntryHash uint32    `json:"entryHash"`
	Root      uint32    `json:"root"`
}

// orKey is the state of a key.
type orKey struct {
	Key     string        `json:"key"`
	Live    []string      `json:"live"`
	Removed []orTombstone `json:"removed"`
}

type orTombstone struct {
	Tag       string `json:"tag"`
	RemovedAt int64  `json:"removedAt"`
}

func TestORVectors(t *testing.T) {
	check(t, "or.json", func(f *orFile) {
		for i := range f.Entries {
			f.Entries[i].run(t)
		}
		for i := range f.Histories {
			f.Histories[i].run(t)
		}
	})
}

func (e *orEntry) run(t *testing.T) {
	t.Helper()
	var state crdt.ORState
	for _, r := range e.Records {
		step := orStep{Key: e.Key, Add: &r}
		state = step.apply(t, state)
	}
	e.Text, e.Hash = "", state.Hash(e.Key)
	if state.Live() > 0 {
		e.Text = textOf(e.Key, state)
		if h := hash.Key(e.Text); h != e.Hash {
			t.Errorf("%s: the entry hash is %d, but that of its text %d", e.Name, e.Hash, h)
		}
	}
}

// textOf builds the text that an entry hash is computed over.
func textOf(key string, s crdt.ORState) string {
	var text strings.Builder
	text.WriteString("key:" + key)
	for r := range s.Records() {
		fmt.Fprintf(&text, "|%s:%s:%s", r.Tag, value.AppendCanonical(nil, r.Value), r.TS)
		if r.HasTTL {
			fmt.Fprint(&text, ":ttl=", r.TTL)
		}
	}
	return text.String()
}

func (s *orStep) apply(t *testing.T, state crdt.ORState) crdt.ORState {
	t.Helper()
	var (
		next []byte
		err  error
	)
	if s.Add != nil {
		next, _, s.Changed, err = state.Add(nil, s.Add.crdt(t))
	} else {
		next, _, _, s.Changed, err = state.Remove(nil, s.Remove, s.RemovedAt)
	}
	if err != nil {
		t.Fatalf("step on %q: %v", s.Key, err)
	}
	if s.Changed {
		return crdt.ORState(next)
	}
	return state
}

// run merges the steps into an empty map.
func (h *orHistory) run(t *testing.T) {
	t.Helper()
	var (
		tree  merkle.Tree
		order []string
	)
	states := map[string]crdt.ORState{}
	for i := range h.Steps {
		s := &h.Steps[i]
		old := states[s.Key]
		next := s.apply(t, old)
		s.EntryHash = next.Hash(s.Key)
		delta := 0
		if !slices.Contains(order, s.Key) {
			order = append(order, s.Key)
			delta = 1
		}
		tree.Update(hash.Key(s.Key), old.Hash(s.Key), s.EntryHash, delta)
		states[s.Key] = next
		s.Root = tree.Root()
	}
	h.Keys = []orKey{}
	for _, key := range order {
		k := orKey{Key: key, Live: []string{}, Removed: []orTombstone{}}
		for r := range states[key].Records() {
			k.Live = append(k.Live, r.Tag)
		}
		for tag, at := range states[key].Tombstones() {
			k.Removed = append(k.Removed, orTombstone{tag, at})
		}
		h.Keys = append(h.Keys, k)
	}
	h.Tree = nodesOf(&tree)
}
