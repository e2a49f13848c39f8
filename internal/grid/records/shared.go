package records

import (
	"strings"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// ReservedPrefix begins the names of the server's own maps. Clients may not use
// them.
const ReservedPrefix = "__topgun_"

// CounterMap is the map that holds PN counters: the counter's name is the key.
const CounterMap = ReservedPrefix + "counters"

// RestampMap holds, in each partition, the memory of re-stamped writes.
const RestampMap = ReservedPrefix + "restamps"

// HorizonMap holds the age horizon of each partition.
const HorizonMap = ReservedPrefix + "horizons"

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
	mu      sync.RWMutex
	kinds   map[string]change.Kind
	watched map[string]int
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

// Watch has the changes of an observed-remove map carry the whole states of
// their keys (change.Record.Whole), until Unwatch was called as often.
func (k *Kinds) Watch(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.watched == nil {
		k.watched = map[string]int{}
	}
	k.watched[strings.Clone(name)]++
}

// Unwatch takes back one Watch.
func (k *Kinds) Unwatch(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.watched[name]--; k.watched[name] == 0 {
		delete(k.watched, name)
	}
}

func (k *Kinds) isWatched(name string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.watched[name] > 0
}

// Shared is what the replicas of one lane have in common. It belongs to the
// lane and is not safe for concurrent use.
type Shared struct {
	Kinds *Kinds
	maps  map[string]*Map
	list  []*Map // by number
	found *Map   // by the last Find: most operations are on the map of the one before
	pool  *record.Pool

	// Load reads a row of the store and waits for it. Replay needs it when a budget
	// is set.
	Load func(backing.Key) (backing.Row, bool, error)

	// Recall has the keys of one hash restored at some time, and Recalled called.
	Recall    func(r *Replica, m *Map, hash uint32)
	recalled  int // how many are under way
	due       []due
	confirmed int64 // as the last sweep was told

	// Rows has the next rows of a map that the store has, from a place on, brought at
	// some time, and Renewed called. There are at least two at a time, if there are.
	Rows     func(r *Replica, m *Map, from record.Cursor)
	renewing bool

	// Stats says what became of the lane's memory.
	Stats MemoryStats

	memory Memory
	tables []held  // those whose records may be left to the store
	turn   [2]held // those that the next ones are taken from

	unsaved []held // those with something to write to the store

	keeping *Keeping
	ends    agenda // of records
	deaths  deaths // of tombstones
	keys    []string

	indexes map[string][]*LaneIndex // by map
}

// NewShared makes the shared state of one lane.
func NewShared(kinds *Kinds, keeping *Keeping, memory Memory) *Shared {
	return &Shared{Kinds: kinds, maps: map[string]*Map{}, pool: record.NewPool(), keeping: keeping, memory: memory}
}

// Map is one map as one lane sees it.
type Map struct {
	Name string
	Kind change.Kind

	number uint32

	// tree sums the entry hashes of all partitions of the lane. Keys in stale
	// are in it with an earlier hash.
	tree  merkle.Tree
	stale []staleKey

	ttl, maxIdle int64 // in milliseconds, 0 for none

	indexes []*LaneIndex
}

// hashed reports whether the map's keys are in a tree.
func (m *Map) hashed() bool { return m.Kind != change.KindRestamp && m.Kind != change.KindHorizon }

// staleKey names an entry whose hash has to be computed again. The key is not
// there when it was the only one with its hash.
type staleKey struct {
	table *record.Table
	hash  uint32
	alone bool
	key   string
}

// maxStale bounds the keys whose hashes are outstanding. Hashing an OR key
// costs as much as the key is large, so it is put off until somebody asks, and
// done once for any number of changes; but not for ever.
const maxStale = 4096

// Find returns the map, or nil when no record of it was ever seen here.
func (s *Shared) Find(name string) *Map {
	if m := s.found; m != nil && m.Name == name {
		return m
	}
	m := s.maps[name]
	if m != nil {
		s.found = m
	}
	return m
}

// open returns the map for writing. It reports ErrKind when the map's kind is
// another.
func (s *Shared) open(name string, kind change.Kind) (*Map, error) {
	if m := s.Find(name); m != nil {
		if m.Kind != kind {
			return nil, ErrKind
		}
		return m, nil
	}
	if s.Kinds.Fix(name, kind) != kind {
		return nil, ErrKind
	}
	l := &s.keeping.lifetimes
	m := &Map{
		Name: strings.Clone(name), Kind: kind, number: uint32(len(s.list)),
		ttl: spanOf(l.TTL, name), maxIdle: spanOf(l.MaxIdle, name),
	}
	m.indexes = s.indexes[m.Name]
	s.maps[m.Name] = m
	s.list = append(s.list, m)
	return m, nil
}

// Tree returns the map's Merkle tree with all outstanding hashes settled. The
// tree belongs to the lane: read it before returning to the lane's loop.
func (m *Map) Tree() *merkle.Tree {
	m.settle()
	return &m.tree
}

// setSum makes sum the entry hash of e in the tree.
func (m *Map) setSum(e record.Entry, sum uint32) {
	m.tree.Update(e.Hash(), e.Sum(), sum, 0)
	e.SetSum(sum)
}

func (m *Map) touch(t *record.Table, e record.Entry) {
	if e.Stale() {
		return
	}
	e.SetStale(true)
	k := staleKey{table: t, hash: e.Hash(), alone: e.Alone()}
	if !k.alone {
		k.key = e.Key()
	}
	m.stale = append(m.stale, k)
	if len(m.stale) >= maxStale {
		m.settle()
	}
}

func (m *Map) settle() {
	var buf []byte
	settle := func(e record.Entry) bool {
		if e.Stale() {
			e.SetStale(false)
			m.setSum(e, entrySum(m.Kind, e.KeyView(), e.StateView(&buf)))
		}
		return true
	}
	for _, k := range m.stale {
		if k.alone {
			k.table.Ascend(record.Cursor{Hash: k.hash}, k.hash, settle)
		} else if e, ok := k.table.Get(k.hash, k.key); ok {
			settle(e)
		}
	}
	clear(m.stale)
	m.stale = m.stale[:0]
}
