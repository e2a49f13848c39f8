package sim

import (
	"strconv"
	"strings"

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
		c.rejected(m)
	case *wire.ServerEvent:
		c.event(m)
	case *wire.QueryResp:
		c.query.answer(m)
	case *wire.QueryUpdate:
		c.query.update(c, m)
	case *wire.SyncRespRoot:
		c.clock.Update(c.sim.clock.millis+c.ahead, m.Timestamp)
		// From here on it misses nothing, once it has caught up; so until it has, the
		// time counts at which it began with nothing.
		same := m.RootHash == c.lwwTree().Root()
		if same || c.lastSync == 0 && len(c.lww) == 0 {
			c.lastSync = m.Timestamp.Millis
		}
		if !same {
			c.link.send(&wire.MerkleReqBucket{MapName: lwwMap})
		}
	case *wire.SyncResetRequired:
		c.sim.trace("%s begins anew with its notes", c.name)
		c.lww, c.lastSync = map[string]string{}, 0
		for _, o := range c.pending {
			if o.wire.MapName == lwwMap && !o.refused {
				c.mergeLWW(o.key, o.wire.Record.Value, false)
			}
		}
		c.link.send(&wire.SyncInit{MapName: lwwMap})
	case *wire.GCPrune:
		c.prune(m.OlderThan)
	case *wire.CounterUpdate:
		c.mergeCounter(&m.State)
	case *wire.CounterResponse:
		c.mergeCounter(&m.State)
	case *wire.SyncRespBuckets:
		for _, path := range differing(c.lwwTree(), m.Path, &m.Buckets) {
			c.link.send(&wire.MerkleReqBucket{MapName: lwwMap, Path: path})
		}
	case *wire.SyncRespLeaf:
		for _, r := range m.Records {
			c.mergeLWW(r.Key, r.Record, false)
		}
	case *wire.ORMapSyncRespRoot:
		c.tagsRoot(m)
	case *wire.ORMapSyncRespBuckets:
		c.tagsBuckets(m)
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
	c.synchronise()
	c.link.send(&wire.CounterRequest{Name: counterName})
	c.tellCounter()
}

// synchronise asks for the roots of both maps, as clients do when they connect and
// when they think that they have missed something.
func (c *client) synchronise() {
	last := c.lastSync
	if last == 0 && len(c.lww) > 0 {
		last = 1 // it holds notes and has never been told what became of them
	}
	c.link.send(&wire.SyncInit{MapName: lwwMap, LastSyncTimestamp: last})
	c.link.send(&wire.ORMapSyncInit{MapName: orMap, RootHash: c.orTree().Root(), ClaimedEpoch: c.claimed})
}

// rejected takes a refusal. The only one there may be is that of a write that is
// older than what the server remembers of deletions; what it had done here is
// undone.
func (c *client) rejected(m *wire.OpRejected) {
	if !strings.HasPrefix(m.Reason, "STALE_WRITE") {
		c.sim.find("%s: operation %s is rejected: %s", c.name, m.OpID, m.Reason)
		return
	}
	for _, o := range c.pending {
		if strconv.Itoa(o.id) != m.OpID || o.refused {
			continue
		}
		c.dropped(o)
		switch o.kind {
		case wire.OpPut, wire.OpRemove:
			if rec, err := crdt.ParseLWW(c.lww[o.key]); err == nil && rec.TS == o.ts {
				delete(c.lww, o.key)
			}
		case wire.OpORAdd:
			c.forget(o.key, o.tag)
		}
	}
}

// prune drops the tombstones from before a time.
func (c *client) prune(before hlc.Timestamp) {
	for key, state := range c.lww {
		if rec, err := crdt.ParseLWW(state); err == nil && rec.Tombstone() && hlc.Compare(rec.TS, before) < 0 {
			delete(c.lww, key)
		}
	}
	for key, state := range c.or {
		next, _, n, err := state.Forget(nil, func(tag string, _ int64) bool {
			ts, err := hlc.Parse(tag)
			return err == nil && hlc.Compare(ts, before) < 0
		})
		if err == nil && n > 0 {
			c.or[key] = crdt.ORState(next)
		}
	}
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
		if !o.refused {
			c.acked[o.id] = o
		}
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
		o.kind, o.ts, o.ttl = wire.OpPut, m.Record.Value.Timestamp, m.Record.Value.TTL
		o.gone = m.Record.Value.Tombstone() || o.ttl != 0
		c.mergeLWW(m.Key, m.Record.Value, true)
	case wire.EventORAdd:
		r := m.ORRecord.Value
		o.kind, o.ts, o.tag, o.ttl = wire.OpORAdd, r.Timestamp, r.Tag, r.TTL.Value
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
		if c.doubtful() && o.wire.MapName == lwwMap && o.key == key && o.ts == have.TS {
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

// tagsBuckets descends where the hashes differ, and gives what the server has
// nothing of.
func (c *client) tagsBuckets(m *wire.ORMapSyncRespBuckets) {
	tree := c.orTree()
	listed := map[byte]bool{}
	for digit := range m.Buckets.All() {
		listed["0123456789abcdef"[digit]] = true
	}
	push := &wire.ORMapPushDiff{MapName: orMap}
	for _, child := range tree.Children(m.Path) {
		if child.Hash == 0 || listed[child.Digit] || len(m.Path) != merkle.Depth-1 {
			continue
		}
		for key := range inOrder(c.or) {
			if merkle.LeafPath(merkle.LeafOf(hashOf(key))) == m.Path+string(child.Digit) {
				c.push(push, key)
			}
		}
	}
	if len(push.Entries) > 0 {
		c.link.send(push)
	}
	for _, path := range differing(tree, m.Path, &m.Buckets) {
		c.link.send(&wire.ORMapMerkleReqBucket{MapName: orMap, Path: path})
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
