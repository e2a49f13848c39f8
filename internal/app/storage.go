package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/embedded"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/null"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/writebehind"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// storage is the durable home of a node.
type storage struct {
	log   engine.Log
	store backing.Store
	dir   string // where they are; empty when nothing is kept

	// run writes the log until ctx ends, then flushes.
	run func(ctx context.Context) error

	close func() error

	// behind is the store with its database; nil without one. gate is what
	// acknowledgements wait at, nil unless they wait for the database.
	behind *writebehind.Store
	gate   *engine.Gate
}

// openStorage opens what the configuration asks for; the store may cache so many
// bytes.
func openStorage(ctx context.Context, cfg config.Storage, disk vfs.FS, cache int64, clk clock.Clock, logger *slog.Logger, syncs onSync) (*storage, error) {
	switch cfg.Backend {
	case config.Null:
		st := &null.Store{}
		return &storage{
			log: &log.Null{}, store: st,
			run:   func(ctx context.Context) error { <-ctx.Done(); return nil },
			close: st.Close,
		}, nil
	case config.Postgres:
		o := &opener{cfg: cfg, cache: cache, clock: clk, logger: logger, syncs: syncs, random: systemRandom{}, fs: disk}
		return o.open(ctx)
	default:
		l, err := openLocal(cfg, disk, cfg.DataDir, cache, clk, logger, syncs)
		if err != nil {
			return nil, err
		}
		return &storage{log: l.log, store: l.store, dir: cfg.DataDir, run: l.log.Run, close: l.close}, nil
	}
}

// onSync is told of each sync of the log.
type onSync = func(took time.Duration, bytes int)

// local is what a node keeps on this machine.
type local struct {
	store *embedded.Store
	log   *log.Log
}

// openLocal opens store and log in a directory. The store takes the lock on the
// directory, so it is opened first and closed last.
func openLocal(cfg config.Storage, disk vfs.FS, dir string, cache int64, clk clock.Clock, logger *slog.Logger, syncs onSync) (*local, error) {
	st, err := embedded.Open(disk, filepath.Join(dir, "store"), logger, embedded.Options{CacheBytes: cache})
	if errors.Is(err, backing.ErrLocked) {
		return nil, fmt.Errorf("the data directory %s is in use by another process; stop it, or choose another directory: %w", dir, err)
	}
	if err != nil {
		return nil, err
	}
	lg, err := log.Open(disk, filepath.Join(dir, "log"), clk, log.Options{
		SegmentBytes: min(cfg.ChangeLogBytes/8, maxSegmentBytes),
		Logger:       logger,
		OnSync:       syncs,
	})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &local{st, lg}, nil
}

func (l *local) close() error { return errors.Join(l.log.Close(), l.store.Close()) }

// maxSegmentBytes is the largest file of the log. The log is dropped by whole
// files, so a file is at most an eighth of the bound on all of them.
const maxSegmentBytes = 32 << 20

// nodeID is the configured id, or one that is made once and kept in the data
// directory: timestamps of one node must not come from two names by accident,
// nor those of two nodes from one.
func nodeID(fsys vfs.FS, cfg config.Config, rnd clock.Random) (string, error) {
	if cfg.NodeID != "" {
		return cfg.NodeID, nil
	}
	if cfg.Storage.Backend == config.Null {
		return newNodeID(rnd)
	}
	name := filepath.Join(cfg.Storage.DataDir, "node-id")
	if id, err := readSmall(fsys, name); err == nil {
		return id, nil
	} else if !errors.Is(err, errAbsent) {
		return "", err
	}
	id, err := newNodeID(rnd)
	if err != nil {
		return "", err
	}
	return id, writeSmall(fsys, name, id+"\n")
}

func newNodeID(rnd clock.Random) (string, error) {
	var b [16]byte
	rnd.Fill(b[:])
	id, err := uuid.FromBytes(b[:])
	if err != nil {
		return "", err
	}
	return "node-" + id.String()[:13], nil
}

var errAbsent = errors.New("no such file")

func readSmall(fsys vfs.FS, name string) (string, error) {
	if _, err := fsys.Stat(name); err != nil {
		return "", errAbsent
	}
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	b := make([]byte, 256)
	n, err := f.ReadAt(b, 0)
	if n == 0 {
		return "", errors.Join(fmt.Errorf("%s is empty; remove it to get a new node id", name), err, f.Close())
	}
	return strings.TrimSpace(string(b[:n])), f.Close()
}

// writeSmall makes a file that is there as a whole or not at all.
func writeSmall(fsys vfs.FS, name, text string) error {
	temp := name + ".new"
	f, err := fsys.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(text)); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	return syncDirOf(fsys, name)
}

// removeSmall removes a file for good.
func removeSmall(fsys vfs.FS, name string) error {
	if err := fsys.Remove(name); err != nil {
		return err
	}
	return syncDirOf(fsys, name)
}

func syncDirOf(fsys vfs.FS, name string) error {
	dir, err := fsys.OpenDir(fsys.PathDir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
