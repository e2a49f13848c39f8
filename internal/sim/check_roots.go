package sim

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// checkRoots compares the Merkle roots of all replicas after everything has been
// delivered (promise "convergence").
func (s *Simulation) checkRoots() {
	for _, c := range s.clients {
		if len(c.pending) > 0 {
			s.find("%s has %d operations left after healing: first %s", c.name, len(c.pending), c.pending[0])
		}
		if got, want := c.lwwTree().Root(), s.root(lwwMap); got != want {
			s.find("%s has root %08x of the LWW map, the server %08x: %s", c.name, got, want, s.lwwDifference(c))
		}
		if got, want := c.orTree().Root(), s.root(orMap); got != want {
			s.find("%s has root %08x of the OR map, the server %08x", c.name, got, want)
		}
	}
}

// lwwDifference names the first key whose timestamps differ.
func (s *Simulation) lwwDifference(c *client) string {
	for key, ours := range inOrder(c.lww) {
		theirs, _ := s.server.read(lwwMap, key)
		if crdt.CompareLWW(ours, theirs) == 0 {
			continue
		}
		a, _ := crdt.ParseLWW(ours)
		b, _ := crdt.ParseLWW(theirs)
		return fmt.Sprintf("%s is %s here, %s there", key, a.TS, b.TS)
	}
	return "keys that only the server has"
}

func (s *Simulation) root(mapName string) uint32 {
	var root uint32
	s.server.node.Engine.Tree(mapName, "", func(t *merkle.Tree, err error) {
		if err != nil {
			s.find("tree of %s: %v", mapName, err)
		}
		root = t.Root()
	})
	s.server.settle()
	return root
}

// checkWinners compares the server's LWW records with the latest operation on
// each key: a later edit wins, whenever it arrives (law 5), until its time is
// over.
func (s *Simulation) checkWinners() {
	latest := map[string]*op{}
	// Keys written by a client whose clock is ahead: its operations count with
	// the server's timestamps while the re-stamp is remembered, with their own
	// when they are delivered after that.
	ahead := map[string]bool{}
	for _, c := range s.clients {
		for _, o := range inOrder(c.acked) {
			switch o.kind {
			case wire.OpPut, wire.OpRemove:
				if c.doubtful() {
					ahead[o.key] = true
				}
				if have := latest[o.key]; have == nil || hlc.Compare(o.ts, have.ts) > 0 {
					latest[o.key] = o
				}
			}
		}
	}
	// So do those that were refused because what they were re-stamped to was
	// forgotten: a copy that was under way may have come when their own time had.
	for _, o := range s.written {
		if o.doubtful && o.refused && o.wire.MapName == lwwMap {
			ahead[o.key] = true
		}
	}
	for key, o := range inOrder(latest) {
		if ahead[key] {
			continue
		}
		want := o.ts
		over := o.ttl != 0 && o.ts.Millis+o.ttl < s.clock.millis
		if over {
			want.Node += "-expired"
		}
		state, ok := s.server.read(lwwMap, key)
		if !ok && s.mayBeForgotten(o) {
			continue
		}
		rec, err := crdt.ParseLWW(state)
		if err != nil || rec.TS != want || rec.Tombstone() != (over || o.kind == wire.OpRemove) {
			s.find("the latest edit of %s is %s, the server holds %s", key, o, rec.TS)
		}
	}
}

// checkSilent holds the server to law 4: what was announced on a connection is
// not announced again.
func (c *client) checkSilent(o *op) {
	name := o.kind.String() + o.key + "|" + o.ts.String() + "|" + o.tag
	if c.heard[name]++; c.heard[name] > 1 {
		c.sim.find("%s hears twice of %s", c.name, o)
	}
}

// checkWindows compares each client's live result with the query run on what
// the client holds.
func (s *Simulation) checkWindows() {
	for _, c := range s.clients {
		var all []row
		for key, state := range c.lww {
			if rec, err := crdt.ParseLWW(state); err == nil && rec.Visible(s.clock.millis) {
				n, _ := value.Lookup(rec.Value, value.ParsePath("n"))
				all = append(all, row{key, n, rec.Value})
			}
		}
		want := top(all, windowLimit)
		if c.query == nil || !c.query.answered {
			s.find("%s has no answer to its query", c.name)
		} else if got := text(c.query.rows); got != text(want) {
			s.find("%s shows %s, the window is %s", c.name, got, text(want))
		}
	}
}
