package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/writebehind"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// opener opens a node's own store and log with a database behind them. Which of
// the two the other has to follow, docs/operations/postgresql.md says; the rule
// is in relate.
type opener struct {
	cache  int64 // of the store on this machine
	cfg    config.Storage
	clock  clock.Clock
	random clock.Random
	logger *slog.Logger
	syncs  onSync
	fs     vfs.FS

	dir    string // of the store on this machine
	owner  string // the name of that directory to databases
	linked bool   // a database has followed it before: the name is kept there
	local  *local
	far    *postgres.Store
}

// open returns the storage, or closes what it has opened.
func (o *opener) open(ctx context.Context) (*storage, error) {
	dir, err := o.openBoth(ctx)
	var st *storage
	if err == nil {
		st, err = o.join(ctx, dir)
	}
	if err == nil {
		return st, nil
	}
	if o.far != nil {
		err = errors.Join(err, o.far.Close())
	}
	if o.local != nil {
		err = errors.Join(err, o.local.close())
	}
	return nil, err
}

// join puts the database behind the store.
func (o *opener) join(ctx context.Context, dir string) (*storage, error) {
	cfg := o.cfg.Postgres
	st := &storage{log: o.local.log, dir: dir, run: o.local.log.Run}
	opt := writebehind.Options{
		Clock: o.clock, Delay: cfg.Delay, BatchRows: cfg.BatchRows, StagedBytes: cfg.StagedBytes, Logger: o.logger,
	}
	if cfg.Write == config.Through {
		st.gate = engine.NewGate()
		opt.OnReached = func(mark backing.Mark) { st.gate.Reach(log.LSN(mark.LSN)) }
	}
	var err error
	if st.behind, err = writebehind.New(ctx, o.local.store, o.far, opt); err != nil {
		return nil, err
	}
	st.store = st.behind
	st.close = func() error { return errors.Join(o.local.log.Close(), st.behind.Close()) }
	return st, nil
}

// openBoth opens store, log and database and brings them into line. It returns
// the directory.
func (o *opener) openBoth(ctx context.Context) (dir string, err error) {
	if o.cfg.DataDir != "" {
		return o.cfg.DataDir, o.openWithDirectory(ctx)
	}
	// The database comes first: it decides where its log is kept.
	if err := o.openFar(ctx, false); err != nil {
		return "", err
	}
	id, err := o.far.Identity(ctx)
	if err != nil {
		return "", err
	}
	if dir, err = cacheDir(id.Instance); err != nil {
		return "", err
	}
	o.logger.InfoContext(ctx, "without a data directory the change log is kept where it may be lost; writes are acknowledged when the database has them", "directory", dir)
	if err := o.openNear(dir); err != nil {
		return dir, fmt.Errorf("%w; set --data-dir or TOPGUN_DATA_DIR to keep the log elsewhere", err)
	}
	err = o.relate(ctx)
	if !errors.Is(err, errForeign) {
		return dir, err
	}
	// The database has been written by another machine since. What is left here
	// is of no value: whatever was acknowledged is in the database.
	if err := o.local.close(); err != nil {
		return dir, err
	}
	o.local = nil
	if err := o.fs.RemoveAll(dir); err != nil {
		return dir, err
	}
	if err := o.openNear(dir); err != nil {
		return dir, err
	}
	return dir, o.relate(ctx)
}

// openWithDirectory opens a node that has a directory of its own, which is
// what its database follows. If it has followed before, the database need not be
// there.
func (o *opener) openWithDirectory(ctx context.Context) error {
	if err := o.openNear(o.cfg.DataDir); err != nil {
		return err
	}
	if err := o.openFar(ctx, o.linked); err != nil {
		return err
	}
	err := o.relate(ctx)
	switch {
	case errors.Is(err, errForeign):
		return fmt.Errorf("%w. To start from the database, give an empty data directory; to have the database follow %s, "+
			"give an empty database or schema; docs/operations/postgresql.md says more", err, o.cfg.DataDir)
	case err != nil && o.linked && errors.Is(err, backing.ErrIO):
		o.logger.WarnContext(ctx, "the database cannot be reached; the node starts without it", "error", err)
		return o.far.As(ctx, o.owner)
	default:
		return err
	}
}

// ownerFile holds the name of a data directory to databases.
func ownerFile(dir string) string { return filepath.Join(dir, "postgres-owner") }

