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

// markerPrefix begins the names of pebble's markers, which say which manifest
// is in force and of which format the files are.
const markerPrefix = "marker."

// errFenced is what a shut fence answers.
var errFenced = errors.New("embedded: instance is fenced off after a failure")

// A fence is the file system of one instance of pebble. Once shut it lets reads
// through and nothing else, for ever: whatever the instance believes to be
// doing after a failure, such as removing the table that a half-written edit of
// the manifest may refer to, does not reach the disk.
//
// A directory sync that fails shuts the fence and reports success, because
// pebble answers the truth with a panic, on whatever goroutine it happens to
// be. So nothing that an instance reports counts until its fence was asked.
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

// try does a write through the fence.
func (f *fence) try(write func() error) error {
	if f.shut.Load() {
		return errFenced
	}
	return f.note(write())
}

// tryFile does a write that yields a file.
func (f *fence) tryFile(open func() (vfs.File, error)) (vfs.File, error) {
	if f.shut.Load() {
		return nil, errFenced
	}
	return f.file(open())
}

func (f *fence) file(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, f.note(err)
	}
	return &fencedFile{File: file, fence: f}, nil
}

func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.orderMarker(name); err != nil {
		return nil, err
	}
	return f.tryFile(func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f *fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.tryFile(func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, opts...) })
}

func (f *fence) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.tryFile(func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname, c) })
}

func (f *fence) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.file(f.FS.Open(name, opts...))
}

func (f *fence) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, f.note(err)
	}
	return &fencedDir{File: file, fence: f}, nil
}

func (f *fence) Link(oldname, newname string) error {
	return f.try(func() error { return f.FS.Link(oldname, newname) })
}

func (f *fence) Rename(oldname, newname string) error {
	return f.try(func() error { return f.FS.Rename(oldname, newname) })
}

func (f *fence) Remove(name string) error {
	if err := f.orderMarker(name); err != nil {
		return err
	}
	return f.try(func() error { return f.FS.Remove(name) })
}

// orderMarker makes the directory durable before a marker is made or removed.
// Pebble moves a marker by making the new one, removing the old one and syncing
// the directory once, and before all that it makes the manifest that the new
// one names. It relies on the file system to keep this order in a power cut,
// which journals do and nobody promises: without the order there may be a
// marker without its manifest, or no marker at all.
func (f *fence) orderMarker(name string) error {
	if !strings.HasPrefix(f.PathBase(name), markerPrefix) {
		return nil
	}
	return f.try(func() error { return syncDir(f.FS, f.PathDir(name)) })
}

func (f *fence) RemoveAll(name string) error {
	return f.try(func() error { return f.FS.RemoveAll(name) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.try(func() error { return f.FS.MkdirAll(dir, perm) })
}

func (f *fence) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	return names, f.note(err)
}

func (f *fence) Stat(name string) (vfs.FileInfo, error) {
	info, err := f.FS.Stat(name)
	return info, f.note(err)
}

// Unwrap implements vfs.FS.
func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file opened through a fence.
type fencedFile struct {
	vfs.File
	fence *fence
}

func (f *fencedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.fence.note(err)
}

func (f *fencedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.fence.note(err)
}

func (f *fencedFile) Write(p []byte) (n int, err error) {
	err = f.fence.try(func() error { n, err = f.File.Write(p); return err })
	return n, err
}

func (f *fencedFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.fence.try(func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

func (f *fencedFile) Preallocate(offset, length int64) error {
	return f.fence.try(func() error { return f.File.Preallocate(offset, length) })
}

func (f *fencedFile) Sync() error { return f.fence.try(f.File.Sync) }

func (f *fencedFile) SyncData() error { return f.fence.try(f.File.SyncData) }

func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.fence.try(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// fencedDir is a directory opened for syncing.
type fencedDir struct {
	vfs.File
	fence *fence
}

// Sync never fails; see fence.
func (d *fencedDir) Sync() error {
	if d.fence.shut.Load() {
		return nil
	}
	if err := d.fence.note(d.File.Sync()); err != nil {
		d.fence.close(err)
	}
	return nil
}
