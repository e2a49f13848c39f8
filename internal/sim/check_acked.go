package sim

import (
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

func hashOf(key string) uint32 { return hash.Key(key) }

// checkAcked holds the server to what it has said: an operation that it
// acknowledged, and a record that it announced, is in its state, or something
// later is (laws 1 and 3).
func (s *Simulation) checkAcked(when string) {
	for _, c := range s.clients {
		for _, id := range slices.Sorted(maps.Keys(c.acked)) {
			if o := c.acked[id]; c.stamped(o) {
				s.checkHeld(o, "acknowledged", when)
			}
		}
		for _, o := range c.seen {
			s.checkHeld(o, "announced", when)
		}
	}
}

func (s *Simulation) checkHeld(o *op, said, when string) {
	if len(s.findings) >= maxFindings {
		return
	}
	switch o.kind {
	case wire.OpPut, wire.OpRemove:
		state, ok := s.server.read(lwwMap, o.key)
		if !ok || crdt.AcceptLWW(state, o.ts) > 0 {
			s.find("%s and lost %s: %s", said, when, o)
		}
	case wire.OpORAdd:
		state, _ := s.server.read(orMap, o.key)
		if !holdsTag(crdt.ORState(state), o.tag) && !buried(crdt.ORState(state), o.tag) {
			s.find("%s and lost %s: %s", said, when, o)
		}
	case wire.OpORRemove:
		state, _ := s.server.read(orMap, o.key)
		if !buried(crdt.ORState(state), o.tag) {
			s.find("%s and lost %s: %s", said, when, o)
		}
	}
}

func holdsTag(state crdt.ORState, tag string) bool {
	for r := range state.Records() {
		if r.Tag == tag {
			return true
		}
	}
	return false
}

func buried(state crdt.ORState, tag string) bool {
	for t := range state.Tombstones() {
		if t == tag {
			return true
		}
	}
	return false
}

// stamped reports whether the client knows under which timestamp an operation
// was stored. One that it made with a clock too far ahead was stored under
// another, and it learns which only if it still holds the same value.
func (c *client) stamped(o *op) bool { return c.ahead <= hlc.MaxDrift || o.restamped }
