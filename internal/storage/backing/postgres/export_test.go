package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Setting reads a setting of the session that writes.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `select current_setting($1)`, name).Scan(&value)
	})
	return value, err
}
