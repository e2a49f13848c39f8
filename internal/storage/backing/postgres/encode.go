package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// digestBytes is how much of a key's SHA-256 stands for it in the primary key.
const digestBytes = 16

func digest(key []byte) []byte {
	sum := sha256.Sum256(key)
	return sum[:digestBytes]
}

// positionBytes is one partition in a mark: id, epoch, seq.
const positionBytes = 2 + 4 + 8

// appendPositions encodes the partitions of a mark, ascending.
func appendPositions(dst []byte, m backing.Mark) []byte {
	for _, id := range slices.Sorted(maps.Keys(m.Partitions)) {
		pos := m.Partitions[id]
		dst = binary.BigEndian.AppendUint16(dst, uint16(id))
		dst = binary.BigEndian.AppendUint32(dst, pos.Epoch)
		dst = binary.BigEndian.AppendUint64(dst, pos.Seq)
	}
	return dst
}

// readMark decodes a mark. SQL has no unsigned numbers: the bits are the same.
func readMark(lsn int64, positions []byte) (backing.Mark, error) {
	m := backing.Mark{LSN: uint64(lsn)}
	if len(positions)%positionBytes != 0 {
		return m, fmt.Errorf("positions of %d bytes: %w", len(positions), backing.ErrCorrupt)
	}
	if len(positions) > 0 {
		m.Partitions = make(map[partition.ID]backing.Pos, len(positions)/positionBytes)
	}
	for p := positions; len(p) > 0; p = p[positionBytes:] {
		m.Partitions[partition.ID(binary.BigEndian.Uint16(p))] = backing.Pos{
			Epoch: binary.BigEndian.Uint32(p[2:]), Seq: binary.BigEndian.Uint64(p[6:]),
		}
	}
	return m, nil
}
