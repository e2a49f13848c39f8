package log

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tail says how the frames of the last segment end.
type tail struct {
	end   LSN   // of the last frame; the base when there is none
	group LSN   // where the last group begins
	torn  int64 // bytes behind the last frame, from the first to the last that is not zero
}

// verifyChain reads every frame and returns how the last segment ends.
func verifyChain(fsys vfs.FS, dir string, chain []*file) (tail, error) {
	for i, f := range chain[:len(chain)-1] {
		if err := f.verify(fsys, dir, chain[i+1]); err != nil {
			return tail{}, err
		}
	}
	return chain[len(chain)-1].verifyLast(fsys, dir)
}

// with calls fn with a reader of the segment.
func (f *file) with(fsys vfs.FS, dir string, fn func(*reader) error) (err error) {
	h, err := fsys.Open(fsys.PathJoin(dir, f.name))
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	return fn(&reader{win: window{file: h, size: f.size}, id: f.header.id, base: f.base})
}

// verify checks a segment that has a successor. The successor says where this
// one ends; what follows there has failed and does not count.
func (f *file) verify(fsys vfs.FS, dir string, next *file) error {
	limit := next.header.prevEnd
	if limit <= f.base {
		if limit != f.header.prevEnd {
			return corrupt(next, 0, fmt.Sprintf("position before the segment is %d, segment %s says %d", limit, f.name, f.header.prevEnd))
		}
		return nil
	}
	return f.with(fsys, dir, func(r *reader) error {
		c := newCursor(r)
		for c.end < limit {
			_, ok, err := c.next()
			if err != nil {
				return fmt.Errorf("read segment %s at %d: %w", f.name, r.offset(c.end), err)
			}
			if !ok {
				return corrupt(f, r.offset(c.end), fmt.Sprintf("no valid frame, durable up to byte %d", r.offset(limit)))
			}
		}
		if c.end != limit {
			return corrupt(f, r.offset(limit), "durable end is not the end of a frame")
		}
		return nil
	})
}

// verifyLast checks the segment without a successor: the first frame that does
// not verify ends it, unless something behind proves that it once did.
func (f *file) verifyLast(fsys vfs.FS, dir string) (t tail, err error) {
	err = f.with(fsys, dir, func(r *reader) error {
		c := newCursor(r)
		for ok := true; ok; {
			if _, ok, err = c.next(); err != nil {
				return fmt.Errorf("read segment %s at %d: %w", f.name, r.offset(c.end), err)
			}
		}
		t = tail{end: c.end, group: c.group}
		return c.judge(f, &t)
	})
	return t, err
}

// judge decides whether what follows the last frame is torn or corrupt. A frame
// that verifies there says where its group begins; everything before was durable
// when it was written.
func (c *cursor) judge(f *file, t *tail) error {
	end := c.offset(c.end)
	used, err := c.win.zeros(end)
	if err != nil {
		return fmt.Errorf("read segment %s at %d: %w", f.name, end, err)
	}
	if used == c.win.size {
		return nil
	}
	boundary := align(c.end)
	padded := used >= c.offset(boundary) // nothing but padding up to the boundary
	t.torn = 1
	for start := end + 1; start < c.win.size; {
		b, err := c.win.bytes(start, judgeBytes)
		if err != nil {
			return fmt.Errorf("read segment %s at %d: %w", f.name, start, err)
		}
		if len(b) == 0 {
			break
		}
		n, found := c.search(b, start)
		if last := lastNonzero(b[:min(n+1, len(b))]); last >= 0 {
			t.torn = start + int64(last) + 1 - used
		}
		start += int64(n)
		if !found {
			continue
		}
		later, ok, err := c.at(c.base + LSN(start-headerBytes))
		if err != nil {
			return fmt.Errorf("read segment %s at %d: %w", f.name, start, err)
		}
		if ok && later.proves(c.end, boundary, padded) {
			return corrupt(f, end, fmt.Sprintf("no valid frame, but one at byte %d was written later", start))
		}
		start++
	}
	return nil
}

// judgeBytes is how much of a file judge looks at in one piece.
const judgeBytes = 64 << 10

// search returns the first place in b where a frame might begin, and without one
// the first whose frame header would not be whole. b begins at offset off of the
// file.
func (r *reader) search(b []byte, off int64) (n int, found bool) {
	for ; n+frameHeaderBytes <= len(b); n++ {
		if r.plausible(b[n:n+frameHeaderBytes], off+int64(n)) {
			return n, true
		}
	}
	if off+int64(len(b)) == r.win.size {
		n = len(b)
	}
	return n, false
}

// lastNonzero is the index of the last byte that is not zero, -1 without one.
func lastNonzero(b []byte) int {
	i := len(b) - 1
	for i >= 0 && b[i] == 0 {
		i--
	}
	return i
}

// proves reports whether f was written when something behind end was durable
// already. boundary is where a group behind end may begin; padded says that
// there are only zeros up to it.
func (f frame) proves(end, boundary LSN, padded bool) bool {
	if f.first {
		return f.start-f.pad > end
	}
	return f.group > boundary || (f.group > end && !padded)
}
