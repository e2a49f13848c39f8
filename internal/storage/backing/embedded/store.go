package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Store is the embedded backing store; see the package comment.
type Store struct {
	place  place
	tables sstable.WriterOptions

	// turn holds one token; who has it may write checkpoints.
	turn chan struct{}

	// Guarded by turn.
	serial uint64 // of the last incoming table

	// mu is held for reading while an instance is in use and for writing
	// while it is exchanged. It is taken after turn.
	mu     sync.RWMutex
	closed bool
	in     *instance

	// mark is that of the last durable checkpoint. It is stored with the turn
	// held, and what it points to never changes.
	mark atomic.Pointer[backing.Mark]

	checkpoints, rows, bytes     atomic.Uint64
	failures, recoveries, waited atomic.Uint64
}

var _ backing.Store = (*Store)(nil)

// Open opens the store in dir, making it if dir is missing or empty. The store
// locks dir until it is closed.
//
// It returns ErrLocked, naming dir, if the store is open elsewhere, ErrFormat
// if it is of a format that this version does not know, ErrCorrupt if it is
// damaged, and ErrFull or ErrIO if the disk does not let it. What went wrong in
// the background is written to log.
func Open(fsys vfs.FS, dir string, log *slog.Logger, opt Options) (*Store, error) {
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("open store %s: %w: %w", dir, backing.ErrInvalid, err)
	}
	s := &Store{
		tables: tableOptions(pebbleOptions(opt)),
		turn:   make(chan struct{}, 1),
	}
	s.place = place{fs: fsys, dir: dir, log: log, opt: opt, failures: &s.failures}
	s.turn <- struct{}{}
	if err := makeDir(fsys, dir); err != nil {
		return nil, classify("make store "+dir, err)
	}
	lock, err := lockDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	s.place.lock = lock
	if err := s.start(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// makeDir makes dir and, if it made it, its entry in the parent durable.
func makeDir(fsys vfs.FS, dir string) error {
	if _, err := fsys.Stat(dir); err == nil {
		return nil
	}
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return syncDir(fsys, fsys.PathDir(dir))
}

// lockDir locks dir against everybody else.
func lockDir(fsys vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	if err != nil && heldElsewhere(err) {
		err = fmt.Errorf("%w: %w", backing.ErrLocked, err)
	}
	return lock, classify("lock store "+dir, err)
}

// start opens the first instance.
func (s *Store) start() error {
	if err := checkFormat(s.place.fs, s.place.dir); err != nil {
		return classify("open store "+s.place.dir, err)
	}
	if err := settle(s.place.fs, s.place.dir, nil); err != nil {
		return classify("settle store "+s.place.dir, err)
	}
	in, err := s.place.open(false)
	if err != nil {
		return err
	}
	return s.adopt(in)
}

// adopt makes a freshly opened instance, whose content is settled, the one in
// use. It closes the instance when it cannot.
func (s *Store) adopt(in *instance) error {
	mark, err := loadMark(in)
	if err != nil {
		return errors.Join(classify("open store "+s.place.dir, err), in.close())
	}
	s.in = in
	s.mark.Store(&mark)
	return nil
}

// get returns a copy of the value at key, or nil.
func get(in *instance, key []byte) ([]byte, error) {
	v, closer, err := in.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v = append([]byte{}, v...)
	return v, closer.Close()
}

func loadMark(in *instance) (backing.Mark, error) {
	v, err := get(in, keyMark)
	if err != nil {
		return backing.Mark{}, fmt.Errorf("read mark: %w", err)
	}
	if v == nil {
		return backing.Mark{}, nil
	}
	return readMark(v)
}

// use runs read with the instance, which stays what it is meanwhile.
func (s *Store) use(ctx context.Context, read func(*instance) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return backing.ErrClosed
	}
	if s.in == nil {
		return fmt.Errorf("store %s could not be opened again after a failure: %w", s.place.dir, backing.ErrIO)
	}
	return read(s.in)
}

// Flush implements backing.Store: every checkpoint is where it belongs when
// Apply returns, so there is nothing to pass on.
func (s *Store) Flush(ctx context.Context, _ bool) error {
	return s.use(ctx, func(in *instance) error {
		return classify("flush store "+s.place.dir, in.refusal())
	})
}

// Mark implements backing.Store.
func (s *Store) Mark(ctx context.Context) (backing.Mark, error) {
	var m backing.Mark
	err := s.use(ctx, func(*instance) error {
		m = s.mark.Load().Clone()
		return nil
	})
	return m, err
}

// Close implements backing.Store.
func (s *Store) Close() error {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return backing.ErrClosed
	}
	s.closed = true
	var err error
	if s.in != nil {
		err = s.in.close()
		s.in = nil
	}
	return classify("close store "+s.place.dir, errors.Join(err, s.place.lock.Close()))
}
