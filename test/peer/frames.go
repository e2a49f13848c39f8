package peer

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Value encodes a value that Go can say; it panics for others.
func Value(v any) value.Raw {
	raw, err := value.FromAny(v)
	if err != nil {
		panic(fmt.Sprintf("peer: %v", err))
	}
	return raw
}

// Batch is an OP_BATCH of the operations.
func Batch(ops ...wire.ClientOp) *wire.OpBatch { return &wire.OpBatch{Ops: ops} }

// Put writes a value to an LWW map.
func Put(id, mapName, key string, v any, ts hlc.Timestamp) wire.ClientOp {
	return wire.ClientOp{
		ID: id, MapName: mapName, Key: key, OpType: "PUT",
		Record: wire.Given(wire.LWWRecord{Value: Value(v), Timestamp: ts}),
	}
}

// Remove writes a tombstone to an LWW map.
func Remove(id, mapName, key string, ts hlc.Timestamp) wire.ClientOp {
	return wire.ClientOp{
		ID: id, MapName: mapName, Key: key, OpType: "REMOVE",
		Record: wire.Given(wire.LWWRecord{Timestamp: ts}),
	}
}

// Add adds a record to an OR map.
func Add(id, mapName, key, tag string, v any, ts hlc.Timestamp) wire.ClientOp {
	return wire.ClientOp{
		ID: id, MapName: mapName, Key: key, OpType: "OR_ADD",
		ORRecord: wire.Some(wire.ORRecord{Value: Value(v), Timestamp: ts, Tag: tag}),
	}
}

// Drop removes a tag from an OR map.
func Drop(id, mapName, key, tag string) wire.ClientOp {
	return wire.ClientOp{ID: id, MapName: mapName, Key: key, OpType: "OR_REMOVE", ORTag: wire.Some(tag)}
}
