package sim

import (
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// checkCounters holds the server to what it has shown of the counter, and the
// replicas to each other after everything has been delivered.
func (s *Simulation) checkCounters() {
	state, _ := s.server.read(records.CounterMap, counterName)
	held := tally{}
	for e := range crdt.CounterState(state).Entries() {
		held[e.Node] = [2]float64{e.Pos, e.Neg}
	}
	for node, told := range inOrder(s.counted) {
		if held[node][0] < told[0] || held[node][1] < told[1] {
			s.find("of %s the counter was shown as %v and is %v", node, told, held[node])
		}
	}
	for _, c := range s.clients {
		for node, counted := range inOrder(c.counter) {
			if counted != held[node] {
				s.find("%s counts %v of %s, the server %v", c.name, counted, node, held[node])
			}
		}
	}
}
