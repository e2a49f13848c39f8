// Package null is the backing store that keeps nothing, for a node that is only
// a cache.
//
// Its mark is always zero: it reaches nothing, and so it never permits dropping
// log. That makes it legal only together with a log that keeps nothing either;
// with a real log, the log would grow without bound and every restart would
// replay all of it.
package null

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Store forgets what it is given. The zero Store is ready to use.
type Store struct{ closed atomic.Bool }

var _ backing.Store = (*Store)(nil)

func (s *Store) check(ctx context.Context) error {
	if s.closed.Load() {
		return backing.ErrClosed
	}
	return ctx.Err()
}

// Apply implements backing.Store; it does not even read the rows.
func (s *Store) Apply(ctx context.Context, _ iter.Seq[backing.Write], _ backing.Mark) error {
	return s.check(ctx)
}

// Clear implements backing.Store.
func (s *Store) Clear(ctx context.Context, _ []backing.Range, _ backing.Mark) error {
	return s.check(ctx)
}

// Mark implements backing.Store; it is zero.
func (s *Store) Mark(ctx context.Context) (backing.Mark, error) {
	return backing.Mark{}, s.check(ctx)
}

// Load implements backing.Store; no key is there.
func (s *Store) Load(ctx context.Context, _ backing.Key) (backing.Row, bool, error) {
	return backing.Row{}, false, s.check(ctx)
}

// Scan implements backing.Store; there are no rows.
func (s *Store) Scan(ctx context.Context, _ backing.Range, _ func(backing.Row) (bool, error)) error {
	return s.check(ctx)
}

// Maps implements backing.Store; there are none.
func (s *Store) Maps(ctx context.Context) ([]backing.MapInfo, error) {
	return nil, s.check(ctx)
}

// Flush implements backing.Store.
func (s *Store) Flush(ctx context.Context, _ bool) error { return s.check(ctx) }

// Stats implements backing.Store; nothing is counted.
func (s *Store) Stats() backing.Stats { return backing.Stats{} }

// Close implements backing.Store.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return backing.ErrClosed
	}
	return nil
}
