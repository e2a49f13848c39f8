package wire

import "github.com/topgunbuild/topgun-go/internal/core/hlc"

// GCPrune makes clients drop tombstones of all maps.
//
//wire:message GC_PRUNE payload s2c
type GCPrune struct {
	OlderThan hlc.Timestamp `wire:"olderThan"`
}
