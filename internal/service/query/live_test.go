package query

import (
	"fmt"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
)

// worlds are the kinds of histories.
var worlds = []struct {
	name  string
	seeds int
	world gridtest.Options
	opt   Options
	gaps  bool // the service is kept from its inbox until it overflows
	fail  bool // syncs fail
	index bool // indexes are made and dropped
}{
	{name: "without a log", seeds: 12, world: gridtest.Options{Null: true}, opt: Options{SliceRows: 3, Scans: 2}},
	{
		name: "with a log whose syncs fail", seeds: 12, fail: true,
		world: gridtest.Options{Engine: engine.Options{Lanes: 3}}, opt: Options{SliceRows: 4, Scans: 1},
	},
	{
		name: "with an inbox that overflows", seeds: 12, gaps: true,
		world: gridtest.Options{Null: true}, opt: Options{SliceRows: 3, Scans: 2, Inbox: 6},
	},
	{
		name: "with everything", seeds: 12, gaps: true, fail: true,
		world: gridtest.Options{Engine: engine.Options{Lanes: 2}}, opt: Options{SliceRows: 5, Inbox: 20},
	},
	{
		name: "with indexes", seeds: 24, index: true,
		world: gridtest.Options{Null: true, Engine: engine.Options{IndexRows: 3}}, opt: Options{SliceRows: 3, SeekRows: 2, Seeks: 3},
	},
	{
		name: "with indexes and everything", seeds: 10, index: true, gaps: true, fail: true,
		world: gridtest.Options{Engine: engine.Options{Lanes: 3, IndexRows: 7, MemoryBytes: 12 << 10}},
		opt:   Options{SliceRows: 5, SeekRows: 3, Inbox: 20},
	},
}

// TestLiveRowsAreTheQueryRunAgain runs random histories of writes, subscriptions
// and their ends from several sessions, while actors are stepped one by one in
// any order. Whenever everything has settled, every live result is what the
// query gives when it is run again, and every replica that follows the map is
// the map.
func TestLiveRowsAreTheQueryRunAgain(t *testing.T) {
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			updates, resumed, gaps, sought := 0, 0, uint64(0), 0.0
			for seed := range uint64(w.seeds) {
				h := newHarness(t, fmt.Sprintf("seed %d", seed+1), seed+1, w.world, w.opt)
				for i := range 4 {
					p := h.join()
					if !w.gaps && i < 2 {
						p.follows = true
						if err := h.service.Follow(p.Caller.Caller, liveMap); err != nil {
							t.Fatal(err)
						}
					}
				}
				h.world.Settle()
				for n := range 1200 {
					if h.act(w.fail); w.index && h.rng.IntN(40) == 0 {
						h.toggle()
					}
					if n%300 == 299 {
						h.check(fmt.Sprint("after ", n))
					}
				}
				updates += h.updates
				_, g := h.service.inbox.Depth()
				gaps += g
				resumed += h.resumed
				sought += countOf(t, h.service.metrics.seeks)
				h.leave()
			}
			if updates == 0 || (gaps > 0) != w.gaps || resumed == 0 && !w.gaps {
				t.Errorf("%d updates, %d resumed, %d gaps: the histories do something else", updates, resumed, gaps)
			}
			if w.index && sought == 0 {
				t.Error("no query was answered by an index")
			}
			t.Logf("%d updates, %d resumed, %d gaps, %v seeks", updates, resumed, gaps, sought)
		})
	}
}

func (h *harness) act(failing bool) {
	p := h.peers[h.rng.IntN(len(h.peers))]
	switch n := h.rng.IntN(1000); {
	case n < 150:
		h.write(p)
	case n < 200:
		p.asked++ // the same ids in all sessions
		h.ask(p, fmt.Sprint("q", p.asked), h.pool[h.rng.IntN(len(h.pool))])
	case n < 240:
		if p.asked > 0 {
			h.unsubscribe(p, fmt.Sprint("q", 1+h.rng.IntN(p.asked)))
		}
	case n < 245 && !p.follows:
		h.service.Leave(p.Caller.Caller)
		for i := range h.peers {
			if h.peers[i] == p {
				h.peers[i] = h.peers[len(h.peers)-1]
				h.peers = h.peers[:len(h.peers)-1]
				break
			}
		}
		h.join()
	case n < 255 && failing:
		h.world.FailSyncs(1)
	case n < 258 && !p.follows:
		h.again(p)
	case n < 260:
		p.stalled = true
		p.Stall(true)
	case n < 265:
		p.Stall(false)
	case n < 275:
		h.world.Clock.Advance(time.Duration(h.rng.IntN(50)) * time.Millisecond)
		h.service.Sweep()
	case n < 400:
		h.receive(p)
	default:
		h.world.StepRandom(h.rng)
	}
}
