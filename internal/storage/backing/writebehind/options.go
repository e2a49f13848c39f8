package writebehind

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Options configures a Store. The zero value of every field but Clock means its
// default.
type Options struct {
	// Clock is what delays and pauses are measured by. Required.
	Clock clock.Clock

	// Delay is how long a row waits for later states of its key before it goes
	// on. Default: none.
	Delay time.Duration

	// BatchRows and BatchBytes bound what one call of the far store is given.
	// Defaults 1000 and 4 MiB; one row always fits.
	BatchRows, BatchBytes int

	// StagedBytes bounds what waits in memory; what does not fit is found again
	// by reading both stores. While rows are being written as much again may
	// wait, and as much again comes with a checkpoint that is being made. Default
	// 128 MiB.
	StagedBytes int

	// RetryMin and RetryMax bound the pause after a failure. Defaults 100 ms and
	// 10 s.
	RetryMin, RetryMax time.Duration

	// LookEvery is how often a far store that has nothing to do is asked whether
	// it is there. Default 5 s.
	LookEvery time.Duration

	// OnReached is told of every mark that the far store has reached. It must
	// not block.
	OnReached func(backing.Mark)

	// Logger is told when the far store goes away and comes back. Default:
	// nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.BatchRows = cmp.Or(o.BatchRows, 1000)
	o.BatchBytes = cmp.Or(o.BatchBytes, 4<<20)
	o.StagedBytes = cmp.Or(o.StagedBytes, 128<<20)
	o.RetryMin = cmp.Or(o.RetryMin, 100*time.Millisecond)
	o.RetryMax = cmp.Or(o.RetryMax, max(10*time.Second, o.RetryMin))
	o.LookEvery = cmp.Or(o.LookEvery, 5*time.Second)
	if o.OnReached == nil {
		o.OnReached = func(backing.Mark) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate returns every complaint at once.
func (o Options) validate() error {
	var errs []error
	complain := func(broken bool, format string, args ...any) {
		if broken {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(o.Clock == nil, "Clock is missing")
	complain(o.Delay < 0, "Delay %v is negative", o.Delay)
	complain(o.BatchRows < 0, "BatchRows %d is negative", o.BatchRows)
	complain(o.BatchBytes < 0, "BatchBytes %d is negative", o.BatchBytes)
	complain(o.StagedBytes < 0, "StagedBytes %d is negative", o.StagedBytes)
	complain(o.RetryMin < 0 || o.RetryMax < o.RetryMin, "RetryMin %v and RetryMax %v must grow from above zero", o.RetryMin, o.RetryMax)
	complain(o.LookEvery < 0, "LookEvery %v is negative", o.LookEvery)
	return errors.Join(errs...)
}
