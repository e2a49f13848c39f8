package log

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file is one segment file as found on disk.
type file struct {
	name   string
	base   LSN // by its name
	size   int64
	header header
	bad    error // why there is no header
	frames bool  // there may be frames behind the header
}

// survey is what a directory holds, by file names and headers alone.
type survey struct {
	// chain are the segments of the log, oldest first: each names the one before.
	chain []*file

	// strays are files that were made and never used: their header did not
	// become durable, or the attempt to recover that made them failed. They hold
	// no frames.
	strays []*file

	// spares are files that were segments.
	spares []spare
}

// look reads the headers in dir. An error that matches ErrCorrupt comes with
// what was found.
func look(fsys vfs.FS, dir string) (survey, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return survey{}, fmt.Errorf("list %s: %w", dir, err)
	}
	slices.Sort(names) // a directory has no order, and the first spare is used first
	var files []*file
	var spares []spare
	for _, name := range names {
		if isSpare(name) {
			info, err := fsys.Stat(fsys.PathJoin(dir, name))
			if err != nil {
				return survey{}, fmt.Errorf("measure %s: %w", name, err)
			}
			spares = append(spares, spare{name, info.Size()})
			continue
		}
		base, ok := parseName(name)
		if !ok {
			continue
		}
		f := &file{name: name, base: base}
		if err := f.read(fsys, dir); err != nil {
			return survey{}, fmt.Errorf("read the header of %s: %w", name, err)
		}
		if errors.Is(f.bad, ErrVersion) {
			return survey{}, fmt.Errorf("segment %s: %w", name, f.bad)
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *file) int { return cmp.Compare(a.base, b.base) })
	s, err := arrange(files)
	s.spares = spares
	return s, err
}

func (f *file) read(fsys vfs.FS, dir string) (err error) {
	h, err := fsys.Open(fsys.PathJoin(dir, f.name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	info, err := h.Stat()
	if err != nil {
		return err
	}
	f.size = info.Size()
	b := make([]byte, min(f.size, headerBytes))
	if _, err := h.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.header, f.bad = decodeHeader(b, f.base)
	r := &reader{win: window{file: h, size: f.size}, id: f.header.id, base: f.base}
	if f.bad == nil && f.header.reused {
		// What it held before follows the header; a frame of its own verifies.
		_, f.frames, err = r.at(f.base)
		return err
	}
	used, err := r.win.zeros(headerBytes)
	f.frames = used < f.size
	return err
}

// arrange finds the chain among files in order of their bases. The last file
// with a header is its end: a header is durable before the first frame is
// written, so a file without one was never used.
func arrange(files []*file) (s survey, err error) {
	defer func() { slices.Reverse(s.chain) }()
	last := len(files) - 1
	for ; last >= 0 && files[last].bad != nil; last-- {
		if files[last].frames {
			return s, corrupt(files[last], 0, files[last].bad.Error())
		}
		s.strays = append(s.strays, files[last])
	}
	if last < 0 {
		return s, nil
	}
	s.chain = append(s.chain, files[last])
	next, oldest := files[last], true
	for i := last - 1; i >= 0; i-- {
		f := files[i]
		linked := f.base == next.header.prevBase
		switch {
		case linked && f.bad != nil:
			return s, corrupt(f, 0, f.bad.Error())
		case linked && f.header.id != next.header.id:
			return s, corrupt(f, 0, "segment belongs to another log")
		case linked:
			s.chain = append(s.chain, f)
			next = f
		case !f.frames:
			s.strays = append(s.strays, f)
		case next.header.prevBase != noBase && f.base < next.header.prevBase:
			oldest = false
		default:
			return s, corrupt(f, 0, "no other segment names this one as its predecessor")
		}
	}
	if !oldest {
		lost := next.header.prevBase
		return s, &CorruptError{Segment: segmentName(lost), Reason: "segment is missing between others"}
	}
	return s, nil
}

func corrupt(f *file, offset int64, reason string) *CorruptError {
	return &CorruptError{Segment: f.name, Offset: offset, Reason: reason}
}
