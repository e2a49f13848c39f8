package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// migrations are the steps from one format of the tables to the next, in the
// order of their names: the first makes format 1.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables to the format of this version. A database that is
// there already needs no right to make tables.
func migrate(ctx context.Context, conn *pgx.Conn) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	format, err := formatOf(ctx, conn)
	if err != nil || format == len(steps) {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Two servers may start at the same time.
		_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(($1::bigint << 32) | hashtext(current_schema())::bit(32)::bigint)`, int64(lockClass+1))
		if err != nil {
			return err
		}
		if format, err = formatOf(ctx, tx); err != nil {
			return err
		}
		if format > len(steps) {
			return fmt.Errorf("the tables have format %d, this version knows up to %d: %w", format, len(steps), backing.ErrFormat)
		}
		for n := format; n < len(steps); n++ {
			if err := step(ctx, tx, steps[n], n+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// step carries out one migration.
func step(ctx context.Context, tx pgx.Tx, name string, format int) error {
	text, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, string(text))
	if hasCode(err, noPrivilege) {
		return fmt.Errorf("%s: %w; the role needs the right to create tables in the schema, or tables that another role has made for it", name, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	_, err = tx.Exec(ctx, `insert into topgun_store (format) values ($1) on conflict (one) do update set format = excluded.format`, format)
	return err
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// formatOf is the format of the tables, 0 when there are none.
func formatOf(ctx context.Context, q querier) (int, error) {
	var schema, there bool
	err := q.QueryRow(ctx, `select current_schema() is not null, to_regclass(quote_ident(current_schema()) || '.topgun_store') is not null`).
		Scan(&schema, &there)
	if err == nil && !schema {
		err = fmt.Errorf("%w: no schema of the search_path is there, or the role may use none of them: make one, or name another", backing.ErrInvalid)
	}
	if err != nil || !there {
		return 0, err
	}
	var format int
	err = q.QueryRow(ctx, `select format from topgun_store`).Scan(&format)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("the table topgun_store is empty: %w", backing.ErrFormat)
	}
	return format, err
}
