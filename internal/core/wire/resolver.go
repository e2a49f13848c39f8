package wire

import (
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// RegisterResolver gives a map a conflict resolver.
//
//wire:message REGISTER_RESOLVER flat c2s
type RegisterResolver struct {
	RequestID string   `wire:"requestId"`
	MapName   string   `wire:"mapName"`
	Resolver  Resolver `wire:"resolver"`
}

// Resolver is code that decides between two states of a record.
type Resolver struct {
	Name       string     `wire:"name"`
	Code       string     `wire:"code,text"` // JavaScript
	Priority   Opt[int64] `wire:"priority"`  // 0 to 100
	KeyPattern string     `wire:"keyPattern,omitempty"`
}

// RegisterResolverResponse answers REGISTER_RESOLVER.
//
//wire:message REGISTER_RESOLVER_RESPONSE flat s2c
type RegisterResolverResponse struct {
	RequestID string `wire:"requestId"`
	Success   bool   `wire:"success"`
	Error     string `wire:"error,omitempty,text"`
}

// UnregisterResolver takes a conflict resolver away.
//
//wire:message UNREGISTER_RESOLVER flat c2s
type UnregisterResolver struct {
	RequestID    string `wire:"requestId"`
	MapName      string `wire:"mapName"`
	ResolverName string `wire:"resolverName"`
}

// UnregisterResolverResponse answers UNREGISTER_RESOLVER.
//
//wire:message UNREGISTER_RESOLVER_RESPONSE flat s2c
type UnregisterResolverResponse struct {
	RequestID string `wire:"requestId"`
	Success   bool   `wire:"success"`
	Error     string `wire:"error,omitempty,text"`
}

// ListResolvers asks for the conflict resolvers of one map or all maps.
//
//wire:message LIST_RESOLVERS flat c2s
type ListResolvers struct {
	RequestID string `wire:"requestId"`
	MapName   string `wire:"mapName,omitempty"`
}

// ListResolversResponse answers LIST_RESOLVERS.
//
//wire:message LIST_RESOLVERS_RESPONSE flat s2c
type ListResolversResponse struct {
	RequestID string         `wire:"requestId"`
	Resolvers []ResolverInfo `wire:"resolvers"`
}

// ResolverInfo describes a registered resolver.
type ResolverInfo struct {
	MapName    string     `wire:"mapName"`
	Name       string     `wire:"name"`
	Priority   Opt[int64] `wire:"priority"`
	KeyPattern string     `wire:"keyPattern,omitempty"`
}

// MergeRejected tells a client that its write of one record was refused.
//
//wire:message MERGE_REJECTED flat s2c
type MergeRejected struct {
	MapName        string        `wire:"mapName"`
	Key            string        `wire:"key,key"`
	AttemptedValue value.Raw     `wire:"attemptedValue"`
	Reason         string        `wire:"reason,text"`
	Timestamp      hlc.Timestamp `wire:"timestamp"` // of the refused write; moves the client's clock
}
