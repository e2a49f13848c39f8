package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Store is the backing store in PostgreSQL; see the package comment.
type Store struct {
	opt    Options
	config *pgx.ConnConfig // of the session that writes
	pool   *pgxpool.Pool   // for reading

	// open is held for reading by every call and for writing by Close.
	open   sync.RWMutex
	closed bool

	// turn holds one token; who has it uses the session that writes.
	turn chan struct{}

	// Guarded by turn.
	session *pgx.Conn         // nil when there is none
	owner   string            // who the database has to belong to; see As
	known   bool              // fence and serial were read
	fence   int64             // what the fence has to be
	taken   bool              // this store has raised it to that
	raising bool              // it was about to, and was not told whether it has
	serial  int64             // number of the last transaction known to be committed
	names   map[mapName]int32 // ids of maps

	checkpoints, rows, bytes       atomic.Uint64
	failures, recoveries, diskSize atomic.Uint64
	rewinds                        atomic.Uint64
}

var _ backing.Store = (*Store)(nil)

// Open opens the store in the database that url names, in the first schema of
// its search path, making the tables if they are not there.
//
// It returns ErrLocked, naming the other, if another server has the database,
// ErrFormat if a later version has written it, ErrInvalid if url makes no sense,
// and ErrIO if the database cannot be reached or does not let it. No error holds
// the password.
func Open(ctx context.Context, url string, opt Options) (*Store, error) {
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("open the database: %w: %w", backing.ErrInvalid, err)
	}
	pool, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The driver repeats what it could not read, secrets included, unless it
		// recognizes them.
		return nil, fmt.Errorf("the URL of the database cannot be read: %w: expected is postgres://user:password@host:port/database", backing.ErrInvalid)
	}
	pool.MaxConns, pool.MinConns = int32(opt.PoolSize), 0
	pool.ConnConfig.ConnectTimeout = opt.Timeout
	if pool.ConnConfig.RuntimeParams["application_name"] == "" {
		pool.ConnConfig.RuntimeParams["application_name"] = "topgun"
	}
	s := &Store{opt: opt, config: pool.ConnConfig.Copy(), turn: make(chan struct{}, 1), names: map[mapName]int32{}}
	s.turn <- struct{}{}
	if s.pool, err = pgxpool.NewWithConfig(ctx, pool); err != nil {
		return nil, classify(ctx, "open the database", err)
	}
	err = s.write(ctx, func(context.Context, *pgx.Conn) error { return nil })
	if err != nil && (!opt.Later || !away(err)) {
		return nil, errors.Join(classify(ctx, "open the database", err), s.Close())
	}
	return s, nil
}

// enter begins a call; leave ends it.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.open.RLock()
	if s.closed {
		s.open.RUnlock()
		return nil, backing.ErrClosed
	}
	return s.open.RUnlock, nil
}

// write runs fn with the session that writes, when it is this call's turn. A
// session that broke is given up.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context, conn *pgx.Conn) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := s.writer(ctx)
	if err != nil {
		return err
	}
	err = fn(ctx, conn)
	if conn.IsClosed() {
		s.session = nil
	}
	return err
}

// read runs fn with one connection for reading.
func (s *Store) read(ctx context.Context, what string, fn func(ctx context.Context, conn *pgxpool.Conn) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	conn, err := s.pool.Acquire(limited)
	cancel()
	if err != nil {
		return classify(ctx, what+": connect", err)
	}
	defer conn.Release()
	return fn(ctx, conn)
}

// Mark implements backing.Store.
func (s *Store) Mark(ctx context.Context) (mark backing.Mark, err error) {
	const what = "read the mark of the database"
	err = s.read(ctx, what, func(ctx context.Context, conn *pgxpool.Conn) error {
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		var lsn int64
		var positions []byte
		err := conn.QueryRow(limited, `select lsn, positions from topgun_store`).Scan(&lsn, &positions)
		if err == nil {
			mark, err = readMark(lsn, positions)
		}
		return classify(ctx, what, err)
	})
	return mark, err
}

// Flush implements backing.Store. Checkpoints are where they belong when Apply
// returns; what is left is to see whether the database would take one.
func (s *Store) Flush(ctx context.Context, _ bool) error {
	return s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		var fence, serial int64
		err := conn.QueryRow(limited, `select fence, serial from topgun_store`).Scan(&fence, &serial)
		if err == nil {
			err = s.passed(limited, conn, fence, serial)
		}
		if err == nil && s.owner != "" && !s.taken {
			err = s.own(limited, conn)
		}
		return classify(ctx, "look after the database", err)
	})
}

// Stats implements backing.Store.
func (s *Store) Stats() backing.Stats {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return backing.Stats{}
	}
	return backing.Stats{
		Checkpoints: s.checkpoints.Load(),
		Rows:        s.rows.Load(),
		Bytes:       s.bytes.Load(),
		Failures:    s.failures.Load(),
		Recoveries:  s.recoveries.Load(),
		Rewinds:     s.rewinds.Load(),
		DiskBytes:   s.diskSize.Load(),
		ReadDepth:   1,
	}
}

// Close implements backing.Store.
func (s *Store) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	if s.closed {
		return backing.ErrClosed
	}
	s.closed = true
	if s.session != nil {
		s.end(s.session)
		s.session = nil
	}
	s.pool.Close()
	return nil
}
