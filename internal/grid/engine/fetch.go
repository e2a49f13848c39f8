package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Fetcher reads the store for one lane. It is an actor of its own, so that the
// lane goes on meanwhile.
type Fetcher struct {
	ctx   context.Context
	store backing.Store
	clock clock.Clock
	lane  *lane.Lane
	bell  actor.Bell
	box   *actor.Mailbox[*lane.Want]
	stats *loadStats
}

// loadStats counts the reads of all fetchers.
type loadStats struct {
	loads, rows, failures, nanos atomic.Uint64
}

// maxWants is far above what a lane parks at most.
const maxWants = 1 << 20

func newFetcher(ctx context.Context, store backing.Store, wall clock.Clock, stats *loadStats) *Fetcher {
	f := &Fetcher{ctx: ctx, store: store, clock: wall, bell: actor.NewBell(), stats: stats}
	f.box = actor.NewMailbox[*lane.Want](maxWants, f.bell)
	return f
}

// Fetch implements lane.Fetcher.
func (f *Fetcher) Fetch(w *lane.Want) {
	if !f.box.Push(w) {
		w.Err = lane.ErrUnavailable
		f.lane.Arrive(w)
	}
}

// Wake implements actor.Actor.
func (f *Fetcher) Wake() <-chan struct{} { return f.bell }

// Step implements actor.Actor.
func (f *Fetcher) Step() bool {
	wants := f.box.Take()
	for _, w := range wants {
		began := f.clock.Now()
		if w.Ranges == nil {
			w.Err = f.load(w)
		} else {
			w.Err = f.scan(w)
		}
		f.stats.loads.Add(1)
		f.stats.rows.Add(uint64(len(w.Rows)))
		f.stats.nanos.Add(uint64(max(f.clock.Now().Sub(began), 0)))
		if w.Err != nil {
			f.stats.failures.Add(1)
		}
		f.lane.Arrive(w)
	}
	return len(wants) > 0
}

func (f *Fetcher) load(w *lane.Want) error {
	row, found, err := f.store.Load(f.ctx, w.Key)
	if err != nil {
		return fmt.Errorf("load %v: %w", w.Key, err)
	}
	if found {
		w.Rows = append(w.Rows, row)
	}
	return nil
}

func (f *Fetcher) scan(w *lane.Want) error {
	for _, r := range w.Ranges {
		err := f.store.Scan(f.ctx, r, func(row backing.Row) (bool, error) {
			if w.Limit > 0 && len(w.Rows) >= w.Limit {
				w.More = true
				return false, nil
			}
			if w.Bare {
				row.State = nil
			}
			w.Rows = append(w.Rows, ownRow(row))
			return true, nil
		})
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
	}
	return nil
}

// ownRow gives a scanned row memory of its own.
func ownRow(row backing.Row) backing.Row {
	n := len(row.Key.Key)
	var b strings.Builder
	b.Grow(n + len(row.State))
	b.WriteString(row.Key.Key)
	b.Write(row.State)
	all := b.String()
	row.Map, row.Key.Key, row.State = "", all[:n], bytesOf(all[n:])
	return row
}
