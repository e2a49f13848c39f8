package writebehind

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// worker is what run keeps between its passes.
type worker struct {
	*Store
	farMark  backing.Mark // what far reaches, as far as is known
	trying   backing.Mark // what the last call would have it reach, if that is not known
	rewinds  uint64       // of far, as far as is known
	compared bool         // far was asked for its mark, and has not failed since
	pause    time.Duration
	again    time.Time // when the pause ends
	said     time.Time // when the reason of a failure was last logged
}

// sayEvery is how often a reason that may have changed is logged again: the texts
// of one reason differ, in ports for example.
const sayEvery = time.Minute

// run passes on what is staged until ctx ends.
func (s *Store) run(ctx context.Context) {
	w := &worker{Store: s, farMark: s.base, trying: s.base}
	timer := s.opt.Clock.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := w.wait()
		if wait > 0 {
			timer.Reset(wait)
			select {
			case <-s.bell:
				continue // how long to wait may have changed
			case <-timer.C():
			case <-ctx.Done():
				return
			}
		}
		w.attempt(ctx)
	}
}

// wait is how long to do nothing: until a pause is over, until Delay has passed
// since something came, or else until it is time to see whether far is there.
func (w *worker) wait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.hurry, !w.compared && w.failing == nil: // the latter at the beginning
		return 0
	case w.failing != nil:
		return min(w.again.Sub(w.opt.Clock.Now()), w.pause)
	case w.since.IsZero():
		return w.opt.LookEvery
	default:
		return min(w.since.Add(w.opt.Delay).Sub(w.opt.Clock.Now()), w.opt.Delay)
	}
}

// attempt does what there is to do, and notes how it went.
func (w *worker) attempt(ctx context.Context) {
	w.mu.Lock()
	w.hurry = false
	w.mu.Unlock()
	mark, err := w.pass(ctx)
	if err == nil {
		w.succeeded(ctx)
		w.reached(mark)
	} else if ctx.Err() == nil {
		w.failed(ctx, err)
	}
}

func (w *worker) succeeded(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing != nil {
		w.opt.Logger.InfoContext(ctx, "the far store is up to date again")
	}
	w.failing, w.pause = nil, 0
}

func (w *worker) failed(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.opt.Clock.Now()
	// A database that has gone often refuses when it is back, for a reason that
	// somebody has to do something about.
	if backing.KindOf(err) != backing.KindOf(w.failing) || now.Sub(w.said) >= sayEvery { //nolint:errorlint // kinds are sentinels
		w.said = now
		w.opt.Logger.WarnContext(ctx, "the far store takes nothing; what it lacks waits", "error", err)
	}
	w.failing, w.compared = err, false
	w.counters.Failures++
	w.pause = min(max(2*w.pause, w.opt.RetryMin), w.opt.RetryMax)
	w.again = now.Add(w.pause)
}

// pass brings far to where near was when it began, which it returns.
func (w *worker) pass(ctx context.Context) (backing.Mark, error) {
	if err := w.compare(ctx); err != nil {
		return backing.Mark{}, err
	}
	w.mu.Lock()
	catchUp, mark, since := w.catchUp, w.mark, w.since
	rows := w.staged.sorted()
	w.staged = stage{}
	w.since, w.flying = time.Time{}, since
	if catchUp {
		// What was staged before is near by now, and what comes from here on is
		// staged: if that overflows, the flag is set again.
		rows, w.catchUp = nil, false
		w.counters.CatchUps++
	}
	w.mu.Unlock()
	var err error
	switch {
	case catchUp:
		err = w.bringUp(ctx, mark)
	case len(rows) == 0 && mark.Equal(w.farMark):
		err = w.far.Flush(ctx, false) // nothing to do: is it there?
	default:
		rows, err = w.send(ctx, rows, mark)
	}
	if err != nil {
		w.putBack(rows, catchUp, since)
	}
	return mark, err
}

// compare asks far, at the beginning and after every failure, where it is. If
// that is where it was, staging is all that far lacks. It may be elsewhere: a
// store that was written in an earlier life, or one that has lost its last
// commits, as a database does that is replaced by a replica.
func (w *worker) compare(ctx context.Context) error {
	if w.compared {
		return nil
	}
	if err := w.far.Flush(ctx, false); err != nil { // looks after itself
		return err
	}
	mark, err := w.far.Mark(ctx)
	if err != nil {
		return err
	}
	rewinds := w.far.Stats().Rewinds
	w.mu.Lock()
	near := w.mark
	w.mu.Unlock()
	if err := near.Follows(mark); err != nil {
		return errors.Join(errors.New("the far store is ahead of the near one, which has lost something or belongs to another"), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	asBefore := rewinds == w.rewinds && (mark.Equal(w.farMark) || mark.Equal(w.trying))
	w.rewinds = rewinds
	w.farMark, w.trying, w.compared = mark, mark, true
	if !asBefore {
		w.catchUp = true
		if w.since.IsZero() {
			w.since = w.opt.Clock.Now()
		}
	}
	return nil
}

// send writes rows and, with the last of them, the mark. It returns the rows that
// were not written.
func (w *worker) send(ctx context.Context, rows []backing.Write, mark backing.Mark) ([]backing.Write, error) {
	if len(rows) == 0 {
		return nil, w.apply(ctx, nil, mark)
	}
	return batches(rows, w.opt.BatchRows, w.opt.BatchBytes, func(part []backing.Write, last bool) error {
		at := w.farMark
		if last || mistake.MarkBeforeRows {
			at = mark
		}
		return w.apply(ctx, part, at)
	})
}

// apply writes one batch.
func (w *worker) apply(ctx context.Context, rows []backing.Write, mark backing.Mark) error {
	w.trying = mark
	if err := w.far.Apply(ctx, slices.Values(rows), mark); err != nil {
		return err
	}
	w.farMark = mark
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counters.Batches++
	w.counters.Rows += uint64(len(rows))
	return nil
}

// putBack stages again what could not be written.
func (w *worker) putBack(rows []backing.Write, catchUp bool, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catchUp = w.catchUp || catchUp
	if !since.IsZero() {
		w.since = since
	}
	w.flying = time.Time{}
	if !w.catchUp {
		w.staged.under(rows)
	}
	if w.staged.bytes > w.opt.StagedBytes {
		w.overflowLocked()
	}
}

// reached tells everybody that far has come to mark.
func (w *worker) reached(mark backing.Mark) {
	w.mu.Lock()
	w.flying = time.Time{}
	var done []chan error
	w.waiters = slices.DeleteFunc(w.waiters, func(x waiter) bool {
		// What is behind a catch-up that is still to come has not arrived.
		arrived := !w.catchUp && mark.Follows(x.mark) == nil
		if arrived {
			done = append(done, x.done)
		}
		return arrived
	})
	if len(w.waiters) > 0 {
		w.hurry = true
	}
	w.mu.Unlock()
	for _, d := range done {
		d <- nil
	}
	w.opt.OnReached(mark)
}
