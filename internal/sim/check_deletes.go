package sim

import (
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// checkDeletes holds server and clients to law 6: a tag whose removal is
// acknowledged lives nowhere but, for a while, at clients that were not told. A
// device that was away cannot bring it back, whatever the server has forgotten
// meanwhile.
func (s *Simulation) checkDeletes(when string) {
	for _, c := range s.clients {
		for _, o := range inOrder(c.acked) {
			if o.kind != wire.OpORRemove {
				continue
			}
			if state, _ := s.server.read(orMap, o.key); holdsTag(crdt.ORState(state), o.tag) {
				s.find("removed and live again %s: %s", when, o)
			}
			if when != "at the end" {
				continue
			}
			for _, other := range s.clients {
				if holdsTag(other.or[o.key], o.tag) {
					s.find("removed and live at %s %s: %s", other.name, when, o)
				}
			}
		}
	}
}
