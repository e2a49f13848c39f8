package topgun

import (
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// history notices that the server continues another history than before: it was
// restored from a backup, and may lack what it has acknowledged. Everything that
// the replica holds is in doubt until both are equal.
func (r *lwwReplica) history(epoch int64, root uint32) {
	s := &r.sync
	if s.epoch != 0 && epoch != 0 && s.epoch != epoch {
		r.doubted = leaves{}
		for key := range r.states {
			r.doubted.add(merkle.LeafOf(hash.Key(key)), key)
		}
	}
	s.epoch = epoch
	if root == r.tree.Root() {
		r.doubted = nil
	}
}

// offerLacking offers the server again what it lacks of the doubted keys below a
// path, theirs being all that it holds there. What the queue has no room for
// stays in doubt, and its turn comes with the next round. mu is held.
func (c *Client) offerLacking(r *lwwReplica, path string, theirs []wire.KeyedRecord) {
	keys := r.doubted.below(path)
	if len(keys) == 0 {
		return
	}
	held := make(map[string]hlc.Timestamp, len(theirs))
	for i := range theirs {
		held[theirs[i].Key] = theirs[i].Record.Timestamp
	}
	for _, key := range keys {
		rec, err := crdt.ParseLWW(r.states[key])
		theirs, there := held[key]
		if err == nil && (!there || hlc.Compare(rec.TS, theirs) > 0) && !c.offer(r, key, rec) {
			return
		}
		r.doubted.drop(merkle.LeafOf(hash.Key(key)), key)
	}
}

// offer queues a record of the replica as if it had just been written, and
// reports whether there was room. A server that refuses it takes it out of the
// replica.
func (c *Client) offer(r *lwwReplica, key string, rec crdt.LWW) bool {
	size := len(key) + len(rec.Value)
	if c.log.room(1, size) != nil {
		return false
	}
	kind := wire.OpPut
	if rec.Tombstone() {
		kind = wire.OpRemove
	}
	c.log.add(&op{
		ts: rec.TS, size: size,
		wire: wire.ClientOp{
			MapName: r.name, Key: key, OpType: kind.String(),
			Record: wire.Given(wire.LWWRecord{Value: rec.Value, Timestamp: rec.TS, TTL: rec.TTL}),
		},
	})
	ring(c.bell)
	return true
}
