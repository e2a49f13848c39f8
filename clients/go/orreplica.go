package topgun

import (
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// pushEntries is the most entries of one ORMAP_PUSH_DIFF; pushBytes is about the
// most bytes.
const (
	pushEntries = 500
	pushBytes   = 256 << 10
)

// orReplica is the replica of an OR map, tombstones included: a removed tag
// never comes back. It is guarded by Client.mu.
type orReplica struct {
	replica
	states map[string]crdt.ORState
	leaves leaves

	covered int64 // the epoch up to which it is equal to the server's, on this connection
	claimed int64 // the epoch that the client has confirmed
}

// confirm tells the server, when all OR maps are equal to its, that removals up
// to an epoch are known here and need not be remembered for this device. mu is
// held.
func (c *Client) confirm(r *orReplica, epoch int64) {
	if r.covered = max(r.covered, epoch); epoch == 0 {
		return
	}
	least := epoch
	for _, o := range c.or {
		least = min(least, o.covered)
	}
	if least <= r.claimed {
		return
	}
	for _, o := range c.or {
		o.claimed = least
	}
	c.send(&wire.ClientApplyAck{Cursor: least})
}

// openOR returns the replica, made if it is not there. mu is held.
func (c *Client) openOR(name string) (*orReplica, error) {
	if r := c.or[name]; r != nil {
		return r, nil
	}
	if err := checkMapName(name); err != nil {
		return nil, err
	}
	if c.lww[name] != nil {
		return nil, ErrMapKind
	}
	r := &orReplica{replica: replica{name: strings.Clone(name)}, states: map[string]crdt.ORState{}, leaves: leaves{}}
	r.sync.reset()
	c.or[r.name] = r
	c.startSync(r)
	return r, nil
}

// visible returns the values that a key shows, each once.
func (r *orReplica) visible(key string, now int64) []value.Raw {
	var live []orRecord
	for rec := range r.states[key].Records() {
		if rec.Visible(now) {
			live = append(live, rec)
		}
	}
	slices.SortStableFunc(live, func(a, b orRecord) int { return hlc.Compare(a.TS, b.TS) })
	var out []value.Raw
	for _, rec := range live {
		if !slices.ContainsFunc(out, func(v value.Raw) bool { return value.Equal(v, rec.Value) }) {
			out = append(out, rec.Value)
		}
	}
	return out
}

// add merges a record. One without a tag, which no server sends, is left out.
func (r *orReplica) add(key string, rec orRecord) {
	if next, _, changed, err := r.states[key].Add(nil, rec); err == nil && changed {
		r.put(key, crdt.ORState(next))
	}
}

// drop merges the removal of a tag.
func (r *orReplica) drop(key, tag string, now int64) {
	if next, _, _, changed, err := r.states[key].Remove(nil, tag, now); err == nil && changed {
		r.put(key, crdt.ORState(next))
	}
}

// forget drops the tombstones of a key for which gone returns true.
func (r *orReplica) forget(key string, gone func(tag string) bool) {
	next, _, dropped, err := r.states[key].Forget(nil, func(tag string, _ int64) bool { return gone(tag) })
	if err == nil && dropped > 0 {
		r.put(key, crdt.ORState(next))
	}
}

// put replaces the state of a key; an empty one is none.
func (r *orReplica) put(key string, state crdt.ORState) {
	old, had := r.states[key]
	leaf := merkle.LeafOf(hash.Key(key))
	if state == "" {
		delete(r.states, key)
		r.leaves.drop(leaf, key)
	} else {
		if !had {
			key = strings.Clone(key) // it may be a view of a whole message
		}
		r.states[key] = state
		r.leaves.add(leaf, key)
	}
	r.update(key, old.Hash(key), state.Hash(key), had, state != "")
}

// takeBack undoes a refused operation.
func (r *orReplica) takeBack(refused *op) {
	key, rec := refused.wire.Key, refused.undo.record
	mine := func(tag string) bool { return tag == rec.Tag }
	if refused.wire.ORTag.Set {
		r.forget(key, mine)
		if !refused.undo.lost {
			r.add(key, rec)
		}
		return
	}
	for live := range r.states[key].Records() {
		if live.Tag == rec.Tag {
			r.drop(key, rec.Tag, 0)
			r.forget(key, mine)
			return
		}
	}
}

func (r *orReplica) prune(older func(tag string) bool) {
	for key := range r.states {
		r.forget(key, older)
	}
}

// startOver forgets the replica, because the server has forgotten tombstones
// that it may lack, and with it the operations before a time. They are
// reported: nothing goes unsaid. mu is held.
func (c *Client) startOver(r *orReplica, before hlc.Timestamp) {
	for key := range r.states {
		r.put(key, "")
	}
	for _, o := range slices.Clone(c.log.ops) {
		if o.wire.MapName != r.name {
			continue
		}
		if hlc.Compare(o.undo.record.TS, before) < 0 {
			c.log.remove(o.id)
			e := &RejectedError{
				Op: o.wire.ID, Kind: o.wire.OpType, Map: r.name, Key: o.wire.Key, Code: wire.CodeStaleWrite.Number(),
				Name: wire.CodeStaleWrite.Name(), Reason: "the server has forgotten the removals that this could collide with",
			}
			for _, w := range o.writes {
				w.settle(0, e)
			}
			c.report(e)
			continue
		}
		if o.wire.ORTag.Set {
			r.drop(o.wire.Key, o.wire.ORTag.Value, c.now())
		} else {
			r.add(o.wire.Key, o.undo.record)
		}
	}
}

// orLeaf merges a leaf, and gives the server what it lacks of it. mu is held.
func (c *Client) orLeaf(r *orReplica, m *wire.ORMapSyncRespLeaf) {
	if !c.answered(r, m.Path) {
		return
	}
	c.mergeEntries(r, m.Entries)
	theirs := map[string]*wire.ORMapEntry{}
	for i := range m.Entries {
		theirs[m.Entries[i].Key] = &m.Entries[i]
	}
	var lacking []string
	for _, key := range r.leaves.below(m.Path) {
		if r.lacks(key, theirs[key]) {
			lacking = append(lacking, key)
		}
	}
	c.push(r, lacking)
	c.endWalk(r)
}

func (c *Client) mergeEntries(r *orReplica, entries []wire.ORMapEntry) {
	for i := range entries {
		e := &entries[i]
		if e.Invalid != nil {
			continue
		}
		for _, tag := range e.Tombstones {
			r.drop(e.Key, tag, c.now())
		}
		for j := range e.Records {
			c.saw(e.Records[j].Timestamp)
			r.add(e.Key, recordOf(&e.Records[j]))
		}
	}
}

// lacks reports whether the server does not hold everything of a key: a live
// record, or the tombstone of a record that is live there.
func (r *orReplica) lacks(key string, theirs *wire.ORMapEntry) bool {
	held := map[string]bool{}
	if theirs != nil {
		for i := range theirs.Records {
			held[theirs.Records[i].Tag] = true
		}
	}
	for rec := range r.states[key].Records() {
		if !held[rec.Tag] {
			return true
		}
	}
	for tag := range r.states[key].Tombstones() {
		if held[tag] {
			return true
		}
	}
	return false
}

// push sends everything that the replica holds of some keys. mu is held.
func (c *Client) push(r *orReplica, keys []string) {
	m := &wire.ORMapPushDiff{MapName: r.name}
	bytes := 0
	for _, key := range keys {
		state := r.states[key]
		if len(m.Entries) == pushEntries || bytes > 0 && bytes+len(state) > pushBytes {
			c.send(m)
			m, bytes = &wire.ORMapPushDiff{MapName: r.name}, 0
		}
		e := wire.ORMapEntry{Key: key}
		for rec := range state.Records() {
			e.Records = append(e.Records, wireRecord(rec))
		}
		for tag := range state.Tombstones() {
			e.Tombstones = append(e.Tombstones, tag)
		}
		m.Entries = append(m.Entries, e)
		bytes += len(state)
	}
	if len(m.Entries) > 0 {
		c.send(m)
	}
}
