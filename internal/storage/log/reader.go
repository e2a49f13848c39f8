package log

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// windowBytes is what a window reads at once, unless asked for more.
const windowBytes = 256 << 10

// window reads byte ranges of a file through one buffer.
type window struct {
	file vfs.File
	size int64 // of the file when it was opened
	off  int64 // of buf in the file
	buf  []byte
}

// bytes returns n bytes from off on, fewer at the end of the file. They are
// valid until the next call.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.size-off))
	if n <= 0 {
		return nil, nil
	}
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		if err := w.load(off, n); err != nil {
			return nil, err
		}
	}
	at := off - w.off
	return w.buf[at:min(at+int64(n), int64(len(w.buf)))], nil
}

func (w *window) load(off int64, n int) error {
	n = int(min(int64(max(n, windowBytes)), w.size-off))
	if cap(w.buf) < n {
		w.buf = make([]byte, n)
	}
	got, err := w.file.ReadAt(w.buf[:n], off)
	w.off, w.buf = off, w.buf[:got]
	if got == n || errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// zeros returns the offset of the first byte at or after off that is not zero,
// or the size of the file.
func (w *window) zeros(off int64) (int64, error) {
	for off < w.size {
		if off < w.off || off >= w.off+int64(len(w.buf)) {
			if err := w.load(off, 1); err != nil {
				return 0, err
			}
		}
		rest := w.buf[off-w.off:]
		if len(rest) == 0 {
			break
		}
		for i, c := range rest {
			if c != 0 {
				return off + int64(i), nil
			}
		}
		off += int64(len(rest))
	}
	return w.size, nil
}

// frame is one verified frame.
type frame struct {
	start, end LSN
	group      LSN    // where its group begins
	first      bool   // it begins the group
	pad        LSN    // if first: bytes between the end of the frame before and start
	payload    []byte // valid until the reader is used again
}

// reader finds the frames of one segment.
type reader struct {
	win     window
	id      uint64
	base    LSN
	scratch [28]byte
}

func (r *reader) offset(lsn LSN) int64 { return headerBytes + int64(lsn-r.base) }

// at returns the frame that begins at start, if one verifies there.
func (r *reader) at(start LSN) (f frame, ok bool, err error) {
	off := r.offset(start)
	h, err := r.win.bytes(off, frameHeaderBytes)
	if err != nil || len(h) < frameHeaderBytes {
		return frame{}, false, err
	}
	if !r.plausible(h, off) || frameSum(&r.scratch, r.id, start, h) != binary.LittleEndian.Uint32(h[12:]) {
		return frame{}, false, nil
	}
	length := int64(binary.LittleEndian.Uint32(h[0:]))
	back := binary.LittleEndian.Uint32(h[4:])
	sum := binary.LittleEndian.Uint32(h[8:])
	f = frame{start: start, end: start + frameHeaderBytes + LSN(length), group: start}
	if back&firstOfGroup != 0 {
		f.first, f.pad = true, LSN(back&^firstOfGroup)
	} else {
		f.group = start - LSN(back)
	}
	f.payload, err = r.win.bytes(off+frameHeaderBytes, int(length))
	if err != nil || int64(len(f.payload)) < length || crc32.Checksum(f.payload, castagnoli) != sum {
		return frame{}, false, err
	}
	return f, true, nil
}

// plausible reports whether h, at an offset of the file, can be the header of a
// frame for all that can be seen without a checksum: the search behind a damaged
// frame tries every byte.
func (r *reader) plausible(h []byte, off int64) bool {
	length := int64(binary.LittleEndian.Uint32(h))
	if length > MaxFrame || off+frameHeaderBytes+length > r.win.size {
		return false
	}
	back := binary.LittleEndian.Uint32(h[4:])
	start := r.base + LSN(off-headerBytes)
	if back&firstOfGroup == 0 {
		return back > 0 && LSN(back) <= start-r.base && (start-LSN(back))%sectorBytes == 0
	}
	pad := LSN(back &^ firstOfGroup)
	return start%sectorBytes == 0 && pad < sectorBytes && (start == r.base || pad <= start-r.base)
}

// cursor walks the frames of a segment in order.
type cursor struct {
	*reader
	end   LSN // of the last frame; the base before the first
	group LSN // where the group of the last frame begins
	prev  LSN // end of the last frame before that group; the base if there is none
	blind bool
}

// newCursor starts at the first frame.
func newCursor(r *reader) *cursor {
	return &cursor{reader: r, end: r.base, group: r.base, prev: r.base}
}

// jump starts behind the frame that ends at lsn, if there is one and one behind
// it. Otherwise the cursor stays where it is.
func (c *cursor) jump(lsn LSN) error {
	if lsn <= c.base {
		return nil
	}
	probe := cursor{reader: c.reader, end: lsn, blind: true}
	if _, ok, err := probe.next(); err != nil || !ok {
		return err
	}
	*c = cursor{reader: c.reader, end: lsn, blind: true}
	return nil
}

// next returns the frame behind the last one: directly behind it, or on the next
// sector boundary if a group begins there that says so. Any other frame would
// leave out something between.
func (c *cursor) next() (frame, bool, error) {
	f, ok, err := c.at(c.end)
	if err != nil {
		return frame{}, false, err
	}
	if ok && !c.follows(f) {
		ok = false
	}
	if boundary := align(c.end); !ok && boundary != c.end {
		f, ok, err = c.at(boundary)
		if err != nil {
			return frame{}, false, err
		}
		ok = ok && f.first && f.pad == boundary-c.end
	}
	if !ok {
		return frame{}, false, nil
	}
	if f.first {
		c.prev = c.end
	}
	c.end, c.group, c.blind = f.end, f.group, false
	return f, true, nil
}

// follows reports whether f, which begins where the last frame ended, is the
// next one.
func (c *cursor) follows(f frame) bool {
	switch {
	case c.end == c.base:
		return f.first
	case f.first:
		return f.pad == 0
	default:
		return c.blind || f.group == c.group
	}
}
