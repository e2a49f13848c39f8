package records

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/index"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// LaneIndex is an index of the records that one lane has of a map. It is kept
// up with every change of a record that it covers.
type LaneIndex struct {
	*index.Index

	// Covered reports whether the building of the index has passed a key; nil
	// when it has passed all. What it has not passed is left to it.
	Covered func(keyHash uint32, key string) bool
}

// Complete reports whether the index has all records of the lane.
func (x *LaneIndex) Complete() bool { return x.Covered == nil }

// AddIndex adds an empty index that covers nothing yet, in place of one of the
// same name.
func (s *Shared) AddIndex(d index.Definition) *LaneIndex {
	s.DropIndex(d)
	x := &LaneIndex{Index: index.New(d), Covered: func(uint32, string) bool { return false }}
	if s.indexes == nil {
		s.indexes = map[string][]*LaneIndex{}
	}
	s.setIndexes(d.Map, append(slices.Clone(s.indexes[d.Map]), x))
	return x
}

// DropIndex forgets an index.
func (s *Shared) DropIndex(d index.Definition) {
	left := slices.DeleteFunc(slices.Clone(s.indexes[d.Map]), func(x *LaneIndex) bool { return x.Name() == d.Name() })
	if len(left) < len(s.indexes[d.Map]) {
		s.setIndexes(d.Map, left)
	}
}

func (s *Shared) setIndexes(mapName string, all []*LaneIndex) {
	s.indexes[mapName] = all
	if m := s.maps[mapName]; m != nil {
		m.indexes = all
	}
}

// Index returns an index, nil when there is none of this name.
func (s *Shared) Index(d index.Definition) *LaneIndex {
	for _, x := range s.indexes[d.Map] {
		if x.Name() == d.Name() {
			return x
		}
	}
	return nil
}

// reindex brings the indexes up to a change of a key. before is the state that
// it had as far as that is known here, empty for none.
func (m *Map) reindex(keyHash uint32, key, before, after string) {
	if m.Kind != change.KindLWW {
		return
	}
	was, is := ValueOf(before), ValueOf(after)
	for _, x := range m.indexes {
		if x.Covered == nil || x.Covered(keyHash, key) {
			x.Update(key, was, is)
		}
	}
}

// unindex takes what the indexes have of a table's records out of them. Records
// that only the store has stay: they are durable as they are.
func (m *Map) unindex(t *record.Table) {
	if len(m.indexes) == 0 {
		return
	}
	var buf []byte
	t.Ascend(record.Cursor{}, ^uint32(0), func(e record.Entry) bool {
		if !e.Hollow() {
			m.reindex(e.Hash(), e.KeyView(), e.StateView(&buf), "")
		}
		return true
	})
}

// ValueOf is the value of a record, nil for none.
func ValueOf(state string) value.Raw {
	if state == "" {
		return nil
	}
	rec, err := crdt.ParseLWW(state)
	if err != nil {
		return nil
	}
	return rec.Value
}

// IndexState gives an index what it has to have of a record while it is built.
func (x *LaneIndex) IndexState(key, state string) {
	if v := ValueOf(state); v != nil {
		x.Put(key, v)
	}
}
