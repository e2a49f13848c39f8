package log

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// segment is one file of an open log. Its fields do not change, but for end,
// which Log.mu guards.
type segment struct {
	header
	name  string
	end   LSN // of the last durable frame; base when there is none
	index *index
}

// span is a segment as one moment saw it.
type span struct {
	*segment
	end LSN
}

// bytes is what the segment holds in durable frames beyond lsn, with their
// headers and padding.
func (s *segment) bytes(lsn LSN) int64 {
	from := max(s.base, lsn)
	if from >= s.end {
		return 0
	}
	return int64(s.end - from)
}

// active is the segment that is being written.
type active struct {
	*segment
	file   vfs.File
	filled int64 // the file has its bytes up to here, frames or zeros
}

// newSegment makes a segment and returns when its header and its name are
// durable, so that whatever the disk holds of the segment before, beyond the end
// that the header states, can never come back. On failure it leaves at most a
// stray. Each attempt needs a base of its own.
func newSegment(fsys vfs.FS, dir string, h header) (*active, error) {
	s := &segment{header: h, name: segmentName(h.base), end: h.base, index: newIndex(h.base)}
	path := fsys.PathJoin(dir, s.name)
	f, err := fsys.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("create segment %s: %w", s.name, err)
	}
	err = writeAt(f, h.encode(), 0)
	if err == nil {
		err = f.SyncData()
	}
	if err == nil {
		err = syncDir(fsys, dir)
	}
	if err != nil {
		// Without frames the file means nothing, so that it does not matter
		// whether it goes.
		_ = f.Close()
		_ = fsys.Remove(path)
		return nil, fmt.Errorf("begin segment %s: %w", s.name, err)
	}
	return &active{segment: s, file: f, filled: headerBytes}, nil
}

// write puts a group behind the last one, and zeros behind it when the zeros
// written before did not reach: they end at limit bytes at the latest. So the
// end of the file moves once for many groups; to record a new size costs a sync
// about as much again as the data.
func (a *active) write(g group, zeros []byte, limit int64) error {
	off := headerBytes + int64(g.start-a.base)
	if err := writeAt(a.file, g.buf, off); err != nil {
		return fmt.Errorf("write %d bytes to segment %s at %d: %w", len(g.buf), a.name, off, err)
	}
	if end := off + int64(len(g.buf)); end > a.filled {
		a.filled = end
		n := min(int64(len(zeros)), limit-end)
		if len(g.buf) < len(zeros) && n > 0 {
			if err := writeAt(a.file, zeros[:n], end); err != nil {
				return fmt.Errorf("fill segment %s at %d: %w", a.name, end, err)
			}
			a.filled += n
		}
	}
	if err := a.file.SyncData(); err != nil {
		return fmt.Errorf("sync segment %s: %w", a.name, err)
	}
	return nil
}

var errShortWrite = errors.New("short write")

func writeAt(f vfs.File, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n != len(b) {
		err = errShortWrite
	}
	return err
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("open directory %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
