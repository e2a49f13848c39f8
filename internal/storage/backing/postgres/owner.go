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
		err := conn.QueryRow(ctx, `select instance::text, owner from topgun_store`).Scan(&id.Instance, &id.Owner)
		return classify(ctx, what, err)
	})
	return id, err
}

// Adopt makes Options.Owner the owner. An LSN means something to one owner only,
// so that of the mark begins anew at zero; the positions stay.
func (s *Store) Adopt(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, `update topgun_store set owner = $1, lsn = 0 where fence = $2`, s.opt.Owner, s.fence)
		if err == nil && tag.RowsAffected() == 0 {
			err = s.replaced(ctx, conn)
		}
		return classify(ctx, "adopt the database", err)
	})
}
