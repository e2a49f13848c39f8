package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// run is one checkpoint under way.
//
// The store pulls the rows: its Apply runs in a coroutine that is left whenever
// the next row is still with a lane, and is entered again when it has come. So
// nothing is collected faster than the store takes it, and whoever steps the
// checkpointer is never kept waiting for a lane.
type run struct {
	*Checkpointer
	waiting []func(error)
	sources []*source
	marks   int // lanes that have not said what they reach

	mark   backing.Mark
	kept   backing.Mark // what the store says is durable once the rows are written
	rows   uint64
	err    error // of the store
	resume func() (struct{}, bool)
	cancel context.CancelCauseFunc
	leave  func()

	failed bool        // the lanes have to take everything back
	back   int         // lanes that have not
	again  []*takeBack // to be sent once more, when
	at     time.Time
}

// errAbandoned ends the call to the store of a checkpoint that was given up.
var errAbandoned = errors.New("engine: the checkpoint was given up")

// begin asks the lanes what the checkpoint reaches.
func (r *run) begin() {
	r.mark = backing.Mark{Partitions: map[partition.ID]backing.Pos{}}
	r.marks = len(r.engine.lanes)
	for i := range r.engine.lanes {
		src := &source{run: r, lane: i}
		r.sources = append(r.sources, src)
		src.ask()
	}
}

// reaches takes what one lane has said.
func (r *run) reaches(src *source) {
	lsn := uint64(src.lsn)
	if r.marks == len(r.sources) || lsn < r.mark.LSN {
		r.mark.LSN = lsn
	}
	maps.Copy(r.mark.Partitions, src.reached)
	r.marks--
}

// proceed calls the store, or goes on in it, as far as rows have come. It reports
// whether the call is over.
func (r *run) proceed() (over, worked bool) {
	if r.marks > 0 || r.failed {
		return false, false
	}
	if r.resume == nil {
		ctx, cancel := context.WithCancelCause(r.ctx)
		r.cancel = cancel
		r.resume, r.leave = iter.Pull(func(yield func(struct{}) bool) {
			r.err = r.write(ctx, func() bool { return yield(struct{}{}) })
		})
	} else if !r.complete() {
		return false, false
	}
	_, more := r.resume()
	if !more {
		r.cancel(nil)
	}
	return !more, true
}

// complete reports whether every source has a row or is at its end.
func (r *run) complete() bool {
	for _, src := range r.sources {
		if !src.known() {
			return false
		}
	}
	return true
}

// write is the store's part of the checkpoint. wait leaves the coroutine until more
// rows may have come, and reports false when the checkpoint is given up.
func (r *run) write(ctx context.Context, wait func() bool) error {
	e := r.engine
	// The end of the log that the lanes saw may have failed in the meantime; after
	// a crash the log would go on before it, and a later mark would go backwards.
	r.mark.LSN = min(r.mark.LSN, uint64(e.log.Durable()))
	if mistake.DropReadableLog {
		_ = e.log.DropBefore(log.LSN(r.mark.LSN))
	}
	// A log that ended with frames that failed, or that a power cut took back, ends
	// before them when it is opened again. It goes on beyond, so nothing lies
	// between its end and the last mark.
	last, err := e.store.Mark(ctx)
	if err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	r.mark.LSN = max(r.mark.LSN, last.LSN)
	if err := e.store.Apply(ctx, r.merged(wait), r.mark); err != nil {
		return fmt.Errorf("write a checkpoint after %d rows: %w", r.rows, err)
	}
	// Only what the store says is durable permits dropping log (LOG-DROP).
	if r.kept, err = e.store.Mark(ctx); err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	if err := e.log.DropBefore(log.LSN(r.kept.LSN)); err != nil {
		return fmt.Errorf("after a checkpoint: %w", err)
	}
	return nil
}

// merged are the rows of all lanes, in the order of the store.
func (r *run) merged(wait func() bool) iter.Seq[backing.Write] {
	return func(yield func(backing.Write) bool) {
		for {
			for !r.complete() {
				if !wait() {
					return // the context has ended, which the store notices
				}
			}
			src, limit := r.least()
			if src == nil {
				return
			}
			for w := src.head(); w != nil && (limit == nil || w.Key.Compare(limit.Key) < 0); w = src.head() {
				r.rows++
				if !yield(*w) {
					return
				}
				src.advance()
			}
		}
	}
}

// least is the source with the first row, and the first row of the others; nil
// when there is none.
func (r *run) least() (src *source, limit *backing.Write) {
	var first *backing.Write
	for _, s := range r.sources {
		w := s.head()
		switch {
		case w == nil:
		case first == nil || w.Key.Compare(first.Key) < 0:
			src, first, limit = s, w, first
		case limit == nil || w.Key.Compare(limit.Key) < 0:
			limit = w
		}
	}
	return src, limit
}

// stop ends the call to the store.
func (r *run) stop() {
	if r.resume != nil {
		r.cancel(errAbandoned)
		r.leave()
	}
}

// abandon gives the checkpoint up: the lanes take back what they handed over, and
// what they are about to.
func (r *run) abandon() {
	if r.failed {
		return
	}
	r.failed = true
	r.stop()
	r.back = len(r.sources)
	for _, src := range r.sources {
		r.engine.submit(src.lane, &takeBack{from: src})
	}
}

// takenBack reports whether all lanes have taken everything back, and asks those
// again that could not.
func (r *run) takenBack() bool {
	if now := r.clock.Now(); len(r.again) > 0 && !now.Before(r.at) {
		r.at = now.Add(minPause)
		again := r.again
		r.again = nil
		for _, t := range again {
			r.engine.submit(t.from.lane, t)
		}
	}
	return r.back == 0
}
