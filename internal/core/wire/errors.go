package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Error reports a problem that no typed response can carry. Clients only log
// it.
//
//wire:message ERROR payload s2c
type Error struct {
	Code    int64             `wire:"code"`
	Message string            `wire:"message,text"`
	Details value.Raw         `wire:"details,omitempty"` // where known: the type and the id of the request
	Routing Opt[RoutingError] `wire:"error,top"`
}

// RoutingError tells a client with a partition map of its own that the map is
// wrong. It lies beside the type of any message.
type RoutingError struct {
	Code    RoutingCode      `wire:"code"`
	Message string           `wire:"message,omitempty,text"`
	Hint    Opt[RoutingHint] `wire:"hint"`
}

// RoutingHint says which version of the map to ask for.
type RoutingHint struct {
	PartitionID   Opt[int64] `wire:"partitionId"`
	CurrentOwner  string     `wire:"currentOwner,omitempty"`
	MapVersion    int64      `wire:"mapVersion,omitempty"`
	ClientVersion int64      `wire:"clientVersion,omitempty"`
	ServerVersion int64      `wire:"serverVersion,omitempty"`
}

// RoutingCode is the kind of a RoutingError.
type RoutingCode string

// The routing codes.
const (
	NotOwner RoutingCode = "NOT_OWNER" // another member owns the partition
	StaleMap RoutingCode = "STALE_MAP" // the client's map is older than the server's
)
