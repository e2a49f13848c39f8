package log

import (
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// PartitionSeq names a change in the stream of one partition.
type PartitionSeq struct {
	Partition partition.ID
	Seq       uint64
}

// index knows where each partition begins in one segment. It is filled as far as
// a Seek needed it, by reading the segment, so that appends pay nothing for it.
type index struct {
	upTo  LSN // frames up to here are in
	first map[partition.ID]entry
}

type entry struct {
	seq  uint64
	from LSN // start of the frame that holds it
}

func newIndex(base LSN) *index {
	return &index{upTo: base, first: map[partition.ID]entry{}}
}

// Seek returns a position from which Replay yields every retained frame that
// holds sequence seq of the partition or a later one; it yields earlier ones too,
// at most a segment's worth. It returns false when the log does not reach back
// to seq, or knows nothing of the partition.
//
// The sequences of a partition must grow along the log, and Options.Index must
// be set. The first Seek in a segment reads it.
func (l *Log) Seek(id partition.ID, seq uint64) (LSN, bool, error) {
	if l.opt.Index == nil {
		return 0, false, nil
	}
	l.seeking.Lock()
	defer l.seeking.Unlock()
	spans, _ := l.spans()
	for _, s := range slices.Backward(spans) {
		if err := l.fill(s); err != nil {
			return 0, false, err
		}
		if e, ok := s.index.first[id]; ok && e.seq <= seq {
			return e.from, true, nil
		}
	}
	return 0, false, nil
}

// fill brings the index of a segment up to its end.
func (l *Log) fill(s span) error {
	x := s.index
	if x.upTo >= s.end {
		return nil
	}
	var found []PartitionSeq
	return l.read(s, func(c *cursor) error {
		if err := c.jump(x.upTo); err != nil {
			return err
		}
		return walk(c, s, func(f frame) error {
			found = l.opt.Index(found[:0], f.payload)
			for _, p := range found {
				if _, ok := x.first[p.Partition]; !ok {
					x.first[p.Partition] = entry{p.Seq, f.start}
				}
			}
			x.upTo = f.end
			return nil
		})
	})
}
