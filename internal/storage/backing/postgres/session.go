package postgres

import (
	"context"
	"errors"
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

// begin makes the tables, takes the lock, and reads the fence or checks it.
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
	if s.known {
		return classify(ctx, "take the database again", s.resume(limited, conn))
	}
	var fence, serial int64
	err := conn.QueryRow(limited, `update topgun_store set holder = $1, held_since = now() returning fence, serial`, s.opt.Holder).
		Scan(&fence, &serial)
	if err == nil {
		s.known, s.fence, s.serial = true, fence, serial
	}
	return classify(ctx, "take the database", err)
}

// resume goes on, on a new session, where the last one ended.
func (s *Store) resume(ctx context.Context, conn *pgx.Conn) error {
	var fence, serial int64
	var holder string
	if err := conn.QueryRow(ctx, `select fence, serial, holder from topgun_store`).Scan(&fence, &serial, &holder); err != nil {
		return err
	}
	if s.raising && fence == s.fence+1 && holder == s.opt.Holder {
		s.fence, s.taken = fence, true
	}
	s.raising = false
	if err := s.passed(ctx, conn, fence, serial); err != nil {
		return err
	}
	if !s.taken && serial > s.serial {
		return s.replaced(ctx, conn) // by one that went on before this one had taken it
	}
	// One that was refused may have been here meanwhile.
	if _, err := conn.Exec(ctx, `update topgun_store set holder = $1, held_since = now() where fence = $2`, s.opt.Holder, s.fence); err != nil {
		return err
	}
	s.rewound(ctx, serial)
	s.recoveries.Add(1)
	s.opt.Logger.InfoContext(ctx, "the database is back")
	return nil
}

// passed returns why this store may not write any more if another has raised the
// fence. A fence that is lower than it was is one that the database has lost,
// with all that was written behind it: it has to be raised again.
func (s *Store) passed(ctx context.Context, conn *pgx.Conn, fence, serial int64) error {
	if fence > s.fence {
		return s.replaced(ctx, conn)
	}
	if fence < s.fence {
		s.fence, s.taken = fence, false
		s.rewound(ctx, serial)
	}
	return nil
}

// take raises the fence before the first change: whoever had the database before
// writes nothing more. It is not done sooner, since a server that opens the
// database and finds that it belongs to another must leave it to that one; nor
// does one take it that finds so only now, unless adopt is set. If anything has
// been written since this store has looked, the database is not what its owner
// has decided upon, and it is too late.
func (s *Store) take(ctx context.Context, conn *pgx.Conn, adopt bool) error {
	if s.taken {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	if !adopt {
		if err := s.own(limited, conn); err != nil {
			return err
		}
	}
	s.raising = true
	err := conn.QueryRow(limited, `update topgun_store set fence = fence + 1 where fence = $1 and serial = $2 returning fence`, s.fence, s.serial).
		Scan(&s.fence)
	s.raising = conn.IsClosed()
	s.taken = err == nil
	if errors.Is(err, pgx.ErrNoRows) {
		return s.replaced(limited, conn)
	}
	return err
}

// own ends the session if the database is not this store's: who owns it may need
// the lock.
func (s *Store) own(ctx context.Context, conn *pgx.Conn) error {
	var owner string
	if err := conn.QueryRow(ctx, `select owner from topgun_store`).Scan(&owner); err != nil {
		return err
	}
	if owner != s.owner {
		s.end(conn)
		return s.foreign(owner)
	}
	return nil
}

// foreign is why a store may not write to the database of another owner.
func (s *Store) foreign(owner string) error {
	return fmt.Errorf("%w: it belongs to %q and not to %q; start this server again while the database can be reached", backing.ErrLocked, owner, s.owner)
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
