package log

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// LSN is a logical position in the log: the end of a frame. Zero is before the
// first one. LSNs only grow; differences between them mean nothing.
type LSN uint64

// MaxFrame is the largest payload, in bytes.
const MaxFrame = 64 << 20

// The layout of docs/format/log.md.
const (
	formatVersion    = 1
	headerBytes      = 512
	frameHeaderBytes = 16
	headerMagic      = "TGLOG\r\n\x1a"

	// sectorBytes is where groups begin, so that writing one never touches a
	// sector that holds durable bytes.
	sectorBytes = 512

	// firstOfGroup marks, in the back field of a frame, that a group begins.
	firstOfGroup = 1 << 31

	// maxBase bounds the bases that Open believes, so that no sum overflows.
	maxBase = LSN(1) << 62

	// restartGap separates LSNs of one run from those of the next: more than any
	// run can have handed out beyond its last durable one.
	restartGap = 4 * maxMaxPending

	noBase = ^LSN(0) // in a header: there was no segment before

	// flagReused in a header says that the file was a segment before: what lies
	// behind the frames is not zeros.
	flagReused = 1 << 0
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// align is the first sector boundary at or after lsn. Bases are boundaries.
func align(lsn LSN) LSN { return (lsn + sectorBytes - 1) &^ (sectorBytes - 1) }

const (
	segmentSuffix = ".log"
	spareSuffix   = ".spare"
)

func segmentName(base LSN) string { return fmt.Sprintf("%016x%s", uint64(base), segmentSuffix) }

func spareName(base LSN) string { return fmt.Sprintf("%016x%s", uint64(base), spareSuffix) }

// parseName is the inverse of segmentName.
func parseName(name string) (LSN, bool) {
	base, ok := parseBase(name, segmentSuffix)
	return base, ok && segmentName(base) == name
}

// isSpare reports whether spareName makes such names.
func isSpare(name string) bool {
	base, ok := parseBase(name, spareSuffix)
	return ok && spareName(base) == name
}

func parseBase(name, suffix string) (LSN, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	base, err := strconv.ParseUint(digits, 16, 64)
	return LSN(base), err == nil
}

// header is the first sector of a segment.
type header struct {
	id       uint64 // of the log: segments of another log never verify
	base     LSN    // position of the first byte after the header
	prevBase LSN    // base of the segment before, or noBase
	prevEnd  LSN    // Durable when the segment was made: last valid frame before it
	reused   bool   // the file was a segment before
}

func (h header) encode() []byte {
	b := make([]byte, headerBytes)
	copy(b, headerMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	if h.reused {
		binary.LittleEndian.PutUint32(b[12:], flagReused)
	}
	binary.LittleEndian.PutUint64(b[16:], h.id)
	binary.LittleEndian.PutUint64(b[24:], uint64(h.base))
	binary.LittleEndian.PutUint64(b[32:], uint64(h.prevBase))
	binary.LittleEndian.PutUint64(b[40:], uint64(h.prevEnd))
	binary.LittleEndian.PutUint32(b[headerBytes-4:], crc32.Checksum(b[:headerBytes-4], castagnoli))
	return b
}

// decodeHeader reads the header of the segment that is named for base. Its
// errors say why b is not one; only ErrVersion is meant for others.
func decodeHeader(b []byte, base LSN) (header, error) {
	if len(b) < headerBytes {
		return header{}, fmt.Errorf("header has %d of %d bytes", len(b), headerBytes)
	}
	if string(b[:8]) != headerMagic {
		return header{}, fmt.Errorf("header does not begin with the mark of a log segment")
	}
	if crc32.Checksum(b[:headerBytes-4], castagnoli) != binary.LittleEndian.Uint32(b[headerBytes-4:]) {
		return header{}, fmt.Errorf("checksum of the header is wrong")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return header{}, fmt.Errorf("%w: %d, this build reads %d", ErrVersion, v, formatVersion)
	}
	h := header{
		id:       binary.LittleEndian.Uint64(b[16:]),
		base:     LSN(binary.LittleEndian.Uint64(b[24:])),
		prevBase: LSN(binary.LittleEndian.Uint64(b[32:])),
		prevEnd:  LSN(binary.LittleEndian.Uint64(b[40:])),
		reused:   binary.LittleEndian.Uint32(b[12:])&flagReused != 0,
	}
	switch {
	case h.base != base:
		return header{}, fmt.Errorf("header is that of %s", segmentName(h.base))
	case h.base != align(h.base) || h.base > maxBase || h.prevEnd > h.base,
		h.prevBase != noBase && h.prevBase >= h.base:
		return header{}, fmt.Errorf("positions of the header contradict each other")
	}
	return h, nil
}

// frameSum is the checksum in a frame header: over who wrote the frame, where
// it stands, and the other fields, which include the payload's checksum. The
// scratch space is the caller's, because the sum is taken for every append.
func frameSum(scratch *[28]byte, id uint64, start LSN, fields []byte) uint32 {
	binary.LittleEndian.PutUint64(scratch[0:], id)
	binary.LittleEndian.PutUint64(scratch[8:], uint64(start))
	copy(scratch[16:], fields[:12])
	return crc32.Checksum(scratch[:], castagnoli)
}

// appendFrame appends the frame of payload, whose first byte stands at start.
func appendFrame(dst []byte, scratch *[28]byte, id uint64, start LSN, back uint32, payload []byte, payloadSum uint32) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, frameHeaderBytes)...)
	h := dst[at:]
	binary.LittleEndian.PutUint32(h[0:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(h[4:], back)
	binary.LittleEndian.PutUint32(h[8:], payloadSum)
	binary.LittleEndian.PutUint32(h[12:], frameSum(scratch, id, start, h))
	return append(dst, payload...)
}
