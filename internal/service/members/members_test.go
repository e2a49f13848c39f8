package members_test

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service/members"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// TestOneNodeOwnsEverything, and who knows that is not told again.
func TestOneNodeOwnsEverything(t *testing.T) {
	clk := gridtest.NewClock()
	s := members.New(clk, "node-1", "ws://here:1/ws")
	c := servicetest.NewCaller(1, 1)
	ask := func(version int64) {
		t.Helper()
		m, size := servicetest.Frame(t, &wire.PartitionMapRequest{CurrentVersion: version})
		if err := s.Handle(c.Caller, m, size); err != nil {
			t.Fatal(err)
		}
	}
	ask(0)
	pm := servicetest.One[*wire.PartitionMap](t, c)
	if pm.PartitionCount != partition.Count || len(pm.Partitions) != partition.Count || pm.GeneratedAt != clk.Millis() {
		t.Errorf("%d partitions, %d listed, made at %d", pm.PartitionCount, len(pm.Partitions), pm.GeneratedAt)
	}
	if len(pm.Nodes) != 1 || pm.Nodes[0].NodeID != "node-1" || pm.Nodes[0].Endpoints.WebSocket != "ws://here:1/ws" {
		t.Errorf("nodes %+v", pm.Nodes)
	}
	for i, p := range pm.Partitions {
		if p.PartitionID != int64(i) || p.OwnerNodeID != "node-1" {
			t.Errorf("partition %d is %+v", i, p)
		}
	}
	ask(pm.Version)
	ask(pm.Version + 1)
	if got := c.Take(t); len(got) != 0 {
		t.Errorf("who has the map is sent %s", servicetest.Types(got))
	}
	s.Leave(c.Caller)
}
