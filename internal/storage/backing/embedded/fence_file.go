package embedded

import (
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fencedFile is a file opened through a fence, whose failures pebble learns of.
type fencedFile struct {
	vfs.File
	fence *fence
}

// Read implements vfs.File.
func (f *fencedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.fence.note(err)
}

// ReadAt implements vfs.File.
func (f *fencedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.fence.note(err)
}

// Write implements vfs.File.
func (f *fencedFile) Write(p []byte) (n int, err error) {
	err = f.fence.try(func() error { n, err = f.File.Write(p); return err })
	return n, err
}

// WriteAt implements vfs.File.
func (f *fencedFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.fence.try(func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

// Preallocate implements vfs.File.
func (f *fencedFile) Preallocate(offset, length int64) error {
	return f.fence.try(func() error { return f.File.Preallocate(offset, length) })
}

// Sync implements vfs.File.
func (f *fencedFile) Sync() error { return f.fence.try(f.File.Sync) }

// SyncData implements vfs.File.
func (f *fencedFile) SyncData() error { return f.fence.try(f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.fence.try(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// vitalFile is a manifest or a marker being written, or a directory opened for
// syncing. No method that pebble calls on it fails.
type vitalFile struct {
	vfs.File
	fence *fence
}

// Write implements vfs.File.
func (f *vitalFile) Write(p []byte) (int, error) {
	f.fence.must(func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// Sync implements vfs.File.
func (f *vitalFile) Sync() error {
	f.fence.must(f.File.Sync)
	return nil
}

// SyncData implements vfs.File.
func (f *vitalFile) SyncData() error {
	f.fence.must(f.File.SyncData)
	return nil
}

// SyncTo implements vfs.File.
func (f *vitalFile) SyncTo(length int64) (full bool, err error) {
	f.fence.must(func() error { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Preallocate implements vfs.File.
func (f *vitalFile) Preallocate(offset, length int64) error {
	f.fence.must(func() error { return f.File.Preallocate(offset, length) })
	return nil
}

// Close implements vfs.File. The file is closed even when the fence is shut.
func (f *vitalFile) Close() error {
	if err := f.fence.note(f.File.Close()); err != nil {
		f.fence.close(err)
	}
	return nil
}

// nowhere is the file that is written when a vital one could not be made.
type nowhere struct{}

var _ vfs.File = nowhere{}

// Close implements vfs.File.
func (nowhere) Close() error { return nil }

// Read implements vfs.File.
func (nowhere) Read([]byte) (int, error) { return 0, io.EOF }

// ReadAt implements vfs.File.
func (nowhere) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

// Write implements vfs.File.
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// WriteAt implements vfs.File.
func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Preallocate implements vfs.File.
func (nowhere) Preallocate(int64, int64) error { return nil }

// Stat implements vfs.File.
func (nowhere) Stat() (vfs.FileInfo, error) { return nil, errFenced }

// Sync implements vfs.File.
func (nowhere) Sync() error { return nil }

// SyncTo implements vfs.File.
func (nowhere) SyncTo(int64) (bool, error) { return false, nil }

// SyncData implements vfs.File.
func (nowhere) SyncData() error { return nil }

// Prefetch implements vfs.File.
func (nowhere) Prefetch(int64, int64) error { return nil }

// Fd implements vfs.File.
func (nowhere) Fd() uintptr { return vfs.InvalidFd }
