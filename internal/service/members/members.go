// Package members tells clients which node owns which partition (protocol 02
// §13). A node by itself owns all of them.
package members

import (
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Service answers PARTITION_MAP_REQUEST.
type Service struct {
	clock    clock.Clock
	node     string
	endpoint string
}

// version is the version of the only map that a node by itself ever has.
const version = 1

// New makes the service of a node that is alone. endpoint is the WebSocket URL
// exactly as clients dial it: they compare it as text.
func New(clk clock.Clock, node, endpoint string) *Service {
	return &Service{clk, node, endpoint}
}

// Handles implements service.Service.
func (s *Service) Handles() []wire.Type { return []wire.Type{wire.TypePartitionMapRequest} }

// Leave implements service.Service.
func (s *Service) Leave(*service.Caller) {}

// Handle implements service.Service. A client that has the map already gets no
// answer.
func (s *Service) Handle(c *service.Caller, m wire.Message, _ int) error {
	if req, ok := m.(*wire.PartitionMapRequest); !ok || req.CurrentVersion >= version {
		return nil
	}
	pm := &wire.PartitionMap{
		Version: version, PartitionCount: partition.Count, GeneratedAt: clock.Millis(s.clock.Now()),
		Nodes:      []wire.Node{{NodeID: s.node, Endpoints: wire.Endpoints{WebSocket: s.endpoint}, Status: wire.NodeActive}},
		Partitions: make([]wire.Partition, partition.Count),
	}
	for i := range pm.Partitions {
		pm.Partitions[i] = wire.Partition{PartitionID: int64(i), OwnerNodeID: s.node}
	}
	c.Send(pm)
	return nil
}
