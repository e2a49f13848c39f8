package sim

import (
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// add adds a value under a new tag.
func (c *client) add(key string, v value.Raw, ttl int64) {
	ts := c.now()
	rec := crdt.ORRecord{Tag: ts.String(), Value: v, TS: ts, TTL: ttl, HasTTL: ttl != 0}
	c.mergeOR(key, rec)
	c.log(&op{kind: wire.OpORAdd, key: key, ts: ts, tag: rec.Tag, ttl: ttl, wire: wire.ClientOp{
		MapName: orMap, Key: key, OpType: "OR_ADD", ORRecord: wire.Some(wireRecord(rec)),
	}})
}

// drop removes the first record of a key.
func (c *client) drop(key string) {
	for rec := range c.or[key].Records() {
		c.forget(key, rec.Tag)
		c.log(&op{kind: wire.OpORRemove, key: key, ts: c.now(), tag: rec.Tag, wire: wire.ClientOp{
			MapName: orMap, Key: key, OpType: "OR_REMOVE", ORTag: wire.Some(rec.Tag),
		}})
		return
	}
}

func wireRecord(r crdt.ORRecord) wire.ORRecord {
	return wire.ORRecord{Value: r.Value, Timestamp: r.TS, Tag: r.Tag, TTL: wire.Opt[int64]{Value: r.TTL, Set: r.HasTTL}}
}

func (c *client) mergeOR(key string, rec crdt.ORRecord) bool {
	next, _, changed, err := c.or[key].Add(nil, rec)
	if err != nil {
		c.sim.find("%s cannot add %v: %v", c.name, rec, err)
	}
	if changed {
		c.or[key] = crdt.ORState(next)
	}
	return changed
}

// forget takes a tag out for good.
func (c *client) forget(key, tag string) bool {
	next, _, _, changed, err := c.or[key].Remove(nil, tag, c.sim.clock.millis)
	if err != nil {
		c.sim.find("%s cannot remove %s: %v", c.name, tag, err)
	}
	if changed {
		c.or[key] = crdt.ORState(next)
	}
	return changed
}

// tagsRoot is told the root of the server's tags: with the answer to
// ORMAP_SYNC_INIT, or unasked.
func (c *client) tagsRoot(m *wire.ORMapSyncRespRoot) {
	c.clock.Update(c.sim.clock.millis+c.ahead, m.Timestamp)
	if m.FullResync {
		c.sim.trace("%s begins anew with its tags", c.name)
		c.or = map[string]crdt.ORState{}
		kept := c.pending[:0]
		for _, o := range c.pending {
			if o.wire.MapName == orMap && hlc.Compare(o.ts, m.Timestamp) < 0 {
				c.dropped(o)
				continue
			}
			kept = append(kept, o)
			if !o.refused {
				c.applyAgain(o)
			}
		}
		c.pending = kept
	}
	if m.FullResync || m.RootHash != c.orTree().Root() {
		c.link.send(&wire.ORMapMerkleReqBucket{MapName: orMap})
	} else if m.CoveringEpoch > c.claimed {
		c.claimed = m.CoveringEpoch
		c.link.send(&wire.ClientApplyAck{Cursor: m.CoveringEpoch})
	}
}

// applyAgain does locally what a pending operation has done to the tags.
func (c *client) applyAgain(o *op) {
	switch o.kind {
	case wire.OpORAdd:
		r := o.wire.ORRecord.Value
		c.mergeOR(o.key, crdt.ORRecord{Tag: r.Tag, Value: r.Value, TS: r.Timestamp, TTL: r.TTL.Value, HasTTL: r.TTL.Set})
	case wire.OpORRemove:
		c.forget(o.key, o.tag)
	}
}

// dropped is an operation that the application is told will not be carried out.
func (c *client) dropped(o *op) {
	o.refused = true
	c.sim.trace("%s drops %s", c.name, o)
	at := o.ts.Millis
	if o.doubtful && o.wire.MapName == lwwMap {
		at = min(at, o.written-maxSkew) // it may have been re-stamped, and deleted since
	}
	if at >= c.sim.server.horizon() && tagTime(o) >= c.sim.server.horizon() {
		c.sim.find("%s has to drop an operation that is not older than the horizon: %s", c.name, o)
	}
}

func tagTime(o *op) int64 {
	ts, err := hlc.Parse(o.tag)
	if err != nil {
		return o.ts.Millis
	}
	return ts.Millis
}

// mergeEntries takes what a leaf holds, and gives what it lacks.
func (c *client) mergeEntries(entries []wire.ORMapEntry) {
	push := &wire.ORMapPushDiff{MapName: orMap}
	for _, e := range entries {
		for _, tag := range e.Tombstones {
			c.forget(e.Key, tag)
		}
		for _, r := range e.Records {
			c.mergeOR(e.Key, crdt.ORRecord{Tag: r.Tag, Value: r.Value, TS: r.Timestamp, TTL: r.TTL.Value, HasTTL: r.TTL.Set})
		}
		c.push(push, e.Key)
	}
	if len(push.Entries) > 0 {
		c.link.send(push)
	}
}

func (c *client) push(m *wire.ORMapPushDiff, key string) {
	mine := wire.ORMapEntry{Key: key}
	for r := range c.or[key].Records() {
		mine.Records = append(mine.Records, wireRecord(r))
	}
	for tag := range c.or[key].Tombstones() {
		mine.Tombstones = append(mine.Tombstones, tag)
	}
	if len(mine.Records) > 0 {
		m.Entries = append(m.Entries, mine)
	}
}
