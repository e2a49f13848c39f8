package log

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// segment is one file of an open log.
type segment struct {
	header
	name  string
	index *index

	// Log.mu guards what follows.
	end     LSN   // of the last durable frame; base when there is none
	size    int64 // of the file, 0 while it is written
	failed  bool  // a write or a sync of the file has failed
	readers int   // have the file open
}

// spare is a file that was a segment and may become one again. To write over it
// costs a sync about half of what it costs to make a file longer.
type spare struct {
	name string
	size int64
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
//
// from is the file to use, if there is one: it gets its header before its name,
// so that whatever bears the name of a segment has a header.
func newSegment(fsys vfs.FS, dir string, h header, from *spare) (*active, error) {
	a := &active{segment: &segment{header: h, name: segmentName(h.base), end: h.base, index: newIndex(h.base)}, filled: headerBytes}
	path := fsys.PathJoin(dir, a.name)
	name := path
	if from != nil {
		a.reused, a.filled = true, max(from.size, headerBytes)
		name = fsys.PathJoin(dir, from.name)
	}
	f, err := fsys.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("create segment %s: %w", a.name, err)
	}
	a.file = f
	err = writeAt(f, a.encode(), 0)
	if err == nil {
		err = f.SyncData()
	}
	if err == nil && from != nil {
		err = fsys.Rename(name, path)
	}
	if err == nil {
		err = syncDir(fsys, dir)
	}
	if err != nil {
		// Without frames the file means nothing, so that it does not matter
		// whether it goes.
		_ = f.Close()
		_ = fsys.Remove(path)
		if from != nil {
			_ = fsys.Remove(name)
		}
		return nil, fmt.Errorf("begin segment %s: %w", a.name, err)
	}
	return a, nil
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
