package writebehind

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Store writes near at once and far behind; see the package comment.
type Store struct {
	near, far backing.Store
	opt       Options
	base      backing.Mark // of near, when the store was made

	// turn holds one token; who has it writes to near and stages what it wrote.
	turn chan struct{}

	stop   context.CancelFunc
	worker sync.WaitGroup
	bell   chan struct{} // room for one: there may be something to do

	mu       sync.Mutex
	closed   bool
	staged   stage
	mark     backing.Mark // what near reaches with all that is staged
	since    time.Time    // when the oldest row or mark came that far lacks; zero when there is none
	flying   time.Time    // the same of what is being written
	catchUp  bool         // staging is not all that far lacks
	hurry    bool         // do not wait for Delay, nor for the end of a pause
	failing  error        // of the last attempt
	waiters  []waiter
	counters Counters
}

// waiter is a hard flush.
type waiter struct {
	mark backing.Mark
	done chan error
}

// Counters is what a Store has done since it was made, and what waits.
type Counters struct {
	// Rows and Batches went to the far store; Coalesced rows did not have to,
	// because a later state of their key was staged in time.
	Rows, Batches, Coalesced uint64

	// Failures counts attempts that failed, CatchUps how often both stores were
	// read side by side, and Overflows how often staging was full.
	Failures, CatchUps, Overflows uint64

	// StagedRows and StagedBytes wait in memory. CatchingUp says that more is
	// lacking than that.
	StagedRows, StagedBytes int
	CatchingUp              bool

	// Behind is how long the oldest thing that has not gone on has waited. What is
	// from before this store was made counts from then.
	Behind time.Duration

	// Err is why the far store could not be written at the last attempt; nil
	// when it could.
	Err error
}

var _ backing.Store = (*Store)(nil)

// New returns a store that takes near and far over, and begins to bring far up
// to near. It reads nothing of far, which may be away.
func New(ctx context.Context, near, far backing.Store, opt Options) (*Store, error) {
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("write-behind options: %w: %w", backing.ErrInvalid, err)
	}
	mark, err := near.Mark(ctx)
	if err != nil {
		return nil, err
	}
	s := &Store{
		near: near, far: far, opt: opt, base: mark, mark: mark,
		since: opt.Clock.Now(), // what far lacks from an earlier life is not known before it is asked
		turn:  make(chan struct{}, 1), bell: make(chan struct{}, 1),
	}
	s.turn <- struct{}{}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.worker.Go(func() { s.run(work) }) //arch:goroutine the store waits in Close
	return s, nil
}

// Apply implements backing.Store: near has the checkpoint when it returns.
func (s *Store) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	return s.write(ctx, func() error {
		t := tee{limit: s.opt.StagedBytes, names: map[string]string{}}
		if rows != nil {
			rows = t.through(rows)
		}
		if err := s.near.Apply(ctx, rows, mark); err != nil {
			return err
		}
		s.stage(t.rows, t.full, mark)
		return nil
	})
}

// Clear implements backing.Store. What is to be cleared far is found by reading
// both stores.
func (s *Store) Clear(ctx context.Context, ranges []backing.Range, mark backing.Mark) error {
	return s.write(ctx, func() error {
		if err := s.near.Clear(ctx, ranges, mark); err != nil {
			return err
		}
		s.stage(nil, true, mark)
		return nil
	})
}

// write runs fn when it is this call's turn.
func (s *Store) write(ctx context.Context, fn func() error) error {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tee copies rows as they stream by.
type tee struct {
	rows  []backing.Write
	bytes int
	limit int
	full  bool
	names map[string]string
}

func (t *tee) through(rows iter.Seq[backing.Write]) iter.Seq[backing.Write] {
	return func(yield func(backing.Write) bool) {
		for w := range rows {
			if !t.full {
				t.bytes += size(&w)
				t.full = t.bytes > t.limit
				t.rows = append(t.rows, own(w, t.names))
			}
			if !yield(w) {
				return
			}
		}
	}
}

// stage adds what near has got.
func (s *Store) stage(rows []backing.Write, more bool, mark backing.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark = mark.Clone()
	if s.since.IsZero() {
		s.since = s.opt.Clock.Now()
	}
	if !more {
		for _, w := range rows {
			if s.staged.put(w) {
				s.counters.Coalesced++
			}
		}
	}
	if more || s.staged.bytes > s.opt.StagedBytes {
		s.overflowLocked()
	}
	s.ring()
}

// overflowLocked forgets what is staged: reading both stores finds it again.
func (s *Store) overflowLocked() {
	s.staged = stage{}
	s.catchUp = true
	s.counters.Overflows++
}

func (s *Store) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Mark implements backing.Store: that of near, which permits dropping log.
func (s *Store) Mark(ctx context.Context) (backing.Mark, error) { return s.near.Mark(ctx) }

// Load implements backing.Store.
func (s *Store) Load(ctx context.Context, key backing.Key) (backing.Row, bool, error) {
	return s.near.Load(ctx, key)
}

// Scan implements backing.Store.
func (s *Store) Scan(ctx context.Context, r backing.Range, fn func(backing.Row) (bool, error)) error {
	return s.near.Scan(ctx, r, fn)
}

// Maps implements backing.Store.
func (s *Store) Maps(ctx context.Context) ([]backing.MapInfo, error) { return s.near.Maps(ctx) }

// Stats implements backing.Store: those of near. See Counters.
func (s *Store) Stats() backing.Stats { return s.near.Stats() }

// Flush implements backing.Store. Both ways end Delay and the pause after a
// failure; hard waits until far has what near had when it was called, however
// long far is away.
func (s *Store) Flush(ctx context.Context, hard bool) error {
	if err := s.near.Flush(ctx, hard); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return backing.ErrClosed
	}
	s.hurry = true
	w := waiter{s.mark, make(chan error, 1)}
	if hard {
		s.waiters = append(s.waiters, w)
	}
	s.ring()
	s.mu.Unlock()
	if !hard {
		return nil
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Counters reports how the far store is kept up.
func (s *Store) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters
	c.StagedRows, c.StagedBytes = len(s.staged.rows), s.staged.bytes
	c.CatchingUp, c.Err = s.catchUp, s.failing
	oldest := s.flying
	if oldest.IsZero() {
		oldest = s.since
	}
	if !oldest.IsZero() {
		c.Behind = max(s.opt.Clock.Now().Sub(oldest), 0)
	}
	return c
}

// Close implements backing.Store. It ends both stores and passes nothing more
// on: a hard flush before it does.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return backing.ErrClosed
	}
	s.closed = true
	waiters := s.waiters
	s.waiters = nil
	s.mu.Unlock()
	s.stop()
	s.worker.Wait()
	for _, w := range waiters {
		w.done <- backing.ErrClosed
	}
	return errors.Join(s.near.Close(), s.far.Close())
}
