package snapshot

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// suffix ends the name of a complete snapshot, partSuffix that of one under way.
const (
	suffix     = ".tgsnap"
	partSuffix = ".part"
)

// Archive is a directory of snapshots. A file in it is complete: it is written
// under another name first. One process writes to an archive at a time.
type Archive struct {
	fs  vfs.FS
	dir string
}

// OpenArchive opens a directory, making it if it is not there.
func OpenArchive(fsys vfs.FS, dir string) (*Archive, error) {
	if err := fsys.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the backup directory %s: %w", dir, err)
	}
	return &Archive{fsys, dir}, nil
}

// Entry is one snapshot of an archive.
type Entry struct {
	Name    string
	Bytes   int64
	Header  Header
	Trailer Trailer
}

// List returns the snapshots of the archive, oldest first by the time that they
// reach, whatever their files are called. It fails for a file that has a
// snapshot's name and is none.
func (a *Archive) List() ([]Entry, error) {
	names, err := a.fs.List(a.dir)
	if err != nil {
		return nil, fmt.Errorf("list the backup directory %s: %w", a.dir, err)
	}
	var all []Entry
	for _, name := range names {
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		e, err := a.entry(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.fs.PathJoin(a.dir, name), err)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(x.Trailer.At, y.Trailer.At), strings.Compare(x.Name, y.Name))
	})
	return all, nil
}

func (a *Archive) entry(name string) (e Entry, err error) {
	f, size, err := openFile(a.fs, a.fs.PathJoin(a.dir, name))
	if err != nil {
		return Entry{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := NewReader(bufio.NewReader(io.NewSectionReader(f, 0, size)))
	if err != nil {
		return Entry{}, err
	}
	t, err := ReadTrailer(f, size)
	return Entry{Name: name, Bytes: size, Header: r.Header(), Trailer: t}, err
}

// FileName is what the file of a snapshot is called in an archive.
func FileName(name string) string { return name + suffix }

// Create begins a snapshot. It becomes part of the archive with Commit.
func (a *Archive) Create(name string) (*Part, error) {
	path := a.fs.PathJoin(a.dir, FileName(name))
	f, err := a.fs.Create(path+partSuffix, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path+partSuffix, err)
	}
	return &Part{fs: a.fs, dir: a.dir, path: path, file: f, buf: bufio.NewWriterSize(f, 1<<20)}, nil
}

// Part is a snapshot that is being written.
type Part struct {
	fs   vfs.FS
	dir  string
	path string
	file vfs.File
	buf  *bufio.Writer
	size int64
}

// Write implements io.Writer.
func (p *Part) Write(b []byte) (int, error) {
	n, err := p.buf.Write(b)
	p.size += int64(n)
	return n, err
}

// Commit makes the file durable, checks that it is complete, and gives it its
// name. On failure nothing is left.
func (p *Part) Commit() (err error) {
	err = errors.Join(p.buf.Flush(), p.file.Sync(), p.file.Close())
	if err == nil {
		err = p.complete()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", p.path, err), p.fs.Remove(p.path+partSuffix))
	}
	if err := p.fs.Rename(p.path+partSuffix, p.path); err != nil {
		return fmt.Errorf("name %s: %w", p.path, err)
	}
	d, err := p.fs.OpenDir(p.dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", p.dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func (p *Part) complete() (err error) {
	f, size, err := openFile(p.fs, p.path+partSuffix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = ReadTrailer(f, size)
	return err
}

// Abandon removes what was written.
func (p *Part) Abandon() error {
	return errors.Join(p.file.Close(), p.fs.Remove(p.path+partSuffix))
}

// openFile opens a file for reading and says how large it is.
func openFile(fsys vfs.FS, path string) (vfs.File, int64, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return f, info.Size(), nil
}

// newest is the last snapshot on which no other builds: the clock of a server may
// have been set back between a snapshot and the next.
func newest(all []Entry) Entry {
	built := map[string]bool{}
	for _, e := range all {
		built[e.Header.Base] = true
	}
	for _, e := range slices.Backward(all) {
		if !built[e.Header.ID] {
			return e
		}
	}
	return all[len(all)-1]
}

// Latest is the chain that ends with the newest snapshot of the archive: a full
// one and the incremental ones behind it. It is empty when the archive is.
func (a *Archive) Latest() (Chain, error) {
	all, err := a.List()
	if err != nil || len(all) == 0 {
		return Chain{}, err
	}
	byID := map[string]Entry{}
	for _, e := range all {
		byID[e.Header.ID] = e
	}
	c := Chain{fs: a.fs}
	for e := newest(all); ; {
		c.parts = append(c.parts, part{path: a.fs.PathJoin(a.dir, e.Name), Entry: e})
		if e.Header.Full() {
			break
		}
		base, ok := byID[e.Header.Base]
		if !ok || len(c.parts) > len(all) {
			return Chain{}, fmt.Errorf("%w: %s builds on the backup %s, which is not in %s", ErrChain, e.Name, e.Header.Base, a.dir)
		}
		e = base
	}
	slices.Reverse(c.parts)
	return c, nil
}
