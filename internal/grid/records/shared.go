package records

import (
	"strings"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// ReservedPrefix begins the names of the server's own maps. Clients may not use
// them.
const ReservedPrefix = "__topgun_"

// CounterMap is the map that holds PN counters: the counter's name is the key.
const CounterMap = ReservedPrefix + "counters"

// RestampMap holds, in each partition, the memory of re-stamped writes.
const RestampMap = ReservedPrefix + "restamps"

// Reserved reports whether a map name belongs to the server.
func Reserved(name string) bool {
	if len(name) < len("_topgun_") || name[0] != '_' {
		return false
	}
	lower := strings.ToLower(name[:min(len(name), len(ReservedPrefix))])
	return strings.HasPrefix(lower, "_topgun_") || lower == ReservedPrefix
}

// Kinds remembers which kind of data each map of the node holds. It is shared
// by all lanes and safe for concurrent use. The zero Kinds knows no map.
type Kinds struct {
	mu    sync.RWMutex
	kinds map[string]change.Kind
}

// Fix gives the map its kind if it has none, and reports the kind it has.
func (k *Kinds) Fix(name string, kind change.Kind) change.Kind {
	k.mu.Lock()
	defer k.mu.Unlock()
	if have, ok := k.kinds[name]; ok {
		return have
	}
	if k.kinds == nil {
		k.kinds = map[string]change.Kind{}
	}
	k.kinds[strings.Clone(name)] = kind
	return kind
}

// Of reports the kind of a map, KindNone when it has no record yet.
func (k *Kinds) Of(name string) change.Kind {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.kinds[name]
}

// Shared is what the replicas of one lane have in common. It belongs to the
// lane and is not safe for concurrent use.
type Shared struct {
	Kinds *Kinds
	maps  map[string]*Map
}

// NewShared makes the shared state of one lane.
func NewShared(kinds *Kinds) *Shared {
	return &Shared{Kinds: kinds, maps: map[string]*Map{}}
}

// Map is one map as one lane sees it.
type Map struct {
	Name string
	Kind change.Kind

	// tree sums the entry hashes of all partitions of the lane. Keys in stale
	// are in it with an earlier hash.
	tree  merkle.Tree
	stale []staleKey
}

// staleKey is a key whose entry hash has to be computed again.
type staleKey struct {
	table *record.Table
	hash  uint32
	key   string
}

// maxStale bounds the keys whose hashes are outstanding. Hashing an OR key
// costs as much as the key is large, so it is put off until somebody asks, and
// done once for any number of changes; but not for ever.
const maxStale = 4096

// Find returns the map, or nil when no record of it was ever seen here.
func (s *Shared) Find(name string) *Map { return s.maps[name] }

// open returns the map for writing. It reports ErrKind when the map's kind is
// another.
func (s *Shared) open(name string, kind change.Kind) (*Map, error) {
	if m := s.maps[name]; m != nil {
		if m.Kind != kind {
			return nil, ErrKind
		}
		return m, nil
	}
	if s.Kinds.Fix(name, kind) != kind {
		return nil, ErrKind
	}
	m := &Map{Name: strings.Clone(name), Kind: kind}
	s.maps[m.Name] = m
	return m, nil
}

// Tree returns the map's Merkle tree with all outstanding hashes settled. The
// tree belongs to the lane: read it before returning to the lane's loop.
func (m *Map) Tree() *merkle.Tree {
	m.settle()
	return &m.tree
}

func (m *Map) touch(t *record.Table, hash uint32, e *record.Entry) {
	if e.Stale() {
		return
	}
	e.SetStale(true)
	m.stale = append(m.stale, staleKey{t, hash, e.Key()})
	if len(m.stale) >= maxStale {
		m.settle()
	}
}

func (m *Map) settle() {
	for _, k := range m.stale {
		e := k.table.Get(k.hash, k.key)
		if e == nil || !e.Stale() {
			continue
		}
		e.SetStale(false)
		sum := entrySum(m.Kind, k.key, e.State())
		m.tree.Update(k.hash, e.Sum, sum, 0)
		e.Sum = sum
	}
	clear(m.stale)
	m.stale = m.stale[:0]
}
