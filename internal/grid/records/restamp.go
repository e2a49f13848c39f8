package records

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// A write whose timestamp is further ahead of the clock than the drift bound is
// stored under a timestamp of this node. The same write may be delivered again,
// even much later, when its timestamp has become an ordinary one; it must then
// change nothing. So each re-stamp is remembered, by map, key and original
// timestamp, in a map of its own in the same partition, which checkpoints and
// replays like any other. The memory of one ends when the wall clock has passed
// the original timestamp plus the bound: from then on an equal timestamp can
// only lose against what the partition has stamped since.

// maxRestamps bounds the memory of one partition. A client with a wrong clock
// needs one for each write that it makes while ahead; beyond the bound its
// writes wait (ErrBusy) until older ones have expired.
const maxRestamps = 4096

// restamped returns the timestamp that the write was given when it came before.
func (r *Replica) restamped(m *Map, op *Op, ts hlc.Timestamp) (stamp hlc.Timestamp, ok bool) {
	t := r.restamps(false)
	if t == nil || t.Len() == 0 || mistake.RestampAgain {
		return hlc.Timestamp{}, false
	}
	r.delta = appendRestampKey(r.delta[:0], m.Name, op.Key, ts)
	e, known := t.Get(op.Hash, stringOf(r.delta))
	if !known {
		return hlc.Timestamp{}, false
	}
	_, stamp, err := parseRestamp(e.State())
	return stamp, err == nil
}

// restampedAgain is the answer to a re-delivered write: nothing changes, and
// the writer is told once more under which timestamp it was stored. When the key
// was deleted since and that is forgotten, the write is refused like any other
// from before the horizon: its writer would keep what it is told of for ever.
func (r *Replica) restampedAgain(t *record.Table, op *Op, stamp hlc.Timestamp) Result {
	e, known := t.Get(op.Hash, op.Key)
	if !known && r.tooOld(stamp.Millis) {
		return Result{Status: Refused, Err: ErrStale}
	}
	res := Result{Status: Unchanged, Restamped: true, Stamp: stamp}
	if known {
		res.Stored = e.State()
	}
	return res
}

// rememberRestamp makes room for, and stores, the memory of a re-stamp by the
// next change. It reports false when there is no room.
func (r *Replica) rememberRestamp(now Time, m *Map, op *Op, original, stamp hlc.Timestamp) bool {
	t := r.restamps(true)
	if t.Len() >= maxRestamps {
		r.forgetRestamps(t, now.Sys)
		if t.Len() >= maxRestamps {
			return false
		}
	}
	r.putRestamp(m.Name, op.Key, op.Hash, original, stamp, r.seq+1)
	return true
}

// putRestamp stores the memory of a re-stamp made by the change at seq. It is
// not a change of its own: replay derives it from the record's Original.
func (r *Replica) putRestamp(mapName, key string, keyHash uint32, original, stamp hlc.Timestamp, seq uint64) {
	state := binary.BigEndian.AppendUint64(nil, uint64(addSaturated(original.Millis, hlc.MaxDrift)))
	state = crdt.AppendLWW(state, crdt.LWW{TS: stamp})
	t := r.restamps(true)
	name := string(appendRestampKey(nil, mapName, key, original))
	e := t.Put(keyHash, name, state)
	e.SetPlace(seq, 0)
	r.markDirty(r.shared.maps[RestampMap], e)
}

// forgetRestamps drops the memories that have expired.
func (r *Replica) forgetRestamps(t *record.Table, sys int64) {
	var gone []mapKey
	var buf []byte
	m := r.shared.maps[RestampMap]
	t.Ascend(record.Cursor{}, math.MaxUint32, func(e record.Entry) bool {
		if until, _, err := parseRestamp(e.StateView(&buf)); err != nil || until < sys {
			gone = append(gone, mapKey{m, e.Hash(), e.Key()})
		}
		return true
	})
	for _, k := range gone {
		t.Delete(k.hash, k.key)
		r.markRemoved(m, k.hash, k.key)
	}
}

func (r *Replica) restamps(create bool) *record.Table {
	m := r.shared.maps[RestampMap]
	if m == nil {
		if !create {
			return nil
		}
		m, _ = r.shared.open(RestampMap, change.KindRestamp)
	}
	if !create {
		return r.tables[m]
	}
	return r.open(m)
}

// parseRestamp reads the state of a memory: until when it is kept, in
// milliseconds since the Unix epoch as eight bytes in big-endian order, and
// the timestamp that was given, as the tombstone that has it.
func parseRestamp(state string) (until int64, stamp hlc.Timestamp, err error) {
	if len(state) < 8 {
		return 0, hlc.Timestamp{}, fmt.Errorf("%w: re-stamp memory of %d bytes", crdt.ErrCorrupt, len(state))
	}
	rec, err := crdt.ParseLWW(state[8:])
	return int64(binary.BigEndian.Uint64([]byte(state[:8]))), rec.TS, err
}

// appendRestampKey separates the parts by NUL, which no timestamp text holds
// and which therefore splits from the right.
func appendRestampKey(dst []byte, mapName, key string, ts hlc.Timestamp) []byte {
	dst = append(dst, mapName...)
	dst = append(dst, 0)
	dst = append(dst, key...)
	dst = append(dst, 0)
	return ts.AppendText(dst)
}

func addSaturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
