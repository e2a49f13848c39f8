package backing

import (
	"fmt"
	"maps"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// Pos is a place in the stream of one partition.
type Pos struct {
	Epoch uint32
	Seq   uint64
}

// before reports whether p lies before o, a later epoch being further.
func (p Pos) before(o Pos) bool {
	return p.Epoch < o.Epoch || p.Epoch == o.Epoch && p.Seq < o.Seq
}

// Mark says what a store reaches: every change of this node's log before LSN is
// in it, and so is every change of each listed partition up to and including
// its Pos. Rows may be newer than the mark, never older: that is what Row.Seq
// is for. A partition that is not listed has no rows that anyone may rely on.
//
// LSN is an offset in this node's own log and means nothing elsewhere. A log
// that is begun anew beside a store that stays begins at or behind the store's
// LSN. A log that begins behind the mark of its store has lost changes; whoever
// opens both must refuse to go on.
type Mark struct {
	LSN        uint64
	Partitions map[partition.ID]Pos
}

// Clone returns a mark that shares nothing with m.
func (m Mark) Clone() Mark {
	m.Partitions = maps.Clone(m.Partitions)
	return m
}

// Equal reports whether both marks say the same.
func (m Mark) Equal(o Mark) bool {
	return m.LSN == o.LSN && maps.Equal(m.Partitions, o.Partitions)
}

// Anew is the mark of an empty store that is filled with what m reaches, on a
// machine whose log stands at lsn. The streams behind m may have gone on and
// been lost, so none is continued: every partition begins an epoch greater than
// any of m.
func (m Mark) Anew(lsn uint64) Mark {
	next := Mark{LSN: lsn, Partitions: make(map[partition.ID]Pos, partition.Count)}
	epoch := uint32(0)
	for _, pos := range m.Partitions {
		epoch = max(epoch, pos.Epoch)
	}
	for id := range partition.ID(partition.Count) {
		next.Partitions[id] = Pos{Epoch: epoch + 1, Seq: m.Partitions[id].Seq}
	}
	return next
}

// Follows returns ErrStale, naming what went back, if m is behind prev: in LSN,
// or in a partition that both list. A partition may come and go.
func (m Mark) Follows(prev Mark) error {
	if m.LSN < prev.LSN {
		return fmt.Errorf("mark at LSN %d after %d: %w", m.LSN, prev.LSN, ErrStale)
	}
	for id, pos := range m.Partitions {
		if was, ok := prev.Partitions[id]; ok && pos.before(was) {
			return fmt.Errorf("mark of partition %d at %d:%d after %d:%d: %w",
				id, pos.Epoch, pos.Seq, was.Epoch, was.Seq, ErrStale)
		}
	}
	return nil
}
