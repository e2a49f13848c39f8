package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// classify gives err, which happened to a call with ctx while doing what, its
// place among the errors of the seam. No text of the driver holds a password.
func classify(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if backing.HasKind(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s: %w", what, cause)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		// A deadline that is not the caller's is ours, and a failure like others.
		return fmt.Errorf("%s: %w: %v", what, kindOf(err), err) //nolint:errorlint // see above
	}
	return fmt.Errorf("%s: %w: %w", what, kindOf(err), err)
}

// away reports whether err says that the database cannot be reached now: as
// opposed to a database that answers, and refuses.
func away(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return errors.Is(err, backing.ErrIO)
	}
	for _, class := range []string{"57", "08", "53"} { // shuts down or starts, connection, no room for it
		if strings.HasPrefix(pg.Code, class) {
			return true
		}
	}
	return false
}

// kindOf reads the SQLSTATE of an error.
func kindOf(err error) error {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return backing.ErrIO
	case pg.Code == diskFull:
		return backing.ErrFull
	case pg.Code == dataCorrupted, pg.Code == indexCorrupted:
		return backing.ErrCorrupt
	default:
		return backing.ErrIO
	}
}

// The SQLSTATEs that are told apart.
const (
	diskFull       = "53100"
	dataCorrupted  = "XX001"
	indexCorrupted = "XX002"
	noPrivilege    = "42501"
)

func hasCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
