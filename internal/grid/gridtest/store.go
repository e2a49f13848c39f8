package gridtest

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
)

// ErrDisk is what fails when a test says so.
var ErrDisk = errors.New("simulated disk failure")

// Outcome is how a checkpoint goes.
type Outcome uint8

// The outcomes of Store.Apply.
const (
	Works Outcome = iota

	// Refuses fails without effect.
	Refuses

	// Pretends fails although the checkpoint was made, which a store may.
	Pretends

	// Breaks fails without effect after it has read some of the rows.
	Breaks
)

// Store is the in-memory store, failing when told to.
type Store struct {
	*memory.Store

	mu      sync.Mutex
	next    func() Outcome
	loading error
	reads   func() error
	held    *backing.Mark
}

// NewStore wraps a store.
func NewStore(s *memory.Store) *Store { return &Store{Store: s} }

// OnApply has next decide how each checkpoint goes; nil: all work.
func (s *Store) OnApply(next func() Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}

// FailReads makes scans fail with err until it is called with nil.
func (s *Store) FailReads(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loading = err
}

// OnRead has next decide whether each read of rows fails; nil: none does.
func (s *Store) OnRead(next func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads = next
}

func (s *Store) readError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loading == nil && s.reads != nil {
		return s.reads()
	}
	return s.loading
}

// Load implements backing.Store.
func (s *Store) Load(ctx context.Context, key backing.Key) (backing.Row, bool, error) {
	if err := s.readError(); err != nil {
		return backing.Row{}, false, err
	}
	return s.Store.Load(ctx, key)
}

// Maps implements backing.Store.
func (s *Store) Maps(ctx context.Context) ([]backing.MapInfo, error) {
	if err := s.readError(); err != nil {
		return nil, err
	}
	return s.Store.Maps(ctx)
}

// HoldMark has Mark say what it says now, whatever is applied: what can be read
// then is not durable yet.
func (s *Store) HoldMark(ctx context.Context) error {
	m, err := s.Store.Mark(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = &m
	return err
}

// Mark implements backing.Store.
func (s *Store) Mark(ctx context.Context) (backing.Mark, error) {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		return held.Clone(), nil
	}
	return s.Store.Mark(ctx)
}

// Apply implements backing.Store.
func (s *Store) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	s.mu.Lock()
	next := s.next
	s.mu.Unlock()
	outcome := Works
	if next != nil {
		outcome = next()
	}
	switch outcome {
	case Refuses:
		return ErrDisk
	case Breaks:
		n := 0
		for range rows {
			if n++; n == 2 {
				break
			}
		}
		return ErrDisk
	}
	if err := s.Store.Apply(ctx, rows, mark); err != nil {
		return err
	}
	if outcome == Pretends {
		return ErrDisk
	}
	return nil
}

// Scan implements backing.Store.
func (s *Store) Scan(ctx context.Context, r backing.Range, fn func(backing.Row) (bool, error)) error {
	if err := s.readError(); err != nil {
		return err
	}
	return s.Store.Scan(ctx, r, fn)
}

// Rows are all rows of the store, in order; the caller may keep them.
func (s *Store) Rows(ctx context.Context) ([]backing.Row, error) {
	var rows []backing.Row
	err := s.Store.Scan(ctx, backing.Range{}, func(r backing.Row) (bool, error) {
		r.Map, r.Key.Key = string([]byte(r.Map)), string([]byte(r.Key.Key))
		r.State = append([]byte(nil), r.State...)
		rows = append(rows, r)
		return true, nil
	})
	return rows, err
}
