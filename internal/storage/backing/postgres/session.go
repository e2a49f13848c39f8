package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// lockClass is the upper half of the advisory lock's number; the lower is the
// oid of the table, so that every schema has its own.
const lockClass = 0x746f7067 // "topg"

// lockEvery is how often a lock that somebody holds is asked for again.
const lockEvery = 100 * time.Millisecond

// writer returns the session that writes, beginning one if there is none. It is
// called with the turn.
func (s *Store) writer(ctx context.Context) (*pgx.Conn, error) {
	if s.session != nil && !s.session.IsClosed() {
		return s.session, nil
	}
	s.session = nil
	connecting, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, s.config)
	if err != nil {
		return nil, classify(ctx, "connect to the database", err)
	}
	if err := s.begin(ctx, conn); err != nil {
		s.end(conn)
		return nil, err
	}
	s.session = conn
	return conn, nil
}

// end closes a connection whose state does not matter any more.
func (s *Store) end(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // must happen whatever became of the call
	defer cancel()
	if err := conn.Close(ctx); err != nil {
		s.opt.Logger.DebugContext(ctx, "a session with the database did not end well", "error", err)
	}
}

// settings make the session's commits durable whatever the database's default,
// and let PostgreSQL notice within half a minute that the other end is gone, so
// that a dead machine does not hold the lock for hours.
const settings = `select
	set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on'
		else current_setting('synchronous_commit') end, false),
	set_config('tcp_keepalives_idle', '10', false),
	set_config('tcp_keepalives_interval', '5', false),
	set_config('tcp_keepalives_count', '3', false)`

// begin makes the tables, takes the lock, and raises the fence or checks it.
func (s *Store) begin(ctx context.Context, conn *pgx.Conn) error {
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout+s.opt.LockWait)
	defer cancel()
	if _, err := conn.Exec(limited, settings); err != nil {
		return classify(ctx, "set up a session", err)
	}
	if err := migrate(limited, conn); err != nil {
		return classify(ctx, "make the tables", err)
	}
	if err := s.lock(limited, conn); err != nil {
		return classify(ctx, "lock the database", err)
	}
	if s.fence == 0 {
		err := conn.QueryRow(limited, `update topgun_store set fence = fence + 1, holder = $1, held_since = now() returning fence, serial`,
			s.opt.Holder).Scan(&s.fence, &s.serial)
		return classify(ctx, "take the database", err)
	}
	var fence, serial int64
	err := conn.QueryRow(limited, `select fence, serial from topgun_store`).Scan(&fence, &serial)
	if err == nil && fence != s.fence {
		err = s.replaced(limited, conn)
	}
	if err == nil {
		s.rewound(ctx, serial)
		s.recoveries.Add(1)
		s.opt.Logger.InfoContext(ctx, "the database is back")
	}
	return classify(ctx, "take the database again", err)
}

// rewound compares the number of the last transaction in the database with that
// of the last one known to be committed, and reports whether some were lost.
func (s *Store) rewound(ctx context.Context, serial int64) bool {
	if serial >= s.serial {
		return false
	}
	s.opt.Logger.WarnContext(ctx, "the database has lost transactions that it had committed", "lost", s.serial-serial)
	s.rewinds.Add(1)
	s.serial = serial
	clear(s.names) // whose numbers may have been lost with them
	return true
}

// lock takes the advisory lock, waiting LockWait for whoever has it: a server
// that has just ended, or this one's own broken session, lets go in a moment.
func (s *Store) lock(ctx context.Context, conn *pgx.Conn) error {
	wait, cancel := context.WithTimeout(ctx, s.opt.LockWait)
	defer cancel()
	for {
		var got bool
		err := conn.QueryRow(ctx, `select pg_try_advisory_lock(($1::bigint << 32) | 'topgun_store'::regclass::oid::bigint)`,
			int64(lockClass)).Scan(&got)
		if err != nil || got {
			return err
		}
		// PostgreSQL waits for us: the rest of the program reads no clock.
		if _, err := conn.Exec(ctx, `select pg_sleep($1)`, lockEvery.Seconds()); err != nil {
			return err
		}
		if wait.Err() != nil {
			return s.held(ctx, conn)
		}
	}
}

// held says who has the database.
func (s *Store) held(ctx context.Context, conn *pgx.Conn) error {
	var holder, since string
	err := conn.QueryRow(ctx, `select holder, coalesce(to_char(held_since at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS'), '') from topgun_store`).
		Scan(&holder, &since)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s has had it since %s UTC; one server writes to a database: stop the other, or give this one a database or a schema of its own",
		backing.ErrLocked, holder, since)
}

// replaced is why a store whose fence has been passed may not write any more.
func (s *Store) replaced(ctx context.Context, conn *pgx.Conn) error {
	var holder string
	if err := conn.QueryRow(ctx, `select holder from topgun_store`).Scan(&holder); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s has taken it over while this server was cut off from it; this server writes nothing more to it: stop one of the two",
		backing.ErrLocked, holder)
}
