package log

import (
	"fmt"
	"hash/crc32"
)

// group is what is written and synced together.
type group struct {
	buf    []byte // frames, as on disk
	start  LSN    // of the first frame: a sector boundary
	end    LSN    // of the last frame
	frames int
}

// Append copies payloads into the pending group, a frame each and all or none of
// them, and returns the LSN of the last frame. The frames are durable once
// DurableAt(gen) has reached the LSN; those that are not when gen fails are lost.
//
// The error matches ErrStale when gen is not the current generation, else
// ErrUnavailable after a failure, ErrFull when too much is pending, ErrTooLarge,
// or ErrClosed; then nothing was appended.
func (l *Log) Append(gen uint64, payloads ...[]byte) (LSN, error) {
	size, err := sizeOf(payloads)
	if err != nil {
		return 0, err
	}
	var few [4]uint32
	sums := few[:0]
	for _, p := range payloads {
		sums = append(sums, crc32.Checksum(p, castagnoli))
	}
	l.mu.Lock()
	if gen != l.generation.Load() {
		l.mu.Unlock()
		return 0, ErrStale
	}
	if err := l.refusalLocked(); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	begins := len(l.gather.buf) == 0
	if !begins && len(l.gather.buf)+size > l.opt.MaxPending {
		l.mu.Unlock()
		return 0, ErrFull
	}
	for i, p := range payloads {
		l.gatherLocked(p, sums[i])
	}
	lsn := l.end
	l.mu.Unlock()
	if begins {
		l.wake()
	}
	return lsn, nil
}

// sizeOf is what the frames of payloads take. What one Append takes is bounded
// like what may be pending: restartGap relies on it.
func sizeOf(payloads [][]byte) (int, error) {
	size := 0
	for _, p := range payloads {
		if len(p) > MaxFrame {
			return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(p), MaxFrame)
		}
		size += frameHeaderBytes + len(p)
	}
	if size > maxMaxPending {
		return 0, fmt.Errorf("%w: %d bytes at once, at most %d", ErrTooLarge, size, maxMaxPending)
	}
	return size, nil
}

// gatherLocked puts a frame behind those that are pending.
func (l *Log) gatherLocked(payload []byte, sum uint32) {
	start := l.next
	back := uint32(start - l.gather.start)
	if len(l.gather.buf) == 0 {
		start = align(l.next)
		back = firstOfGroup | uint32(start-l.next)
		l.gather.start = start
	}
	l.gather.buf = appendFrame(l.gather.buf, &l.scratch, l.id, start, back, payload, sum)
	l.gather.end = start + frameHeaderBytes + LSN(len(payload))
	l.gather.frames++
	l.next, l.end = l.gather.end, l.gather.end
	l.stats.Appends++
	l.stats.AppendedBytes += uint64(len(payload))
}

var zeroSector [sectorBytes]byte

func (l *Log) wake() {
	select {
	case l.pending <- struct{}{}:
	default:
	}
}

// take returns the pending group and begins another; its buf is empty when there
// is nothing to do.
func (l *Log) take() (group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusalLocked(); err != nil {
		return group{}, err
	}
	g := l.gather
	if n := len(g.buf); n > 0 {
		// The padding is written with the group: a file may have been used before.
		g.buf = append(g.buf, zeroSector[:-n&(sectorBytes-1)]...)
		l.gather = group{buf: l.spare}
		l.spare = nil
	}
	return g, nil
}

// keepBytes is the size up to which a buffer is kept however little of it was
// used.
const keepBytes = 4 << 20

// reuseLocked keeps the buffer of a group for a later one, unless it has become
// much larger than groups are now.
func (l *Log) reuseLocked(buf []byte) {
	if cap(buf) <= keepBytes || cap(buf)/8 <= len(buf) {
		l.spare = buf[:0]
	}
}
