package records

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Tombstones are forgotten when they have lived long enough, those of tags also
// when every device that matters has confirmed the removal. Each is forgotten by
// a change of its own, so that whoever reads the stream, a replay among them,
// comes to the same state.
//
// From then on nobody can tell a key or a tag that was never there from one
// whose deletion is forgotten. So before a partition forgets anything it logs
// its horizon: a time, later than the timestamps of all that it has forgotten by
// age. A write older than the horizon that would make a key or a tag is refused
// (STALE-REFUSED); one that meets a state is merged, because that state has
// already won or will. Confirmed tags may be younger than the horizon: whoever
// could send one again has confirmed that it does not.

// A key goes only when the store has what was last written of it. A checkpoint
// that is under way reaches that write, and would otherwise drop the log of it
// without having a row: the store would hold the key as it was before.

// postponed is a slot of an agenda that has to wait for a checkpoint.
type postponed struct {
	agenda *agenda
	at     int64
	slot   slot
}

// horizonFormat begins the state of a horizon: kind 4, version 0, as in
// docs/format/state.md.
const horizonFormat = 0x40

// tooOld reports whether a write of that time is older than the horizon.
func (r *Replica) tooOld(millis int64) bool {
	if millis >= r.horizon {
		return false
	}
	r.shared.keeping.stale.Add(1)
	return true
}

// tooOldTag is tooOld for a write of a tag, which may tell its own time, and
// which may have to be younger than the horizon.
func (r *Replica) tooOldTag(tag string, millis, since int64) bool {
	if since = max(since, r.horizon); since == 0 {
		return false
	}
	if ts, err := hlc.Parse(tag); err == nil {
		millis = min(millis, ts.Millis)
	}
	if millis >= since || mistake.NoHorizon {
		return false
	}
	r.shared.keeping.stale.Add(1)
	return true
}

// Horizon is the time, in milliseconds since the Unix epoch, before which
// deletions may be forgotten; 0 while none is.
func (r *Replica) Horizon() int64 { return r.horizon }

// reclaim forgets what may be forgotten of one key, and puts the rest down for
// later.
func (r *Replica) reclaim(w *sweep, m *Map, t *record.Table, keyHash uint32, key string) {
	op := &Op{Verb: change.Forget, Map: m.Name, Kind: m.Kind, Key: key, Hash: keyHash, Author: system}
	switch m.Kind {
	case change.KindLWW:
		r.reclaimKey(w, m, t, op)
	case change.KindOR:
		r.reclaimTags(w, m, t, op)
	}
}

func (r *Replica) reclaimKey(w *sweep, m *Map, t *record.Table, op *Op) {
	e, state, _ := r.stored(t, op)
	rec, err := crdt.ParseLWW(state)
	if err != nil || !rec.Tombstone() {
		return
	}
	at := max(int64(e.Arrival()>>16), rec.TS.Millis)
	if at >= w.cut {
		r.shared.deaths.lww.add(at, slot{m.number, op.Hash})
		return
	}
	if e.Dirty() {
		w.postponed = append(w.postponed, postponed{&r.shared.deaths.lww, at, slot{m.number, op.Hash}})
		return
	}
	r.raise(w)
	e, state, _ = r.stored(t, op) // the views have ended
	c := r.record(w.now, m, op, state, "")
	r.seq++
	r.endsNoMore(m, e)
	r.forget(m, t, e, nil, r.seq)
	w.fx.Log = append(w.fx.Log, c)
	r.shared.keeping.reclaimed.Add(1)
}

func (r *Replica) reclaimTags(w *sweep, m *Map, t *record.Table, op *Op) {
	e, state, _ := r.stored(t, op)
	earliest := int64(never)
	next, gone, n, err := crdt.ORState(state).Forget(r.scratch[:0], func(tag string, removedAt int64) bool {
		at, known := deathOf(tag, removedAt)
		if at >= w.confirmed && (!known || at >= w.cut) {
			r.scheduleDeath(m, op.Hash, tag, removedAt)
			return false
		}
		earliest = min(earliest, at)
		return true
	})
	if err != nil || n == 0 {
		return
	}
	r.scratch = next
	if len(next) == 0 && e.Dirty() {
		w.postponed = append(w.postponed, postponed{&r.shared.deaths.tags, earliest, slot{m.number, op.Hash}})
		return
	}
	r.raise(w)
	e, _ = t.Get(op.Hash, op.Key)
	c := r.record(w.now, m, op, string(gone), "")
	r.seq++
	if len(next) == 0 {
		r.endsNoMore(m, e)
	}
	r.forget(m, t, e, next, r.seq)
	w.fx.Log = append(w.fx.Log, c)
	r.shared.keeping.reclaimed.Add(uint64(n))
}

