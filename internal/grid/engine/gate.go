package engine

import (
	"slices"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// Gate holds back the outcome of batches that wait for Durable until another
// store, behind the node's own, has what they wrote too. It asks for a
// checkpoint whenever one is needed for that; all that is held meanwhile shares
// the next.
//
// What other clients see does not wait: it is durable in the log of the node. A
// batch that is held counts as under way, so admission bounds how many are.
type Gate struct {
	bell actor.Bell // of the checkpointer

	mu      sync.Mutex
	reached log.LSN
	held    []held
	wanted  log.LSN // the greatest that anything was ever held for
}

type held struct {
	lsn   log.LSN
	batch *Batch
}

// NewGate returns a gate behind which nothing has been reached.
func NewGate() *Gate { return &Gate{bell: actor.NewBell()} }

// Reach says that the other store has everything up to lsn. What was held for
// it is done, on the caller's goroutine.
func (g *Gate) Reach(lsn log.LSN) {
	g.mu.Lock()
	var done []*Batch
	g.reached = max(g.reached, lsn)
	g.held = slices.DeleteFunc(g.held, func(h held) bool {
		if h.lsn > g.reached {
			return false
		}
		done = append(done, h.batch)
		return true
	})
	g.mu.Unlock()
	for _, b := range done {
		b.Done(b, nil)
	}
}

// Held is how many batches wait.
func (g *Gate) Held() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.held)
}

// hold keeps a batch that is durable at lsn until that is reached. It reports
// false if it is.
func (g *Gate) hold(b *Batch, lsn log.LSN) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if lsn <= g.reached || mistake.AckBeforeFar {
		return false
	}
	b.onDisk.Store(true)
	g.held = append(g.held, held{lsn, b})
	g.wanted = max(g.wanted, lsn)
	g.bell.Ring()
	return true
}

// wants reports whether something waits for more than a checkpoint up to lsn
// brings.
func (g *Gate) wants(lsn log.LSN) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wanted > lsn
}
