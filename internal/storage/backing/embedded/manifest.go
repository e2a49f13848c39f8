package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// A manifest is a sequence of records in blocks. A record is one chunk, or
// several if it does not fit into the rest of a block; a chunk is a checksum of
// all that follows (4 bytes), a length (2), a type (1) and the payload. No
// chunk crosses a block, and the end of a block too short for a head is zero.
const (
	manifestBlock = 32 << 10
	chunkHead     = 4 + 2 + 1

	chunkFull  = 1
	chunkFirst = 2
	chunkTypes = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkManifest returns ErrCorrupt if damage inside a manifest would make
// pebble forget checkpoints. Pebble reads up to the first record that does not
// verify and takes it for one that was being written in a crash, which is right
// for the last record and for no other: each is synced before the next begins,
// so behind a torn record there never is the start of a sound one.
func checkManifest(content []byte) error {
	damaged := -1
	for start := 0; start < len(content); start += manifestBlock {
		block := content[start:min(start+manifestBlock, len(content))]
		for i := 0; i+chunkHead <= len(block); {
			n, kind := chunk(block[i:])
			switch {
			case n > 0 && damaged < 0:
				i += n
			case n > 0 && (kind == chunkFull || kind == chunkFirst):
				return fmt.Errorf("manifest is damaged at byte %d and goes on at %d: %w", damaged, start+i, backing.ErrCorrupt)
			default:
				if damaged < 0 {
					damaged = start + i
				}
				i++
			}
		}
	}
	return nil
}

// chunk returns the length, head included, and the type of the chunk that b
// begins with, or zero if there is no sound one.
func chunk(b []byte) (n int, kind byte) {
	n, kind = chunkHead+int(binary.LittleEndian.Uint16(b[4:])), b[6]
	if kind == 0 || kind > chunkTypes || n > len(b) {
		return 0, 0
	}
	// The checksum is rotated and offset, so that a stored checksum is not
	// taken for one.
	sum := crc32.Checksum(b[6:n], castagnoli)
	if binary.LittleEndian.Uint32(b) != (sum>>15|sum<<17)+0xa282ead8 {
		return 0, 0
	}
	return n, kind
}