// endsNoMore has nobody look for the end of a key that is about to be forgotten: its
// time may be years away. Whoever reclaims has all keys of a hash in memory, so no
// other key is meant.
func (r *Replica) endsNoMore(m *Map, e record.Entry) {
	if e.Alone() {
		r.shared.ends.drop(slot{m.number, e.Hash()})
	}
}

// forget is what forgetting does to the tables: the arrival of the key stays,
// since nobody has written it.
func (r *Replica) forget(m *Map, t *record.Table, e record.Entry, left []byte, seq uint64) {
	if len(left) > 0 {
		arrival := e.Arrival()
		e = t.Update(e, left)
		e.SetPlace(seq, arrival)
		r.markDirty(m, e)
		return
	}
	keyHash, key := e.Hash(), e.Key()
	m.tree.Update(keyHash, e.Sum(), 0, -1)
	if r.shared.memory.Budget == 0 {
		t.Delete(keyHash, key)
	} else {
		t.Remove(e) // and is not asked for in a store that has it still
	}
	r.markRemoved(m, keyHash, key)
}

// installForget takes a Forget from the log.
func (r *Replica) installForget(c *change.Record) error {
	m, err := r.shared.open(c.Map, c.Kind)
	if err != nil {
		return fmt.Errorf("map %q, key %q at %s is a record of a %s: %w", c.Map, c.Key, c.Pos, c.Kind, err)
	}
	r.seq = max(r.seq, c.Pos.Seq)
	t := r.open(m)
	if err := r.fetch(m, t, c.KeyHash, c.Key); err != nil {
		return err
	}
	e, known := t.Get(c.KeyHash, c.Key)
	if !known || e.Seq() >= c.Pos.Seq {
		return nil
	}
	var left []byte
	if c.Kind == change.KindOR {
		gone := map[string]bool{}
		for tag := range crdt.ORState(c.Before).Tombstones() {
			gone[tag] = true
		}
		if left, _, _, err = crdt.ORState(e.State()).Forget(nil, func(tag string, _ int64) bool { return gone[tag] }); err != nil {
			return fmt.Errorf("map %q, key %q at %s: %w", c.Map, c.Key, c.Pos, err)
		}
	}
	r.forget(m, t, e, left, c.Pos.Seq)
	return nil
}

// raise logs a later horizon.
func (r *Replica) raise(w *sweep) {
	if w.cut <= r.horizon || mistake.NoHorizon {
		return
	}
	m, err := r.shared.open(HorizonMap, change.KindHorizon)
	if err != nil {
		return // the name is the server's own, nobody else gives it a kind
	}
	r.horizon = w.cut
	raise(&r.shared.keeping.horizon, w.cut)
	t := r.open(m)
	key := horizonKey(r.ID)
	op := &Op{Verb: change.Raise, Key: key, Hash: hash.Key(key), Author: system}
	e, before, known := r.stored(t, op)
	state := binary.BigEndian.AppendUint64([]byte{horizonFormat}, uint64(w.cut))
	w.fx.Log = append(w.fx.Log, r.record(w.now, m, op, before, stringOf(state)))
	r.put(m, t, op, e, known, state, w.now)
}

// horizonKey is the first number whose text belongs to the partition: a key has
// to lie in the partition that it speaks of.
func horizonKey(id partition.ID) string {
	for n := 0; ; n++ {
		if key := strconv.Itoa(n); partition.Of(hash.Key(key)) == id {
			return key
		}
	}
}

func parseHorizon(state string) (int64, error) {
	if len(state) != 9 || state[0] != horizonFormat || state[1] >= 0x80 {
		return 0, fmt.Errorf("%w: age horizon of %d bytes", crdt.ErrCorrupt, len(state))
	}
	return int64(binary.BigEndian.Uint64([]byte(state[1:]))), nil
}
