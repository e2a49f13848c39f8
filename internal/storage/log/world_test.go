package log

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

const testDir = "data/log"

// kind is what is done to the file system.
type kind string

const (
	opList   kind = "list"
	opMkdir  kind = "mkdir"
	opOpen   kind = "open"
	opCreate kind = "create"
	opRead   kind = "read"
	opWrite  kind = "write"
	opSync   kind = "sync"
	opDir    kind = "open dir"
	opDirSnc kind = "sync dir"
	opRemove kind = "remove"
	opRename kind = "rename"
	opClose  kind = "close"
)

// errInjected is what a world answers when told to fail.
var errInjected = errors.New("injected")

// verdict says how an operation goes.
type verdict int

const (
	proceed  verdict = iota
	refuse           // fails without effect
	partly           // fails with part of its effect: half of a write
	pretend          // fails although it took effect
	swallow          // reports half of a write as written, without an error
	verdicts = 5
)

// world is a file system whose every operation passes through a function. As
// some kernels do, it forgets unsynced writes to a file whose sync has failed:
// a later sync succeeds without making them durable, unless they are written
// again.
type world struct {
	vfs.FS
	mu     sync.Mutex
	ask    func(k kind, name string) verdict // may be nil
	clean  map[string]bool                   // by file: a sync failed, nothing written since
	within bool
}

func newWorld(under vfs.FS) *world { return &world{FS: under, clean: map[string]bool{}} }

func (w *world) verdict(k kind, name string) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ask == nil || w.within {
		return proceed
	}
	w.within = true
	defer func() { w.within = false }()
	return w.ask(k, path.Base(name))
}

// do runs an operation that has an effect or has none.
func (w *world) do(k kind, name string, fn func() error) error {
	v := w.verdict(k, name)
	if v == proceed || v == pretend {
		if err := fn(); err != nil {
			return err
		}
	}
	if v != proceed {
		return errInjected
	}
	return nil
}

func (w *world) List(name string) (names []string, err error) {
	err = w.do(opList, name, func() error { names, err = w.FS.List(name); return err })
	return names, err
}

func (w *world) MkdirAll(name string, perm os.FileMode) error {
	return w.do(opMkdir, name, func() error { return w.FS.MkdirAll(name, perm) })
}

func (w *world) Remove(name string) error {
	return w.do(opRemove, name, func() error { return w.FS.Remove(name) })
}

func (w *world) Rename(from, to string) error {
	return w.do(opRename, from, func() error { return w.FS.Rename(from, to) })
}

func (w *world) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return w.open(opOpen, name, func() (vfs.File, error) { return w.FS.Open(name, opts...) })
}

func (w *world) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return w.open(opCreate, name, func() (vfs.File, error) { return w.FS.OpenReadWrite(name, c, opts...) })
}

func (w *world) OpenDir(name string) (vfs.File, error) {
	f, err := w.open(opDir, name, func() (vfs.File, error) { return w.FS.OpenDir(name) })
	if err != nil {
		return nil, err
	}
	f.(*worldFile).dir = true
	return f, nil
}

func (w *world) open(k kind, name string, fn func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := w.do(k, name, func() (err error) { f, err = fn(); return err })
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, err
	}
	return &worldFile{File: f, w: w, name: name}, nil
}

type worldFile struct {
	vfs.File
	w    *world
	name string
	dir  bool
}

func (f *worldFile) ReadAt(b []byte, off int64) (n int, err error) {
	if f.w.verdict(opRead, f.name) != proceed {
		return 0, errInjected
	}
	return f.File.ReadAt(b, off)
}

func (f *worldFile) WriteAt(b []byte, off int64) (int, error) {
	v := f.w.verdict(opWrite, f.name)
	n := len(b)
	switch v {
	case refuse:
		n = 0
	case partly, swallow:
		n /= 2
	default:
	}
	f.w.mu.Lock()
	delete(f.w.clean, f.name)
	f.w.mu.Unlock()
	if n > 0 {
		if m, err := f.File.WriteAt(b[:n], off); err != nil {
			return m, err
		}
	}
	if v == refuse || v == partly || v == pretend {
		return n, errInjected
	}
	return n, nil
}

func (f *worldFile) Sync() error { return f.SyncData() }

func (f *worldFile) SyncData() error {
	if f.dir {
		return f.w.do(opDirSnc, f.name, f.File.Sync)
	}
	err := f.w.do(opSync, f.name, func() error {
		f.w.mu.Lock()
		clean := f.w.clean[f.name]
		f.w.mu.Unlock()
		if clean {
			return nil
		}
		return f.File.Sync()
	})
	if err != nil {
		f.w.mu.Lock()
		f.w.clean[f.name] = true
		f.w.mu.Unlock()
	}
	return err
}

func (f *worldFile) Close() error {
	v := f.w.verdict(opClose, f.name)
	if err := f.File.Close(); err != nil {
		return err
	}
	if v != proceed {
		return errInjected
	}
	return nil
}

// stillClock stands at one moment; its timers fire at once.
type stillClock struct{}

func (stillClock) Now() time.Time { return time.Unix(1_700_000_000, 0) }

func (stillClock) NewTimer(time.Duration) clock.Timer {
	c := make(chan time.Time, 1)
	c <- time.Unix(1_700_000_000, 0)
	return stillTimer(c)
}

type stillTimer chan time.Time

func (t stillTimer) C() <-chan time.Time { return t }
func (t stillTimer) Stop() bool          { return false }
func (t stillTimer) Reset(time.Duration) {}

// seeded is a clock.Random with a known sequence.
type seeded struct{ r *rand.Rand }

func newSeeded(seed uint64) seeded { return seeded{rand.New(rand.NewPCG(seed, 1))} }

func (s seeded) Fill(b []byte) {
	for len(b) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], s.r.Uint64())
		b = b[copy(b, word[:]):]
	}
}
