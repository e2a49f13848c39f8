package writebehind_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/embedded"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/null"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres/pgtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/writebehind"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// inMemory is a place in memory.
func inMemory(*testing.T) backingtest.Open {
	s := memory.New()
	return func() (backing.Store, error) {
		s = s.Clone()
		return s, nil
	}
}

// onDisk is a place on a disk that is simulated in memory.
func onDisk(*testing.T) backingtest.Open {
	fsys := vfs.NewMem()
	return func() (backing.Store, error) {
		return embedded.Open(fsys, "store", slog.New(slog.DiscardHandler), embedded.Options{})
	}
}

// inPostgres is a place in a real PostgreSQL.
func inPostgres(t *testing.T) backingtest.Open {
	t.Helper()
	url := pgtest.Schema(t)
	return func() (backing.Store, error) { return postgres.Open(t.Context(), url, postgres.Options{}) }
}

// behind opens near and far, one behind the other.
func behind(t *testing.T, near, far backingtest.Open, opt writebehind.Options) (s *writebehind.Store, farStore backing.Store, err error) {
	t.Helper()
	n, err := near()
	if err != nil {
		return nil, nil, err
	}
	f, err := far()
	if err != nil {
		return nil, nil, errors.Join(err, n.Close())
	}
	opt.Clock = app.SystemClock()
	s, err = writebehind.New(t.Context(), n, f, opt)
	return s, f, err
}

// TestSuite: what is written near is read near.
func TestSuite(t *testing.T) {
	backingtest.Run(t, func(t *testing.T) backingtest.Open {
		t.Helper()
		n, f := inMemory(t), inMemory(t)
		return func() (backing.Store, error) {
			s, _, err := behind(t, n, f, writebehind.Options{BatchRows: 100})
			return s, err
		}
	})
}

// TestEmbeddedInFrontOfPostgres is the pair that a server has.
func TestEmbeddedInFrontOfPostgres(t *testing.T) {
	near, far := onDisk(t), inPostgres(t)
	g := generator(t)
	var model backingtest.Model
	for range 4 {
		s, farStore, err := behind(t, near, far, writebehind.Options{BatchRows: 50, StagedBytes: 40_000})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			writes, mark := g.Checkpoint(100)
			apply(t, s, &model, writes, mark)
		}
		if err := s.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		for name, store := range map[string]backing.Store{"near": s, "far": farStore} {
			if err := model.Check(t.Context(), store); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		writes, mark := g.Checkpoint(100) // of which far may get something, or not
		apply(t, s, &model, writes, mark)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSuiteFar: what is written near is read far, once it has arrived.
func TestSuiteFar(t *testing.T) {
	staged := writebehind.Options{BatchRows: 300, RetryMin: 1}
	overflows := writebehind.Options{BatchRows: 300, RetryMin: 1, StagedBytes: 1}
	t.Run("memory, staged", func(t *testing.T) { runFar(t, inMemory, staged) })
	t.Run("memory, by catching up", func(t *testing.T) { runFar(t, inMemory, overflows) })
	t.Run("PostgreSQL, staged", func(t *testing.T) { runFar(t, inPostgres, staged) })
}

func runFar(t *testing.T, far func(*testing.T) backingtest.Open, opt writebehind.Options) {
	t.Helper()
	backingtest.RunBehind(t, func(t *testing.T) backingtest.Open {
		t.Helper()
		n, f := inMemory(t), far(t)
		return func() (backing.Store, error) {
			s, farStore, err := behind(t, n, f, opt)
			return &arrived{s, farStore}, err
		}
	})
}

// TestNothingIsFar: a far store that keeps nothing is passed everything.
func TestNothingIsFar(t *testing.T) {
	near := inMemory(t)
	s, _, err := behind(t, near, func() (backing.Store, error) { return new(null.Store), nil }, writebehind.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := generator(t)
	var model backingtest.Model
	for range 10 {
		writes, mark := g.Checkpoint(100)
		apply(t, s, &model, writes, mark)
	}
	if err := s.Flush(t.Context(), true); err != nil {
		t.Error(err)
	}
	if err := model.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// arrived is a store that is read at its far end.
type arrived struct {
	*writebehind.Store
	far backing.Store
}

// Mark implements backing.Store.
func (a *arrived) Mark(ctx context.Context) (backing.Mark, error) {
	if err := a.Flush(ctx, true); err != nil {
		return backing.Mark{}, err
	}
	return a.far.Mark(ctx)
}

// Load implements backing.Store.
func (a *arrived) Load(ctx context.Context, key backing.Key) (backing.Row, bool, error) {
	if err := a.Flush(ctx, true); err != nil {
		return backing.Row{}, false, err
	}
	return a.far.Load(ctx, key)
}

// Scan implements backing.Store.
func (a *arrived) Scan(ctx context.Context, r backing.Range, fn func(backing.Row) (bool, error)) error {
	if err := a.Flush(ctx, true); err != nil {
		return err
	}
	return a.far.Scan(ctx, r, fn)
}

// Maps implements backing.Store.
func (a *arrived) Maps(ctx context.Context) ([]backing.MapInfo, error) {
	if err := a.Flush(ctx, true); err != nil {
		return nil, err
	}
	return a.far.Maps(ctx)
}
