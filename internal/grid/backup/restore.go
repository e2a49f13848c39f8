package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// ErrNotEmpty refuses to restore into a store that holds something.
var ErrNotEmpty = errors.New("backup: the store is not empty")

// Restore writes the state to an empty store, all of it or nothing. lsn is where
// the node's own log stands. It returns the number of rows.
func Restore(ctx context.Context, s *State, store backing.Store, lsn uint64) (rows uint64, err error) {
	maps, err := store.Maps(ctx)
	if err != nil {
		return 0, err
	}
	if len(maps) > 0 {
		return 0, ErrNotEmpty
	}
	mark := backing.Mark{Partitions: s.Reached()}.Anew(lsn)
	// A sequence of rows cannot say that it broke off, the end of the context can.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	err = store.Apply(ctx, func(yield func(backing.Write) bool) {
		err := s.Rows(ctx, func(r *backing.Row) error {
			rows++
			if !yield(backing.Write{Row: *r}) {
				return errStopped
			}
			return nil
		})
		if err != nil {
			stop(err)
		}
	}, mark)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errStopped) {
		err = cause
	}
	if err != nil {
		return 0, fmt.Errorf("write the restored rows: %w", err)
	}
	return rows, nil
}

// errStopped ends the reading when the store wants no more.
var errStopped = errors.New("backup: the store wants no more rows")
