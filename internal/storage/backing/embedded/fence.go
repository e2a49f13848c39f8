package embedded

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The beginnings of the names of the files that say which tables there are:
// the manifest, and the markers that say which manifest is in force and of
// which format the files are.
const (
	manifestPrefix = "MANIFEST-"
	markerPrefix   = "marker."
)

// errFenced is what a shut fence answers.
var errFenced = errors.New("embedded: instance is fenced off after a failure")

// A fence is the file system of one instance of pebble. Once shut it lets reads
// through and nothing else, for ever: whatever the instance believes to be
// doing after a failure, such as removing the tables that an unfinished edit of
// the manifest replaces, does not reach the disk.
//
// Pebble cannot live with a failure to write its manifest or to move a marker:
// it asks to be ended, panics, or carries on with its levels in disorder, on
// whatever goroutine it happens to be. So it is not told. The fence shuts at
// such a failure and from then on pretends that these files are written,
// directories are synced and files are removed. The instance goes on in good
// order in memory, over a disk that stays as it was; and nothing that it
// reports counts until its fence was asked.
type fence struct {
	vfs.FS
	shut atomic.Bool

	mu    sync.Mutex
	cause error // why it was shut
	fault error // the last failure of the file system, other than absence
}

func newFence(fsys vfs.FS) *fence { return &fence{FS: fsys} }

// close shuts the fence. The first cause is kept.
func (f *fence) close(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause == nil {
		f.cause = cause
	}
	f.shut.Store(true)
}

// err is why the fence is shut, nil while it is open.
func (f *fence) err() error {
	if !f.shut.Load() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cause
}

// lastFault is the last failure that the file system reported.
func (f *fence) lastFault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// note remembers a failure and passes it on.
func (f *fence) note(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrNotExist) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = err
	return err
}

// try does a write of which pebble may learn that it failed.
func (f *fence) try(write func() error) error {
	if f.shut.Load() {
		return errFenced
	}
	return f.note(write())
}

// must does a write of which pebble must not learn that it failed. It reports
// whether the write was done.
func (f *fence) must(write func() error) bool {
	if f.shut.Load() {
		return false
	}
	if err := f.note(write()); err != nil {
		f.close(err)
		return false
	}
	return true
}

// vital reports whether pebble cannot live with a failure to write a file.
func (f *fence) vital(name string) bool {
	base := f.PathBase(name)
	return strings.HasPrefix(base, manifestPrefix) || strings.HasPrefix(base, markerPrefix)
}

// order makes the directory durable before a marker is made or removed. Pebble
// moves a marker by making the new one, removing the old one and syncing the
// directory once, and before all that it makes the manifest that the new one
// names. It relies on the file system to keep this order in a power cut, which
// journals do and nobody promises: without the order there may be a marker
// without its manifest, or no marker at all.
func (f *fence) order(name string) error {
	if !strings.HasPrefix(f.PathBase(name), markerPrefix) {
		return nil
	}
	return syncDir(f.FS, f.PathDir(name))
}

// Create implements vfs.FS.
func (f *fence) Create(name string, c vfs.DiskWriteCategory) (file vfs.File, err error) {
	create := func() error {
		if err := f.order(name); err != nil {
			return err
		}
		file, err = f.FS.Create(name, c)
		return err
	}
	if f.vital(name) {
		if !f.must(create) {
			return nowhere{}, nil
		}
		return &vitalFile{File: file, fence: f}, nil
	}
	if err := f.try(create); err != nil {
		return nil, err
	}
	return &fencedFile{File: file, fence: f}, nil
}

// OpenReadWrite implements vfs.FS.
func (f *fence) OpenReadWrite(
	name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (file vfs.File, err error) {
	err = f.try(func() error {
		file, err = f.FS.OpenReadWrite(name, c, opts...)
		return err
	})
	return f.wrap(file, err)
}

// ReuseForWrite implements vfs.FS.
func (f *fence) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (file vfs.File, err error) {
	err = f.try(func() error {
		file, err = f.FS.ReuseForWrite(oldname, newname, c)
		return err
	})
	return f.wrap(file, err)
}

// Open implements vfs.FS.
func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	return f.wrap(file, f.note(err))
}

func (f *fence) wrap(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: file, fence: f}, nil
}

// OpenDir implements vfs.FS.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, f.note(err)
	}
	return &vitalFile{File: file, fence: f}, nil
}

// Link implements vfs.FS.
func (f *fence) Link(oldname, newname string) error {
	return f.try(func() error { return f.FS.Link(oldname, newname) })
}

// Rename implements vfs.FS.
func (f *fence) Rename(oldname, newname string) error {
	return f.try(func() error { return f.FS.Rename(oldname, newname) })
}

// Remove implements vfs.FS. A file that cannot be removed is no danger, and
// pebble is told; one that must not be removed is.
func (f *fence) Remove(name string) error {
	if !f.must(func() error { return f.order(name) }) {
		return nil
	}
	return f.note(f.FS.Remove(name))
}

// RemoveAll implements vfs.FS.
func (f *fence) RemoveAll(name string) error {
	return f.try(func() error { return f.FS.RemoveAll(name) })
}

// MkdirAll implements vfs.FS.
func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.try(func() error { return f.FS.MkdirAll(dir, perm) })
}

// List implements vfs.FS.
func (f *fence) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	return names, f.note(err)
}

// Stat implements vfs.FS.
func (f *fence) Stat(name string) (vfs.FileInfo, error) {
	info, err := f.FS.Stat(name)
	return info, f.note(err)
}

// Unwrap implements vfs.FS.
func (f *fence) Unwrap() vfs.FS { return f.FS }