// cacheDir is where the log of a database is kept when no directory was given:
// the database replaces it when it is lost.
func cacheDir(instance string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("without a data directory the change log is kept in the user's cache directory, and there is none (%w): set --data-dir or TOPGUN_DATA_DIR", err)
	}
	return filepath.Join(base, "topgun", "postgres-"+instance), nil
}

// openNear opens store and log, and draws a name for the directory if it has
// none. adopt keeps it.
func (o *opener) openNear(dir string) error {
	var err error
	o.dir = dir
	if o.local, err = openLocal(o.cfg, o.fs, dir, o.cache, o.clock, o.logger, o.syncs); err != nil {
		return err
	}
	o.owner, err = readSmall(o.fs, ownerFile(dir))
	o.linked = err == nil
	if !errors.Is(err, errAbsent) {
		return err
	}
	var b [16]byte
	o.random.Fill(b[:])
	id, err := uuid.FromBytes(b[:])
	if err != nil {
		return err
	}
	o.owner = id.String()
	return nil
}

// adopt has the database follow the directory. The name is kept only then: a
// directory that has it is served without the database, and one that was never
// brought into line with it must not be. Should the process end between the
// two, relate finds both as they were and adopts under another name.
func (o *opener) adopt(ctx context.Context) error {
	if err := o.far.Adopt(ctx, o.owner); err != nil {
		return err
	}
	return writeSmall(o.fs, ownerFile(o.dir), o.owner+"\n")
}

func (o *opener) openFar(ctx context.Context, later bool) error {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	cfg := o.cfg.Postgres
	o.far, err = postgres.Open(ctx, cfg.URL.Reveal(), postgres.Options{
		Holder:   fmt.Sprintf("the server with process id %d on %s", os.Getpid(), host),
		PoolSize: cfg.Connections - 1, BatchRows: cfg.BatchRows, Later: later, Logger: o.logger,
	})
	if err != nil {
		return fmt.Errorf("PostgreSQL, as DATABASE_URL names it: %w", err)
	}
	return nil
}

// errForeign means that data directory and database both hold something, and
// not the same.
var errForeign = errors.New("the data directory and the database hold different data, and neither has followed the other")

// relate finds out which of the two follows the other: the database follows the
// directory that it belongs to, and, when it is empty, any; an empty directory
// is filled from the database, which then follows it.
func (o *opener) relate(ctx context.Context) error {
	id, err := o.far.Identity(ctx)
	if err != nil {
		return err
	}
	near, err := o.look(ctx, o.local.store)
	if err != nil {
		return err
	}
	near.empty = near.empty && o.local.log.End() == 0
	far, err := o.look(ctx, o.far)
	if err != nil {
		return err
	}
	switch {
	case id.Owner == o.owner && (!near.empty || far.empty):
		if err := near.mark.Follows(far.mark); err != nil {
			return fmt.Errorf("the data directory is older than the database, which has followed it further: it is a copy, or has been restored: %w", errForeign)
		}
		return o.far.As(ctx, o.owner)
	case far.empty:
		o.logger.InfoContext(ctx, "the database is empty and will follow the data directory")
	case near.empty:
		o.logger.InfoContext(ctx, "the data directory is empty and is filled from the database")
		if err := o.fill(ctx, far.mark); err != nil {
			return fmt.Errorf("fill the data directory from the database: %w", err)
		}
	case o.local.log.End() == 0 && near.mark.Equal(far.mark.Anew(0)):
		// It was filled, and the process ended before it could say so.
	default:
		return errForeign
	}
	return o.adopt(ctx)
}

// content is what relate has to know of a store.
type content struct {
	mark  backing.Mark
	empty bool
}

func (o *opener) look(ctx context.Context, s backing.Store) (c content, err error) {
	if c.mark, err = s.Mark(ctx); err != nil {
		return c, err
	}
	c.empty = c.mark.Equal(backing.Mark{})
	if c.empty {
		// A database may have got rows and not yet a mark.
		err = s.Scan(ctx, backing.Range{}, func(backing.Row) (bool, error) {
			c.empty = false
			return false, nil
		})
	}
	return c, err
}

// fill makes the rows of the database one checkpoint of the empty store.
func (o *opener) fill(ctx context.Context, mark backing.Mark) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rows := func(yield func(backing.Write) bool) {
		err := o.far.Scan(ctx, backing.Range{}, func(r backing.Row) (bool, error) {
			return yield(backing.Write{Row: r}), nil
		})
		if err != nil {
			cancel(err) // ends the checkpoint without effect
		}
	}
	err := o.local.store.Apply(ctx, rows, mark.Anew(0))
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
