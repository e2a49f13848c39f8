package sim

import (
	"context"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// checkBounded looks at a server that has had time to forget: nothing is left of
// what was deleted, in memory or, behind a checkpoint, in the store.
func (s *Simulation) checkBounded() {
	written := false
	s.server.node.Checkpointer.Request(func(err error) {
		if written = true; err != nil {
			s.find("the last checkpoint: %v", err)
		}
	})
	for range 10 {
		s.server.settle()
		s.pass(1000) // one that was under way may have to wait before it goes on
	}
	if !written {
		s.find("the last checkpoint is not written: %+v", s.server.node.Checkpointer.Stats())
	}
	for _, name := range []string{lwwMap, orMap} {
		err := s.server.store.Scan(context.WithoutCancel(s.ctx), backing.MapRange(0, name), func(row backing.Row) (bool, error) {
			live, dead := 0, 0
			if name == orMap {
				set := crdt.ORState(row.State)
				live, dead = set.Live(), set.Dead()
			} else if rec, err := crdt.ParseLWW(string(row.State)); err == nil && !rec.Tombstone() {
				live = 1
			}
			if live == 0 || dead > 0 {
				s.find("%s/%s is still in the store: %d live, %d dead", name, row.Key.Key, live, dead)
			}
			if state, _ := s.server.read(name, row.Key.Key); state != string(row.State) {
				s.find("%s/%s is %x in the store and %x in memory", name, row.Key.Key, row.State, state)
			}
			return true, nil
		})
		if err != nil {
			s.find("read the store: %v", err)
		}
	}
}
