package snapshot

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Version is the format that this build writes, and the only one it reads.
const Version = 2

// magic begins every stream; footMagic ends it.
const (
	magic     = "TGSNAP\r\n"
	footMagic = "TGSNAPE\n"
)

// The kinds of blocks.
const (
	blockHeader  = 'H' // JSON of a Header
	blockRows    = 'R' // rows, compressed
	blockFrames  = 'F' // frames of the log, compressed
	blockTrailer = 'E' // JSON of a Trailer
)

// The layout around a block's payload: kind, three zero bytes, length of the
// payload and CRC-32C, little-endian. The sum covers what stands before it and
// the payload. A stream ends with a foot: the offset of the trailer's block and
// the foot's magic.
const (
	blockHead = 12
	footBytes = 16
)

// flushBytes is the size at which a block is written; maxBlock bounds what a
// reader accepts, compressed or not: a row of the greatest size fits.
const (
	flushBytes = 256 << 10
	maxBlock   = backing.MaxStateBytes + backing.MaxKeyBytes + backing.MaxMapBytes + flushBytes
)

// kept is the kind of a row that has no state: the key is as the base has it. No
// row of a store is of this kind.
const kept = 0

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What callers branch on.
var (
	// ErrCorrupt means that the stream is not what was written.
	ErrCorrupt = errors.New("snapshot: corrupt")

	// ErrFormat means that it is no snapshot, or one of another version.
	ErrFormat = errors.New("snapshot: unknown format")

	// ErrChain means that snapshots do not belong behind each other.
	ErrChain = errors.New("snapshot: not a chain")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Positions says how far the stream of each partition is contained. A partition
// that is not listed has no changes.
type Positions map[partition.ID]backing.Pos

// Clone returns a copy.
func (p Positions) Clone() Positions { return maps.Clone(p) }

// Header says what a snapshot is.
type Header struct {
	Format int    `json:"format"`
	ID     string `json:"id"`

	// Base is the snapshot that this one builds on, empty for a full one, and
	// Since what that one has reached.
	Base  string    `json:"base,omitempty"`
	Since Positions `json:"since,omitempty"`

	// Log is the identity of the log that was copied, in hexadecimal digits.
	// Positions of different logs have nothing to do with each other.
	Log string `json:"log"`

	Node    string `json:"node"`
	Created int64  `json:"created"` // milliseconds since the Unix epoch
}

// Full reports whether the snapshot stands on its own.
func (h Header) Full() bool { return h.Base == "" }

// Trailer says how far a snapshot reaches. Only a complete stream has one.
type Trailer struct {
	Rows   uint64 `json:"rows"`
	Kept   uint64 `json:"kept,omitempty"` // keys of an incremental one that are as the base has them
	Frames uint64 `json:"frames"`

	// Reached is what the state contains when rows and frames are installed.
	Reached Positions `json:"reached"`

	// At is when that was, in milliseconds since the Unix epoch.
	At int64 `json:"at"`
}
