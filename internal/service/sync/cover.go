package sync

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// grace is how long a confirmed removal is remembered beyond its confirmation,
// in milliseconds: timestamps of writers may be as far ahead.
const grace = hlc.MaxDrift

// probeEvery is how often a session is sent the root of an OR map unasked while
// there are removals that it has not confirmed, in milliseconds. It is doubled
// each time that the session finds its root to be another one.
const probeEvery = 30_000

// maxSets is the most OR maps that a session synchronises.
const maxSets = 1000

// covers are the sessions that synchronise, and what their confirmations are
// worth.
type covers struct {
	mu       sync.Mutex
	sessions map[uint64]*cover
}

// cover is one session.
type cover struct {
	caller *service.Caller

	// sets are the OR maps that it has begun to synchronise.
	sets map[string]*set

	pruned int64 // the horizon that it was last told
}

// set is an OR map of a session.
type set struct {
	// epoch is the covering epoch that was sent with the last root, 0 once the
	// session has asked for a bucket: then the roots were different, and what it
	// confirms does not speak of this map, whatever it says.
	epoch int64

	misses uint  // roots in a row that were different
	next   int64 // when a root may be sent unasked, in ms
}

// of is the cover of a session; s.mu is held.
func (s *covers) of(c *service.Caller) *cover {
	v := s.sessions[c.ID]
	if v == nil {
		if s.sessions == nil {
			s.sessions = map[uint64]*cover{}
		}
		v = &cover{caller: c, sets: map[string]*set{}}
		s.sessions[c.ID] = v
	}
	return v
}

// begin notes that the session synchronises, and returns the horizon that it has
// to be told, 0 for none.
func (s *covers) begin(c *service.Caller, horizon int64) (tell int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.of(c)
	if v.pruned >= horizon {
		return 0
	}
	v.pruned = horizon
	return horizon
}

// open notes that the session synchronises an OR map. again says that it has done
// so before, on this connection: then it holds nothing from before that.
func (s *covers) open(c *service.Caller, mapName string, now int64) (again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.of(c)
	if m := v.sets[mapName]; m != nil {
		m.epoch = 0
		return true, nil
	}
	if len(v.sets) >= maxSets {
		return false, &service.Error{
			Code: wire.CodeTooLarge, Type: wire.TypeORMapSyncInit, Request: mapName,
			Text: fmt.Sprintf("a session may synchronise %d OR maps; use another connection for more", maxSets),
		}
	}
	v.sets[string([]byte(mapName))] = &set{next: now + probeEvery}
	return false, nil
}

// sent notes that the session was sent a root that is covered up to an epoch.
func (s *covers) sent(c *service.Caller, mapName string, epoch int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(c, mapName); m != nil {
		m.epoch = epoch
	}
}

// differs notes that the session found its root to be another one.
func (s *covers) differs(c *service.Caller, mapName string, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(c, mapName); m != nil && m.epoch != 0 {
		m.epoch = 0
		m.misses = min(m.misses+1, 7)
		m.next = now + probeEvery<<m.misses
	}
}

func (s *covers) find(c *service.Caller, mapName string) *set {
	if v := s.sessions[c.ID]; v != nil {
		return v.sets[mapName]
	}
	return nil
}

// synchronises reports whether the session has begun to synchronise an OR map.
func (s *covers) synchronises(c *service.Caller, mapName string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(c, mapName) != nil
}

// worth is the time up to which a confirmation of the session counts.
func (s *covers) worth(c *service.Caller) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.sessions[c.ID]
	if v == nil || len(v.sets) == 0 {
		return 0
	}
	least := int64(noDevices)
	for _, m := range v.sets {
		least = min(least, m.epoch)
	}
	return least
}

func (s *covers) leave(c *service.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c.ID)
}

func (s *covers) here(session uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[session] != nil
}

// due returns the sessions that have to be told a horizon, and those that have to
// be sent the root of an OR map, by map: they have not confirmed all removals up
// to a time. The order is fixed.
func (s *covers) due(horizon, removals, now int64) (prune []*service.Caller, probes map[string][]*service.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		v := s.sessions[id]
		if v.pruned < horizon {
			v.pruned = horizon
			prune = append(prune, v.caller)
		}
		for name, m := range v.sets {
			if removals == 0 || m.epoch > removals || !due(now, m.next, probeEvery<<m.misses) {
				continue
			}
			m.next = now + probeEvery<<m.misses
			if probes == nil {
				probes = map[string][]*service.Caller{}
			}
			probes[name] = append(probes[name], v.caller)
		}
	}
	return prune, probes
}
