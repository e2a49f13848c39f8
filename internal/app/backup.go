package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/embedded"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// errNothingKept refuses a backup of a node without storage.
var errNothingKept = errors.New("this server keeps nothing on disk (storage null)")

// backup implements adminapi.Backup.
func (s *server) backup(ctx context.Context, base *backup.Base, out io.Writer) error {
	lg, ok := s.storage.log.(backup.Log)
	if !ok {
		return errNothingKept
	}
	reached, err := backup.Take(ctx, backup.Source{
		Node: s.id, Checkpoint: s.node.Checkpointer.Request,
		Log: lg, Store: s.storage.store, Clock: s.clock, Random: systemRandom{},
	}, base, out)
	if err != nil {
		s.logger.WarnContext(ctx, "a backup failed", "incremental", base != nil, "error", err)
		return err
	}
	s.logger.InfoContext(ctx, "backup taken", "incremental", base != nil, "rows", reached.Rows, "frames", reached.Frames)
	return nil
}

// restoring is the file that a data directory holds while it is restored into.
const restoring = "restoring"

// refuseHalfRestored refuses a data directory whose restore did not end.
func refuseHalfRestored(fsys vfs.FS, cfg config.Storage) error {
	if cfg.Backend == config.Null {
		return nil
	}
	name := filepath.Join(cfg.DataDir, restoring)
	if _, err := fsys.Stat(name); err == nil {
		return fmt.Errorf("a restore into %s did not end; empty the directory and run topgun restore again", cfg.DataDir)
	}
	return nil
}

// ErrHasData refuses to restore into a directory that is in use.
var ErrHasData = errors.New("the data directory is not empty; restore into a new one")

// Restore makes a data directory of what a chain of snapshots contains, and
// returns the number of rows. The directory must be empty or absent. A node
// refuses to start on a directory whose restore was interrupted.
func Restore(ctx context.Context, chain snapshot.Chain, dir string, clk clock.Clock, logger *slog.Logger) (rows uint64, err error) {
	return restoreIn(ctx, vfs.Default, chain, dir, clk, logger)
}

func restoreIn(ctx context.Context, fsys vfs.FS, chain snapshot.Chain, dir string, clk clock.Clock, logger *slog.Logger) (rows uint64, err error) {
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return 0, fmt.Errorf("make the data directory %s: %w", dir, err)
	}
	names, err := fsys.List(dir)
	if err != nil {
		return 0, fmt.Errorf("list the data directory %s: %w", dir, err)
	}
	if len(names) > 0 {
		return 0, fmt.Errorf("%s: %w", dir, ErrHasData)
	}
	st, err := backup.Open(ctx, chain)
	if err != nil {
		return 0, err
	}
	if err := writeSmall(fsys, filepath.Join(dir, restoring), "this directory is being restored\n"); err != nil {
		return 0, err
	}
	if rows, err = fill(ctx, fsys, st, dir, clk, logger); err != nil {
		return 0, err
	}
	return rows, removeSmall(fsys, filepath.Join(dir, restoring))
}

// fill writes store and log of a new data directory.
func fill(ctx context.Context, fsys vfs.FS, st *backup.State, dir string, clk clock.Clock, logger *slog.Logger) (rows uint64, err error) {
	store, err := embedded.Open(fsys, filepath.Join(dir, "store"), logger, embedded.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	lg, err := log.Open(fsys, filepath.Join(dir, "log"), clk, log.Options{Logger: logger})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lg.Close()) }()
	return backup.Restore(ctx, st, store, uint64(lg.Durable()))
}
