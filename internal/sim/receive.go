package sim

import (
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// receive takes the next frame from the server.
func (c *client) receive() {
	if c.link == nil {
		return
	}
	if len(c.link.down) == 0 {
		if c.link.closing {
			c.sim.trace("%s is closed", c.name)
			c.disconnected()
		}
		return
	}
	frame := c.link.down[0]
	c.link.down = c.link.down[1:]
	m, err := wire.Decode(frame, wire.Limits{})
	if err != nil {
		c.sim.find("%s cannot read what the server sent: %v", c.name, err)
		return
	}
	c.sim.trace("%s receives %s %d bytes", c.name, m.Type(), len(frame))
	c.handle(m)
}

func (c *client) handle(m wire.Message) {
	switch m := m.(type) {
	case *wire.DeviceAck:
		c.welcome(m)
	case *wire.OpAck:
		c.acknowledged(m)
	case *wire.OpRejected:
		c.sim.find("%s: operation %s is rejected: %s", c.name, m.OpID, m.Reason)
	case *wire.ServerEvent:
		c.event(m)
	case *wire.QueryResp:
		c.query.answer(m)
	case *wire.QueryUpdate:
		c.query.update(c, m)
	case *wire.SyncRespRoot:
		if m.RootHash != c.lwwTree().Root() {
			c.link.send(&wire.MerkleReqBucket{MapName: lwwMap})
		}
	case *wire.SyncRespBuckets:
		for _, path := range differing(c.lwwTree(), m.Path, &m.Buckets) {
			c.link.send(&wire.MerkleReqBucket{MapName: lwwMap, Path: path})
		}
	case *wire.SyncRespLeaf:
		for _, r := range m.Records {
			c.mergeLWW(r.Key, r.Record, false)
		}
	case *wire.ORMapSyncRespRoot:
		if m.RootHash != c.orTree().Root() {
			c.link.send(&wire.ORMapMerkleReqBucket{MapName: orMap})
		}
	case *wire.ORMapSyncRespBuckets:
		for _, path := range differing(c.orTree(), m.Path, &m.Buckets) {
			c.link.send(&wire.ORMapMerkleReqBucket{MapName: orMap, Path: path})
		}
	case *wire.ORMapSyncRespLeaf:
		c.mergeEntries(m.Entries)
	case *wire.Error:
		c.sim.trace("%s is told: %s", c.name, m.Message)
	}
}

func (c *client) welcome(m *wire.DeviceAck) {
	if m.DeviceToken != "" {
		c.token = m.DeviceToken
	}
	c.ready = true
	c.offer()
	c.query = newLiveQuery()
	c.link.send(c.query.message())
	c.link.send(&wire.SyncInit{MapName: lwwMap})
	c.link.send(&wire.ORMapSyncInit{MapName: orMap, RootHash: c.orTree().Root()})
}

func (c *client) acknowledged(m *wire.OpAck) {
	last, err := strconv.Atoi(m.LastID)
	if err != nil {
		c.sim.find("%s: acknowledgement of %q", c.name, m.LastID)
		return
	}
	for len(c.pending) > 0 && c.pending[0].id <= last {
		o := c.pending[0]
		c.pending = c.pending[1:]
		c.acked[o.id] = o
	}
	if m.AchievedLevel != wire.Persisted {
		c.sim.find("%s: acknowledged at %q without having asked for it", c.name, m.AchievedLevel)
	}
}

// event merges what the server announces.
func (c *client) event(m *wire.ServerEvent) {
	o := &op{key: m.Key, origin: "the server's events", tag: m.ORTag}
	switch m.EventType {
	case wire.EventPut, wire.EventRemove:
		o.kind, o.ts = wire.OpPut, m.Record.Value.Timestamp
		c.mergeLWW(m.Key, m.Record.Value, true)
	case wire.EventORAdd:
		r := m.ORRecord.Value
		o.kind, o.ts, o.tag = wire.OpORAdd, r.Timestamp, r.Tag
		c.mergeOR(m.Key, crdt.ORRecord{Tag: r.Tag, Value: r.Value, TS: r.Timestamp, TTL: r.TTL.Value, HasTTL: r.TTL.Set})
	case wire.EventORRemove:
		o.kind = wire.OpORRemove
		c.forget(m.Key, m.ORTag)
	}
	c.seen = append(c.seen, o)
	if !m.Timestamp.IsZero() {
		c.checkSilent(o) // without one it is the answer to a re-stamped write
	}
}

// mergeLWW merges a record; event says that it came as a SERVER_EVENT, which a
// client also adopts when it loses and holds the same value: that is how it
// learns that its write was re-stamped.
func (c *client) mergeLWW(key string, r wire.LWWRecord, event bool) {
	c.clock.Update(c.sim.clock.millis+c.ahead, r.Timestamp)
	old := c.lww[key]
	next := crdt.LWW{Value: r.Value, TS: r.Timestamp, TTL: r.TTL}
	if r.Tombstone() {
		next.Value = nil
	}
	if crdt.AcceptLWW(old, r.Timestamp) > 0 {
		c.lww[key] = string(crdt.AppendLWW(nil, next))
		return
	}
	have, err := crdt.ParseLWW(old)
	if !event || err != nil || hlc.Compare(have.TS, r.Timestamp) == 0 || !value.Equal(orNil(have.Value), orNil(next.Value)) {
		return
	}
	for _, o := range c.pending {
		if c.ahead > hlc.MaxDrift && o.wire.MapName == lwwMap && o.key == key && o.ts == have.TS {
			o.restamped, o.ts = true, r.Timestamp
		}
	}
	c.lww[key] = string(crdt.AppendLWW(nil, next))
}

func orNil(v value.Raw) value.Raw {
	if len(v) == 0 {
		return value.AppendNil(nil)
	}
	return v
}

func (c *client) mergeEntries(entries []wire.ORMapEntry) {
	push := &wire.ORMapPushDiff{MapName: orMap}
	for _, e := range entries {
		for _, tag := range e.Tombstones {
			c.forget(e.Key, tag)
		}
		for _, r := range e.Records {
			c.mergeOR(e.Key, crdt.ORRecord{Tag: r.Tag, Value: r.Value, TS: r.Timestamp, TTL: r.TTL.Value, HasTTL: r.TTL.Set})
		}
		mine := wire.ORMapEntry{Key: e.Key}
		for r := range c.or[e.Key].Records() {
			mine.Records = append(mine.Records, wire.ORRecord{Value: r.Value, Timestamp: r.TS, Tag: r.Tag})
		}
		for tag := range c.or[e.Key].Tombstones() {
			mine.Tombstones = append(mine.Tombstones, tag)
		}
		if len(mine.Records) > 0 {
			push.Entries = append(push.Entries, mine)
		}
	}
	if len(push.Entries) > 0 {
		c.link.send(push)
	}
}

// differing lists the children below path whose hashes are not ours.
func differing(t *merkle.Tree, path string, theirs *wire.Buckets) []string {
	ours := map[byte]uint32{}
	for _, child := range t.Children(path) {
		ours[child.Digit] = child.Hash
	}
	var out []string
	for digit, h := range theirs.All() {
		d := "0123456789abcdef"[digit]
		if ours[d] != h {
			out = append(out, path+string(d))
		}
	}
	return out
}

func (c *client) lwwTree() *merkle.Tree {
	t := &merkle.Tree{}
	for key, state := range c.lww {
		t.Update(hashOf(key), 0, crdt.LWWHashOf(key, state), 1)
	}
	return t
}

func (c *client) orTree() *merkle.Tree {
	t := &merkle.Tree{}
	for key, state := range c.or {
		t.Update(hashOf(key), 0, state.Hash(key), 1)
	}
	return t
}
