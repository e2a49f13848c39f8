package records

import (
	"encoding/binary"
	"math"

	"github.com/topgunbuild/topgun-go/internal/core/change"
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

// restamped reports whether the write was re-stamped before.
func (r *Replica) restamped(m *Map, op *Op, ts hlc.Timestamp) bool {
	t := r.restamps(false)
	if t == nil || t.Len() == 0 || mistake.RestampAgain {
		return false
	}
	r.delta = appendRestampKey(r.delta[:0], m.Name, op.Key, ts)
	return t.Get(op.Hash, string(r.delta)) != nil
}

// restampedAgain is the answer to a re-delivered write: nothing changes, and
// the writer is told once more what is stored.
func (r *Replica) restampedAgain(t *record.Table, op *Op) Result {
	e := t.Get(op.Hash, op.Key)
	if e == nil {
		return Result{Status: Unchanged}
	}
	return Result{Status: Unchanged, Restamped: true, Stored: e.State()}
}

func (r *Replica) rememberRestamp(now Time, m *Map, op *Op, ts hlc.Timestamp) bool {
	t := r.restamps(true)
	if t.Len() >= maxRestamps {
		r.forgetRestamps(t, now.Sys)
		if t.Len() >= maxRestamps {
			return false
		}
	}
	r.putRestamp(m.Name, op.Key, op.Hash, ts, r.seq+1)
	return true
}

// putRestamp stores the memory of a re-stamp made by the change at seq. It is
// not a change of its own: replay derives it from the record's Original.
func (r *Replica) putRestamp(mapName, key string, keyHash uint32, original hlc.Timestamp, seq uint64) {
	until := binary.BigEndian.AppendUint64(nil, uint64(addSaturated(original.Millis, hlc.MaxDrift)))
	t := r.restamps(true)
	name := string(appendRestampKey(nil, mapName, key, original))
	e := t.Put(keyHash, name, until)
	e.Seq = seq
	r.markDirty(r.shared.maps[RestampMap], keyHash, e)
}

// forgetRestamps drops the memories that have expired.
func (r *Replica) forgetRestamps(t *record.Table, sys int64) {
	var gone []dirtyKey
	m := r.shared.maps[RestampMap]
	t.Ascend(record.Cursor{}, math.MaxUint32, func(h uint32, e *record.Entry) bool {
		if s := e.State(); len(s) == 8 && int64(binary.BigEndian.Uint64([]byte(s))) < sys {
			gone = append(gone, dirtyKey{m, h, e.Key()})
		}
		return true
	})
	for _, k := range gone {
		if e := t.Get(k.hash, k.key); !e.Dirty() {
			r.dirty = append(r.dirty, k)
		}
		t.Delete(k.hash, k.key)
	}
}

func (r *Replica) restamps(make bool) *record.Table {
	m := r.shared.maps[RestampMap]
	if m == nil {
		if !make {
			return nil
		}
		m, _ = r.shared.open(RestampMap, change.KindRestamp)
	}
	if !make {
		return r.tables[m]
	}
	return r.open(m)
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
