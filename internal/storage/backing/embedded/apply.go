package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Apply implements backing.Store.
func (s *Store) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	return s.checkpoint(ctx, mark, func(tables *incoming) error {
		if rows == nil {
			return nil
		}
		return tables.addRows(ctx, rows)
	})
}

// Clear implements backing.Store.
func (s *Store) Clear(ctx context.Context, ranges []backing.Range, mark backing.Mark) error {
	return s.checkpoint(ctx, mark, func(tables *incoming) error {
		return tables.addClears(backing.Union(ranges))
	})
}

// checkpoint makes what fill writes, and mark, one checkpoint.
//
// The order matters. Writing the tables touches nothing that is live, so it
// comes first and finds out whether the disk takes writes at all; only then is
// an instance that failed before exchanged for a new one. The last step is the
// only one that has an effect, and the only one that cannot be cancelled.
func (s *Store) checkpoint(ctx context.Context, mark backing.Mark, fill func(*incoming) error) (err error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// With the turn, nobody else changes closed or mark.
	if s.closed {
		return backing.ErrClosed
	}
	if err := mark.Follows(*s.mark.Load()); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.failures.Add(1)
			err = classify("checkpoint in "+s.place.dir, err)
		}
	}()
	tables := s.newIncoming()
	defer tables.discard()
	if err := tables.addMark(mark); err != nil {
		return err
	}
	if err := fill(tables); err != nil {
		return err
	}
	if err := s.reopen(tables.paths); err != nil {
		return err
	}
	if err := s.awaitDepth(ctx, tables.paths); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ingest(context.WithoutCancel(ctx), s.in, tables.paths); err != nil {
		s.in.condemn(err)
		return err
	}
	mark = mark.Clone()
	s.mark.Store(&mark)
	s.checkpoints.Add(1)
	s.rows.Add(tables.rows)
	s.bytes.Add(tables.bytes)
	return nil
}

func (s *Store) newIncoming() *incoming {
	return &incoming{
		fs:    s.place.fs,
		dir:   s.place.dir,
		opts:  s.tables,
		limit: s.place.opt.TableBytes,
		next:  &s.serial,
	}
}

// ingest makes the tables part of the instance, durably. Pebble's word counts
// only if the fence stayed open.
func ingest(ctx context.Context, in *instance, paths []string) error {
	if len(paths) == 0 {
		return errEmptyIngest
	}
	err := in.db.Ingest(ctx, paths)
	if cause := in.fence.err(); cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return nil
}

// reopen exchanges an instance that failed for a new one, leaving the tables in
// keep alone. The caller has the turn. When it fails, the store stays readable as far as the disk allows: with
// the failed instance, which still shows what was durable before it failed, or
// else with one opened for reading only.
func (s *Store) reopen(keep []string) error {
	if s.in != nil && s.in.refusal() == nil {
		s.in.sched.resume()
		return nil
	}
	// Before the failed instance is closed, so that a disk which is still
	// faulty leaves it in place, and so that whatever is opened next shows
	// nothing but what is durable.
	if err := settle(s.place.fs, s.place.dir, keep); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in != nil {
		_ = s.in.close()
		s.in = nil
	}
	in, err := s.place.open(false)
	if err != nil {
		if in, roErr := s.place.open(true); roErr == nil {
			err = errors.Join(err, s.adopt(in))
		}
		return err
	}
	if err := s.adopt(in); err != nil {
		return err
	}
	s.recoveries.Add(1)
	s.place.log.Info("store recovered", "dir", s.place.dir, "lsn", s.mark.Load().LSN)
	return nil
}

// awaitDepth waits until compactions have brought the number of overlapping
// tables down, so that reads stay bounded in cost however fast checkpoints
// come. It leaves the tables in keep alone. The caller has the turn.
func (s *Store) awaitDepth(ctx context.Context, keep []string) error {
	if s.place.opt.still {
		return nil
	}
	for waited, renewed := false, false; ; {
		up := s.in.sched.watch()
		switch {
		case int(s.in.db.Metrics().Levels[0].Sublevels) < s.place.opt.MaxDepth:
			return nil
		case up.failure != nil:
			return fmt.Errorf("compaction: %w", up.failure)
		case up.busy:
			if !waited {
				waited = true
				s.waited.Add(1)
			}
			select {
			case <-up.changed:
			case <-ctx.Done():
				return ctx.Err()
			}
		case !up.scarred || renewed:
			return nil // nothing to wait for
		default:
			// After a failed compaction pebble lets its tables be for half
			// a minute. A new instance does not remember.
			renewed = true
			s.in.condemn(errBarred)
			if err := s.reopen(keep); err != nil {
				return err
			}
		}
	}
}

// errBarred is why an instance is given up that will not compact.
var errBarred = errors.New("embedded: tables wait for a compaction that does not come")
