package app

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// TestTheStoreTellsHowItKeepsUp looks at the figures of a store before and after
// its first checkpoint.
func TestTheStoreTellsHowItKeepsUp(t *testing.T) {
	t.Parallel() // it waits for a checkpoint most of the time
	s := startServer(t, "TOPGUN_CHECKPOINT_INTERVAL=1s")
	p := s.dial()
	p.Send(peer.Batch(peer.Put("1", "m", "k", 1, at(5))))
	peer.Only[*wire.OpAck](p)
	s.until("a checkpoint is made", func() bool { return s.metric("topgun_checkpoint_rows_total") > 0 })
	s.until("a read looks into what it wrote", func() bool { return s.metric("topgun_store_read_depth") > 0 })
	if n := s.metric("topgun_store_disk_bytes"); n <= 0 {
		t.Errorf("the store takes %v bytes", n)
	}
	for _, name := range []string{"topgun_store_failures_total", "topgun_store_recoveries_total", "topgun_store_checkpoint_waits_total"} {
		if n := s.metric(name); n != 0 {
			t.Errorf("%s is %v, and nothing has gone wrong", name, n)
		}
	}
}
