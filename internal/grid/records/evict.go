package records

import (
	"fmt"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Policy says which records go first when memory is short.
type Policy uint8

// The policies.
const (
	// LRU: what was not read or written for longest.
	LRU Policy = iota

	// LFU: what is read or written least often; hits of long ago count less.
	LFU

	// Random: any.
	Random
)

// Memory is the choice of how much memory the records of a lane may take. The
// zero Memory sets no limit.
type Memory struct {
	Budget int // bytes; 0 for no limit
	Policy Policy
}

// MemoryStats counts what the memory of one lane went through. Any goroutine may
// read it.
type MemoryStats struct {
	Bytes, Records, Hollow, Away atomic.Int64
	Emptied, Evicted, Avoided    atomic.Uint64
}

const (
	// minEmptied is the smallest state that is worth keeping its key for.
	minEmptied = 128

	// hollowCost is about what a hollow entry takes.
	hollowCost = 64

	// samples is how many entries of each of two tables are looked at to find one
	// that goes.
	samples = 4

	// misses is how often in a row no entry may be found that can go.
	misses = 8
)

// evictable reports whether records of the map may be left to the store. The
// server's own notes stay: they are few, and asked for within operations on
// other keys.
func (m *Map) evictable() bool {
	return m.Kind == change.KindLWW || m.Kind == change.KindOR || m.Kind == change.KindCounter
}

// held is one table of the lane.
type held struct {
	r *Replica
	m *Map
	t *record.Table
}

// Bytes is the memory that the records take.
func (s *Shared) Bytes() int { return s.pool.Bytes() }

// Over reports whether the records take more than their budget.
func (s *Shared) Over() bool { return s.memory.Budget > 0 && s.pool.Bytes() > s.memory.Budget }

// roomAtStart reports whether records that a start reads may stay in memory.
func (s *Shared) roomAtStart() bool {
	return s.memory.Budget == 0 || s.pool.Bytes() < s.memory.Budget/8*7
}

// Evict leaves records to the store until the budget is kept, at most so many at
// a time: first their states, then, when many are without, all of them. Only
// what the store has durably can go. It reports false when it found nothing that
// can, although the budget is not kept.
func (s *Shared) Evict(sys int64, most int) (ok bool) {
	found := 0
	for ; most > 0 && s.Over(); most-- {
		if most%32 == 0 || s.turn[0].t == nil {
			s.pick()
		}
		e, h, ok := s.victim(uint32(sys / 1000))
		if !ok {
			s.pick()
			if found++; found == misses {
				return false
			}
			continue
		}
		found = 0
		if !e.Hollow() && e.StateLen() >= minEmptied && s.hollow()*hollowCost < s.memory.Budget/4 {
			h.t.HollowOut(e)
			s.Stats.Emptied.Add(1)
			continue
		}
		h.r.awaySums(h.m).Update(e.Hash(), e.Sum(), 0, -1)
		h.t.Evict(e)
		s.Stats.Evicted.Add(1)
	}
	return true
}

// pick chooses the tables that the next records are taken from, the larger the
// likelier.
func (s *Shared) pick() {
	total := 0
	for i := range s.tables {
		total += s.tables[i].t.Cost()
	}
	s.turn = [2]held{}
	if total == 0 {
		return
	}
	for n := range s.turn {
		at := int(s.pool.Random() % uint64(total))
		for i := range s.tables {
			if at -= s.tables[i].t.Cost(); at < 0 {
				s.turn[n] = s.tables[i]
				break
			}
		}
	}
}

// victim looks at a few entries of the chosen tables and returns the one to go.
func (s *Shared) victim(sec uint32) (worst record.Entry, of held, ok bool) {
	var least uint64
	for _, h := range s.turn {
		if h.t == nil || h.t.Pinned() {
			continue
		}
		for range samples {
			e, found := h.t.Sample(s.pool.Random())
			if !found || e.Dirty() || e.Stale() || e.Seq() > h.r.kept {
				continue
			}
			if worth := s.worth(e, sec); !ok || worth < least {
				worst, of, least, ok = e, h, worth, true
			}
		}
	}
	return worst, of, ok
}

// worth orders entries by how much they should stay.
func (s *Shared) worth(e record.Entry, sec uint32) uint64 {
	switch s.memory.Policy {
	case LFU:
		return uint64(e.Hits(sec))<<32 | uint64(e.Used())
	case Random:
		return 0
	default:
		return uint64(e.Used())
	}
}

func (s *Shared) hollow() int {
	n := 0
	for i := range s.turn {
		if t := s.turn[i].t; t != nil {
			n = max(n, t.Hollow()*len(s.tables))
		}
	}
	return n
}

// Count brings the stats up to date.
func (s *Shared) Count() {
	var here, hollow, away int
	for i := range s.tables {
		t := s.tables[i].t
		here += t.Len()
		hollow += t.Hollow()
		away += t.Away()
	}
	s.Stats.Bytes.Store(int64(s.pool.Bytes()))
	s.Stats.Records.Store(int64(here))
	s.Stats.Hollow.Store(int64(hollow))
	s.Stats.Away.Store(int64(away))
}

// ParsePolicy reads the name of a policy.
func ParsePolicy(name string) (Policy, error) {
	switch name {
	case "lru":
		return LRU, nil
	case "lfu":
		return LFU, nil
	case "random":
		return Random, nil
	default:
		return 0, fmt.Errorf("eviction %q is none of lru, lfu, random", name)
	}
}
