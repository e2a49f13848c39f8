package embedded

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// rowHead is the length of what stands before the state: kind, seq, arrival.
const rowHead = 1 + 8 + 8

func appendRow(dst []byte, r *backing.Row) []byte {
	dst = append(dst, r.Kind)
	dst = binary.BigEndian.AppendUint64(dst, r.Seq)
	dst = binary.BigEndian.AppendUint64(dst, r.Arrival)
	return append(dst, r.State...)
}

// readRow decodes a value. The state of the result is a view of b.
func readRow(k backing.Key, b []byte) (backing.Row, error) {
	if len(b) < rowHead {
		return backing.Row{}, fmt.Errorf("value of %d bytes at %v: %w", len(b), k, backing.ErrCorrupt)
	}
	return backing.Row{
		Key:     k,
		Kind:    b[0],
		Seq:     binary.BigEndian.Uint64(b[1:]),
		Arrival: binary.BigEndian.Uint64(b[9:]),
		State:   b[rowHead:],
	}, nil
}

// markHead and markEntry are the lengths of the LSN with the count, and of what
// follows for each partition.
const (
	markHead  = 8 + 2
	markEntry = 2 + 4 + 8
)

func appendMark(dst []byte, m backing.Mark) []byte {
	dst = binary.BigEndian.AppendUint64(dst, m.LSN)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Partitions)))
	for _, id := range slices.Sorted(maps.Keys(m.Partitions)) {
		pos := m.Partitions[id]
		dst = binary.BigEndian.AppendUint16(dst, uint16(id))
		dst = binary.BigEndian.AppendUint32(dst, pos.Epoch)
		dst = binary.BigEndian.AppendUint64(dst, pos.Seq)
	}
	return dst
}

func readMark(b []byte) (backing.Mark, error) {
	if len(b) < markHead {
		return backing.Mark{}, fmt.Errorf("mark of %d bytes: %w", len(b), backing.ErrCorrupt)
	}
	m := backing.Mark{LSN: binary.BigEndian.Uint64(b)}
	n := int(binary.BigEndian.Uint16(b[8:]))
	b = b[markHead:]
	if len(b) != n*markEntry {
		return backing.Mark{}, fmt.Errorf("mark of %d partitions in %d bytes: %w", n, len(b), backing.ErrCorrupt)
	}
	m.Partitions = make(map[partition.ID]backing.Pos, n)
	for ; len(b) > 0; b = b[markEntry:] {
		m.Partitions[partition.ID(binary.BigEndian.Uint16(b))] = backing.Pos{
			Epoch: binary.BigEndian.Uint32(b[2:]),
			Seq:   binary.BigEndian.Uint64(b[6:]),
		}
	}
	return m, nil
}
