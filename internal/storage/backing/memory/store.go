package memory

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Store is a backing store in memory; see the package comment.
type Store struct {
	state  atomic.Pointer[state]
	closed atomic.Bool

	mu                       sync.Mutex // held while the state is exchanged
	checkpoints, rows, bytes uint64
	failures                 uint64
}

// state is what a store holds at one moment. It never changes.
type state struct {
	rows []backing.Row // ascending
	mark backing.Mark
}

var _ backing.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	s := new(Store)
	s.state.Store(new(state))
	return s
}

// Clone returns an open store that holds what is durable in s now, and that
// shares nothing that either could change. It works on a closed store too.
func (s *Store) Clone() *Store {
	c := new(Store)
	c.state.Store(s.state.Load())
	return c
}

// Apply implements backing.Store.
func (s *Store) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	var writes []backing.Write
	if rows != nil {
		var check backing.Checker
		for w := range rows {
			if err := ctx.Err(); err != nil {
				return s.failed(err)
			}
			if err := check.Row(&w); err != nil {
				return s.failed(err)
			}
			writes = append(writes, own(w))
		}
	}
	return s.exchange(ctx, mark, writes, func(old []backing.Row) []backing.Row {
		return merge(old, writes)
	})
}

// own returns w with memory of its own.
func own(w backing.Write) backing.Write {
	w.Map = strings.Clone(w.Map)
	w.Key.Key = strings.Clone(w.Key.Key)
	w.State = bytes.Clone(w.State)
	return w
}

// merge returns old as changed by writes; both are ascending.
func merge(old []backing.Row, writes []backing.Write) []backing.Row {
	merged := make([]backing.Row, 0, len(old)+len(writes))
	for _, w := range writes {
		n, found := find(old, w.Key)
		merged = append(merged, old[:n]...)
		if found {
			n++
		}
		old = old[n:]
		if !w.Delete {
			merged = append(merged, w.Row)
		}
	}
	return append(merged, old...)
}

// find returns the place of key in rows, and whether it is there.
func find(rows []backing.Row, key backing.Key) (int, bool) {
	return slices.BinarySearchFunc(rows, key, func(r backing.Row, k backing.Key) int {
		return r.Compare(k)
	})
}

// Clear implements backing.Store.
func (s *Store) Clear(ctx context.Context, ranges []backing.Range, mark backing.Mark) error {
	ranges = backing.Union(ranges)
	return s.exchange(ctx, mark, nil, func(old []backing.Row) []backing.Row {
		kept := make([]backing.Row, 0, len(old))
		for _, r := range ranges {
			from, to := span(old, r)
			kept = append(kept, old[:from]...)
			old = old[to:]
		}
		return append(kept, old...)
	})
}

// span returns the indexes between which the rows in r lie.
func span(rows []backing.Row, r backing.Range) (from, to int) {
	from, _ = find(rows, r.From)
	if r.Unbounded() {
		return from, len(rows)
	}
	to, _ = find(rows, r.To)
	return from, max(from, to)
}

// exchange makes a checkpoint of what change makes of the rows, and counts
// writes.
func (s *Store) exchange(
	ctx context.Context, mark backing.Mark, writes []backing.Write, change func([]backing.Row) []backing.Row,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state.Load()
	err := ctx.Err()
	switch {
	case s.closed.Load():
		return backing.ErrClosed
	case err == nil:
		err = mark.Follows(old.mark)
	}
	if err != nil {
		s.failures++
		return err
	}
	s.state.Store(&state{rows: change(old.rows), mark: mark.Clone()})
	s.checkpoints++
	s.rows += uint64(len(writes))
	for i := range writes {
		s.bytes += size(&writes[i].Row)
	}
	return nil
}

// size is what a row counts for.
func size(r *backing.Row) uint64 { return uint64(len(r.Map) + len(r.Key.Key) + len(r.State)) }

// failed counts err and returns it, or ErrClosed if that is how it is.
func (s *Store) failed(err error) error {
	if s.closed.Load() {
		return backing.ErrClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	return err
}

// Flush implements backing.Store; there is nothing to pass on.
func (s *Store) Flush(ctx context.Context, _ bool) error {
	_, err := s.current(ctx)
	return err
}

// Stats implements backing.Store.
func (s *Store) Stats() backing.Stats {
	if s.closed.Load() {
		return backing.Stats{}
	}
	var held uint64
	for _, r := range s.state.Load().rows {
		held += size(&r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return backing.Stats{
		Checkpoints: s.checkpoints,
		Rows:        s.rows,
		Bytes:       s.bytes,
		Failures:    s.failures,
		DiskBytes:   held,
		ReadDepth:   1,
	}
}

// Close implements backing.Store. What was durable stays so; see Clone.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return backing.ErrClosed
	}
	return nil
}
