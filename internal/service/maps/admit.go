package maps

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// translate turns a client's operation into one for the grid, or says what is
// wrong with it. The result aliases the frame.
func translate(c *service.Caller, in *wire.ClientOp, out *records.Op) error {
	if in.Invalid != nil {
		return in.Invalid
	}
	*out = records.Op{
		Map: in.MapName, Key: in.Key, Hash: hash.Key(in.Key), Kind: change.KindLWW,
		Author: c.Author, Request: in.ID,
	}
	switch in.Kind() {
	case wire.OpPut:
		r := &in.Record.Value
		out.Verb, out.Value, out.TS, out.TTL = change.Put, r.Value, r.Timestamp, r.TTL
	case wire.OpRemove:
		out.Verb = change.Remove
		if in.Record.State == wire.Present {
			out.TS = in.Record.Value.Timestamp
		}
	case wire.OpORAdd:
		r := &in.ORRecord.Value
		out.Kind, out.Verb = change.KindOR, change.Add
		out.Value, out.TS, out.Tag = r.Value, r.Timestamp, r.Tag
		out.TTL, out.HasTTL = r.TTL.Value, r.TTL.Set
	case wire.OpORRemove:
		out.Kind, out.Verb, out.Tag = change.KindOR, change.Drop, in.ORTag.Value
	}
	return nil
}
