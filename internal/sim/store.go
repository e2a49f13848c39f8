package sim

import (
	"context"
	"iter"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
)

// failingStore is a store whose next checkpoint may fail: before it has read a
// row, after some, or when it is done.
type failingStore struct {
	*memory.Store
	random worldRandom
	fail   bool
}

// Apply implements backing.Store.
func (s *failingStore) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	if !s.fail {
		return s.Store.Apply(ctx, rows, mark)
	}
	s.fail = false
	switch n := s.random.IntN(12); n {
	case 0:
		return errDisk
	case 1, 2:
		if err := s.Store.Apply(ctx, rows, mark); err != nil {
			return err
		}
		return errDisk
	default:
		for range rows {
			if n--; n == 2 {
				break
			}
		}
		return errDisk
	}
}
