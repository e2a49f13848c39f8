package wire

// PartitionMapRequest asks for the partition map if it is newer than the
// client's.
//
//wire:message PARTITION_MAP_REQUEST payload c2s optional-payload
type PartitionMapRequest struct {
	CurrentVersion int64 `wire:"currentVersion,omitempty"`
}

// PartitionMap is the whole partition map. It may come unasked.
//
//wire:message PARTITION_MAP payload s2c
type PartitionMap struct {
	Version        int64       `wire:"version"` // from 1
	PartitionCount int64       `wire:"partitionCount"`
	Nodes          []Node      `wire:"nodes"`
	Partitions     []Partition `wire:"partitions"`  // all of them
	GeneratedAt    int64       `wire:"generatedAt"` // epoch ms
}

// Node is a member of the cluster as clients see it.
type Node struct {
	NodeID    string     `wire:"nodeId"`
	Endpoints Endpoints  `wire:"endpoints"`
	Status    NodeStatus `wire:"status"`
}

// Endpoints are the URLs of a member, spelled as clients dial them.
type Endpoints struct {
	WebSocket string `wire:"websocket"`
	HTTP      string `wire:"http,omitempty"`
}

// NodeStatus is the state of a member.
type NodeStatus string

// The node states.
const (
	NodeActive    NodeStatus = "ACTIVE"
	NodeJoining   NodeStatus = "JOINING"
	NodeLeaving   NodeStatus = "LEAVING"
	NodeSuspected NodeStatus = "SUSPECTED"
	NodeFailed    NodeStatus = "FAILED"
)

// Partition says who owns a partition.
type Partition struct {
	PartitionID   int64    `wire:"partitionId"`
	OwnerNodeID   string   `wire:"ownerNodeId"`
	BackupNodeIDs []string `wire:"backupNodeIds"`
}

// PartitionMapDelta changes owners in the map of version PreviousVersion.
//
//wire:message PARTITION_MAP_DELTA payload s2c
type PartitionMapDelta struct {
	Version         int64             `wire:"version"`
	PreviousVersion int64             `wire:"previousVersion"`
	Changes         []PartitionChange `wire:"changes"`
	Timestamp       int64             `wire:"timestamp"` // epoch ms
}

// PartitionChange gives a partition another owner.
type PartitionChange struct {
	PartitionID   int64           `wire:"partitionId"`
	PreviousOwner string          `wire:"previousOwner"`
	NewOwner      string          `wire:"newOwner"`
	Reason        PartitionReason `wire:"reason"`
}

// PartitionReason is why a partition changed its owner.
type PartitionReason string

// The reasons.
const (
	ReasonRebalance PartitionReason = "REBALANCE"
	ReasonFailover  PartitionReason = "FAILOVER"
	ReasonJoin      PartitionReason = "JOIN"
	ReasonLeave     PartitionReason = "LEAVE"
)
