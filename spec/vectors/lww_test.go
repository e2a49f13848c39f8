package vectors_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
)

type lwwFile struct {
	About     string       `json:"about"`
	Histories []lwwHistory `json:"histories"`
}

type lwwHistory struct {
	Name    string     `json:"name"`
	Steps   []lwwStep  `json:"steps"`
	Records []lwwEntry `json:"records"`
	Tree    []node     `json:"tree"`
}

type lwwStep struct {
	lwwEntry
	Accepted  bool   `json:"accepted"`
	EntryHash uint32 `json:"entryHash"`
	Root      uint32 `json:"root"`
}

type lwwEntry struct {
	Key    string    `json:"key"`
	Record lwwRecord `json:"record"`
}

type lwwRecord struct {
	Value     json.RawMessage `json:"value"`
	Timestamp stamp           `json:"timestamp"`
	TTLMs     int64           `json:"ttlMs,omitempty"`
}

func (r lwwRecord) crdt(t *testing.T) crdt.LWW {
	t.Helper()
	return crdt.LWW{Value: rawOf(t, r.Value), TS: r.Timestamp.hlc(), TTL: r.TTLMs}
}

func TestLWWVectors(t *testing.T) {
	check(t, "lww.json", func(f *lwwFile) {
		for i := range f.Histories {
			f.Histories[i].run(t)
		}
	})
}

// run merges the steps into an empty map.
func (h *lwwHistory) run(t *testing.T) {
	t.Helper()
	var tree merkle.Tree
	states := map[string]string{}
	h.Records = []lwwEntry{}
	for i := range h.Steps {
		s := &h.Steps[i]
		r := s.Record.crdt(t)
		stored, known := states[s.Key]
		s.EntryHash = crdt.LWWHash(s.Key, r.TS)
		if s.Accepted = crdt.AcceptLWW(stored, r.TS) > 0; s.Accepted {
			states[s.Key] = string(crdt.AppendLWW(nil, r))
			delta := 0
			if !known {
				delta = 1
			}
			tree.Update(hash.Key(s.Key), crdt.LWWHashOf(s.Key, stored), s.EntryHash, delta)
			h.Records = slices.DeleteFunc(h.Records, func(e lwwEntry) bool { return e.Key == s.Key })
			h.Records = append(h.Records, s.lwwEntry)
		}
		s.Root = tree.Root()
	}
	h.Tree = nodesOf(&tree)
}

type ttlFile struct {
	About string `json:"about"`
	Cases []struct {
		Millis  int64 `json:"millis"`
		TTLMs   int64 `json:"ttlMs"`
		Now     int64 `json:"now"`
		Visible bool  `json:"visible"`
	} `json:"cases"`
}

func TestTTLVectors(t *testing.T) {
	check(t, "ttl.json", func(f *ttlFile) {
		for i := range f.Cases {
			c := &f.Cases[i]
			c.Visible = !crdt.Expired(c.Millis, c.TTLMs, c.Now)
		}
	})
}
