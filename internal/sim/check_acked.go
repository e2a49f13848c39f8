package sim

import (
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
		for _, o := range inOrder(c.acked) {
			if c.stamped(o) {
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
		if ok && crdt.AcceptLWW(state, o.ts) > 0 || !ok && !s.mayBeForgotten(o) {
			s.find("%s and lost %s: %s", said, when, o)
		}
	case wire.OpORAdd:
		state, _ := s.server.read(orMap, o.key)
		if !holdsTag(crdt.ORState(state), o.tag) && !buried(crdt.ORState(state), o.tag) && !s.mayBeRemoved(o) {
			s.find("%s and lost %s: %s", said, when, o)
		}
	case wire.OpORRemove:
		state, _ := s.server.read(orMap, o.key)
		if holdsTag(crdt.ORState(state), o.tag) || !buried(crdt.ORState(state), o.tag) && !s.mayBeReclaimed(o) {
			s.find("%s and lost %s: %s", said, when, o)
		}
	}
}

// mayBeForgotten reports whether a key may be gone that o wrote: it, or something
// later, has removed it or has ended, long ago. That may be an operation that was
// refused in the end, because it was delivered once more when it was forgotten,
// and one of a client that does not know under which timestamp it was stored.
func (s *Simulation) mayBeForgotten(o *op) bool {
	if o.ts.Millis >= s.server.horizon() {
		return false
	}
	for _, p := range s.written {
		if p.key == o.key && p.wire.MapName == lwwMap && (p.doubtful || hlc.Compare(p.ts, o.ts) >= 0) &&
			(p.kind == wire.OpRemove || p.ttl != 0) {
			return true
		}
	}
	return o.gone
}

// mayBeRemoved reports whether a tag may be gone: somebody has removed it, or its
// time is over.
func (s *Simulation) mayBeRemoved(o *op) bool {
	for _, p := range s.written {
		if p.tag == o.tag && (p.kind == wire.OpORRemove || p.ttl != 0) {
			return true
		}
	}
	return o.ttl != 0
}

// mayBeReclaimed reports whether the removal of a tag may be forgotten: once the
// server has forgotten anything.
func (s *Simulation) mayBeReclaimed(*op) bool { return s.server.horizon() > 0 }

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
func (c *client) stamped(o *op) bool { return !c.doubtful() || o.restamped }
