package records

import (
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// A record whose time is over becomes a tombstone, and a record of a set has its
// tag removed. Both are changes like any other: logged, published, told to
// replicas and live queries.
//
// The tombstone's timestamp follows that of the record and precedes every other:
// same milliseconds and counter, and the node with expiredNode behind it. So it
// depends on nothing but the record, whoever notices and when; whatever wins
// against the record wins against its end, and whatever loses loses.
const expiredNode = "-expired"

// MaxNode is the longest node of a record that may end: with expiredNode behind it
// it has to be one that the protocol's messages can carry.
const MaxNode = 256 - len(expiredNode)

// system is the author of what the server does by itself.
var system = &change.Author{Origin: change.OriginSystem}

// endsTag reports whether a change is the end of a tag. Nobody has written the
// key then, so its arrival stays.
func endsTag(verb change.Verb, author *change.Author) bool {
	return verb == change.Drop && author != nil && author.Origin == change.OriginSystem
}

// tagsAtOnce bounds the tags of one key that are removed in one go.
const tagsAtOnce = 64

// What ends is in the log as it was. So many bytes of it cost as much as a slot,
// and so many are visited at once of what was recalled.
const (
	slotBytes = 16 << 10
	dueBytes  = 4 << 20
)

// Sweep ends what is over and reclaims what may be forgotten, looking at no more
// than budget slots, or fewer when tags of sets end, each of which costs as much as
// its set is large, or when large records do. more says that there is more to do
// now. confirmed is the time
// up to which every device that matters has confirmed the removals of tags, in
// milliseconds since the Unix epoch. replica finds the lane's partitions.
func (s *Shared) Sweep(now Time, replica func(partition.ID) *Replica, confirmed int64, budget int, fx *Effects) (more bool) {
	s.confirmed = confirmed
	for ; budget > 0 && s.recalled < maxRecalled; budget-- {
		sl, ok := s.ends.take(now.Sys)
		if !ok {
			break
		}
		s.visit(sl, replica, func(r *Replica, m *Map, t *record.Table, key string) {
			at := len(fx.Log)
			budget -= max(r.expire(now, m, t, sl.hash, key, fx)-1, 0)
			budget -= fx.before(at) / slotBytes
		})
	}
	w := &sweep{now: now, cut: s.keeping.cut(now.Sys), confirmed: confirmed, fx: fx}
	for ; budget > 0 && s.recalled < maxRecalled; budget-- {
		sl, ok := s.deaths.take(w.cut, w.confirmed)
		if !ok {
			break
		}
		s.visit(sl, replica, func(r *Replica, m *Map, t *record.Table, key string) {
			r.reclaim(w, m, t, sl.hash, key)
		})
	}
	return !w.putOff() && budget <= 0
}

// sweep is one pass over what may be forgotten: tombstones from before cut, those
// of tags also from before confirmed.
type sweep struct {
	now            Time
	cut, confirmed int64
	fx             *Effects
	postponed      []postponed
}

// putOff leaves what has to wait to a later sweep, and reports whether there was
// any.
func (w *sweep) putOff() bool {
	for _, p := range w.postponed {
		p.agenda.add(p.at, p.slot)
	}
	return len(w.postponed) > 0
}

// visit calls fn for the keys of a slot that are there.
func (s *Shared) visit(sl slot, replica func(partition.ID) *Replica, fn func(r *Replica, m *Map, t *record.Table, key string)) {
	m := s.list[sl.m]
	r := replica(partition.Of(sl.hash))
	t := r.tables[m]
	if t == nil || !t.Full() && r.recall(m, t, sl.hash) {
		return
	}
	s.each(r, m, sl.hash, func(t *record.Table, key string) { fn(r, m, t, key) })
}

// each calls fn for the keys of a hash that are here.
func (s *Shared) each(r *Replica, m *Map, hash uint32, fn func(t *record.Table, key string)) {
	t := r.tables[m]
	keys := s.keys[:0]
	t.Ascend(record.Cursor{Hash: hash}, hash, func(e record.Entry) bool {
		keys = append(keys, e.Key())
		return true
	})
	for _, key := range keys {
		fn(t, key)
	}
	clear(keys)
	s.keys = keys[:0]
}

// expire ends what is over of one key, and puts the rest down for later. It returns
// how much has ended.
func (r *Replica) expire(now Time, m *Map, t *record.Table, hash uint32, key string, fx *Effects) (ended int) {
	before := len(fx.Log)
	op := &Op{Map: m.Name, Kind: m.Kind, Key: key, Hash: hash, Author: system}
	switch m.Kind {
	case change.KindLWW:
		r.expireLWW(now, m, t, op, fx)
	case change.KindOR:
		r.expireTags(now, m, t, op, fx)
	}
	return len(fx.Log) - before
}

func (r *Replica) expireLWW(now Time, m *Map, t *record.Table, op *Op, fx *Effects) {
	e, before, known := r.stored(t, op)
	rec, err := crdt.ParseLWW(before)
	if err != nil || rec.Tombstone() {
		return
	}
	if end := m.end(rec.TS.Millis, rec.TTL, e.Arrival()); end >= now.Sys {
		r.shared.ends.add(end, slot{m.number, op.Hash})
		return
	}
	over := crdt.LWW{TS: rec.TS}
	over.TS.Node += expiredNode
	op.Verb = change.Remove
	r.scratch = crdt.AppendLWW(r.scratch[:0], over)
	c := r.record(now, m, op, before, stringOf(r.scratch))
	e = r.put(m, t, op, e, known, r.scratch, now)
	m.setSum(e, crdt.LWWHash(op.Key, over.TS))
	r.scheduleLWW(m, op.Hash, over, e.Arrival())
	fx.Log = append(fx.Log, c)
	r.shared.keeping.expired.Add(1)
}

func (r *Replica) expireTags(now Time, m *Map, t *record.Table, op *Op, fx *Effects) {
	e, state, _ := r.stored(t, op)
	var over []string
	next := int64(never)
	for rec := range crdt.ORState(state).Records() {
		switch end := m.end(rec.TS.Millis, rec.TTL, e.Arrival()); {
		case end < now.Sys && len(over) < tagsAtOnce:
			over = append(over, strings.Clone(rec.Tag))
		default:
			next = min(next, end)
		}
	}
	op.Verb = change.Drop
	for _, op.Tag = range over {
		if r.drop(now, m, t, op, fx).Status == Applied {
			r.shared.keeping.expired.Add(1)
		}
	}
	r.shared.ends.add(next, slot{m.number, op.Hash})
}

// scheduleLWW puts a record down for its end, or a tombstone for its reclaiming.
func (r *Replica) scheduleLWW(m *Map, hash uint32, rec crdt.LWW, arrival uint64) {
	if rec.Tombstone() {
		r.shared.deaths.lww.add(max(int64(arrival>>16), rec.TS.Millis), slot{m.number, hash})
	} else if rec.TTL != 0 || m.timed() {
		r.shared.ends.add(m.end(rec.TS.Millis, rec.TTL, arrival), slot{m.number, hash})
	}
}

// scheduleDeath puts the tombstone of a tag down for its reclaiming.
func (r *Replica) scheduleDeath(m *Map, hash uint32, tag string, removedAt int64) {
	raise(&r.shared.keeping.removals, removedAt)
	at, known := deathOf(tag, removedAt)
	if known {
		r.shared.deaths.tags.add(at, slot{m.number, hash})
	} else {
		r.shared.deaths.ageless.add(at, slot{m.number, hash})
	}
}

// installed puts down what was loaded.
func (r *Replica) installed(m *Map, hash uint32, arrival uint64, state []byte) {
	at := slot{m.number, hash}
	switch m.Kind {
	case change.KindLWW:
		if rec, err := crdt.ParseLWW(stringOf(state)); err == nil {
			r.scheduleLWW(m, hash, rec, arrival)
		}
	case change.KindOR:
		set := crdt.ORState(stringOf(state))
		for rec := range set.Records() {
			r.shared.ends.add(m.end(rec.TS.Millis, rec.TTL, arrival), at)
		}
		for tag, removed := range set.Tombstones() {
			r.scheduleDeath(m, hash, tag, removed)
		}
	case change.KindHorizon:
		if to, err := parseHorizon(stringOf(state)); err == nil {
			r.horizon = max(r.horizon, to)
			raise(&r.shared.keeping.horizon, to)
		}
	}
}

// deaths are the tombstones of a lane: of keys, of tags, and of tags that do not
// tell when they were made.
type deaths struct {
	lww, tags, ageless agenda
}

func (d *deaths) take(cut, confirmed int64) (slot, bool) {
	if sl, ok := d.lww.take(cut); ok {
		return sl, true
	}
	if sl, ok := d.tags.take(max(cut, confirmed)); ok {
		return sl, true
	}
	return d.ageless.take(confirmed)
}
