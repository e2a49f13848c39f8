package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

func TestErrorsHaveTheirPlace(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx  context.Context //nolint:containedctx // a case of a table
		err  error
		want error
	}{
		"a full disk":               {t.Context(), &pgconn.PgError{Code: "53100"}, backing.ErrFull},
		"a damaged page":            {t.Context(), &pgconn.PgError{Code: "XX001"}, backing.ErrCorrupt},
		"a damaged index":           {t.Context(), &pgconn.PgError{Code: "XX002"}, backing.ErrCorrupt},
		"a server that shuts down":  {t.Context(), &pgconn.PgError{Code: "57P01"}, backing.ErrIO},
		"a standby":                 {t.Context(), &pgconn.PgError{Code: "25006"}, backing.ErrIO},
		"a connection that is gone": {t.Context(), errors.New("broken pipe"), backing.ErrIO},
		"a time that is ours":       {t.Context(), fmt.Errorf("timeout: %w", context.DeadlineExceeded), backing.ErrIO},
		"the end of the caller":     {ended, fmt.Errorf("timeout: %w", context.Canceled), context.Canceled},
		"what has its place":        {ended, fmt.Errorf("x: %w", backing.ErrStale), backing.ErrStale},
	} {
		err := classify(c.ctx, "do something", c.err)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		for _, other := range []error{
			backing.ErrStale, backing.ErrCorrupt, backing.ErrFull, backing.ErrIO, context.Canceled, context.DeadlineExceeded,
		} {
			if !errors.Is(c.want, other) && errors.Is(err, other) {
				t.Errorf("%s: %v is %v too", name, err, other)
			}
		}
	}
	if classify(t.Context(), "do nothing", nil) != nil {
		t.Error("no error is one")
	}
}

// TestWhatIsAway: a database that answers and refuses is not, whatever its answer
// looks like.
func TestWhatIsAway(t *testing.T) {
	for code, want := range map[string]bool{"57P03": true, "08006": true, "53300": true, "28P01": false, "3D000": false, "5": false, "": false} {
		err := classify(t.Context(), "connect", &pgconn.PgError{Code: code})
		if got := away(err); got != want {
			t.Errorf("%q: away is %t, want %t", code, got, want)
		}
	}
}

func TestDamagedPositions(t *testing.T) {
	if _, err := readMark(1, make([]byte, positionBytes+1)); !errors.Is(err, backing.ErrCorrupt) {
		t.Errorf("positions that end early: %v, want ErrCorrupt", err)
	}
}
