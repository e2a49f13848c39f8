package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options configures a Store. The zero value of every field means its default.
type Options struct {
	// Holder says to people who has the database open, for the message that a
	// second server gets. Default: "a server".
	Holder string

	// PoolSize is the most connections for reading, besides the one that
	// writes. Default 4.
	PoolSize int

	// BatchRows and BatchBytes bound the rows of one statement. Defaults 1000
	// and 4 MiB; one row always fits.
	BatchRows, BatchBytes int

	// Timeout bounds connecting, every statement but those of Clear, and every
	// page of a scan. Default 30 s.
	Timeout time.Duration

	// LockWait is how long Open waits for another server to let go of the
	// database before it gives up. Default 5 s.
	LockWait time.Duration

	// Later lets Open succeed while the database cannot be reached: the first
	// call that needs it opens it. Calls fail with ErrIO until then. A database
	// that answers and refuses is refused.
	Later bool

	// Logger is told of sessions that broke. Default: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.Holder = cmp.Or(o.Holder, "a server")
	o.PoolSize = cmp.Or(o.PoolSize, 4)
	o.BatchRows = cmp.Or(o.BatchRows, 1000)
	o.BatchBytes = cmp.Or(o.BatchBytes, 4<<20)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.LockWait = cmp.Or(o.LockWait, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate returns every complaint at once.
func (o Options) validate() error {
	var errs []error
	for name, n := range map[string]int64{
		"PoolSize": int64(o.PoolSize), "BatchRows": int64(o.BatchRows), "BatchBytes": int64(o.BatchBytes),
		"Timeout": int64(o.Timeout), "LockWait": int64(o.LockWait),
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s %d is negative", name, n))
		}
	}
	return errors.Join(errs...)
}
