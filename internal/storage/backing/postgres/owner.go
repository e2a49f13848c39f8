package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Identity says what a database is and whose.
type Identity struct {
	// Instance is a UUID that was drawn when the tables were made.
	Instance string

	// Owner is who may write; empty until the first Adopt.
	Owner string
}

// Identity reads it.
func (s *Store) Identity(ctx context.Context) (id Identity, err error) {
	const what = "read whose database it is"
	err = s.read(ctx, what, func(ctx context.Context, conn *pgxpool.Conn) error {
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		err := conn.QueryRow(limited, `select instance::text, owner from topgun_store`).Scan(&id.Instance, &id.Owner)
		return classify(ctx, what, err)
	})
	return id, err
}

// Adopt makes owner, which becomes that of this store, the owner of the
// database. An LSN means something to one owner only, so that of the mark begins
// anew at zero; the positions stay.
func (s *Store) Adopt(ctx context.Context, owner string) error {
	return s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		if err := s.take(ctx, conn, true); err != nil {
			return classify(ctx, "adopt the database", err)
		}
		tag, err := conn.Exec(limited, `update topgun_store set owner = $1, lsn = 0 where fence = $2`, owner, s.fence)
		if err == nil && tag.RowsAffected() == 0 {
			err = s.replaced(limited, conn)
		}
		if err == nil {
			s.owner = owner
		}
		return classify(ctx, "adopt the database", err)
	})
}

// As makes owner that of this store; the database is left as it is.
func (s *Store) As(ctx context.Context, owner string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	select {
	case <-s.turn:
		s.owner = owner
		s.turn <- struct{}{}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
