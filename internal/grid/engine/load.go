package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// loader brings replicas to the durable state.
type loader struct {
	ctx    context.Context
	engine *Engine
}

// ErrLogLost is what a start fails with whose log ends before what its store
// holds. Writes that were acknowledged may be gone, and what a log that began anew
// is given would lie before the mark and never be replayed.
var ErrLogLost = errors.New("the change log ends before what the store holds: it is gone, in whole or in part, or is another one")

// start loads everything, the partitions of each lane for themselves. Every row
// of the store is read, because the trees need the sum of each; those that do
// not fit into memory are then left where they are.
func (l *loader) start(own [][]*records.Replica) error {
	mark, err := l.engine.store.Mark(l.ctx)
	if err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	if end := l.engine.log.Durable(); log.LSN(mark.LSN) > end {
		return fmt.Errorf("%w; put it back, or restore a backup (the log ends at %d, the store holds everything up to %d)", ErrLogLost, end, mark.LSN)
	}
	for _, pos := range mark.Partitions {
		l.engine.epoch = max(l.engine.epoch, pos.Epoch)
	}
	errs := make([]error, len(own))
	var all sync.WaitGroup
	for n, rs := range own {
		if l.engine.opt.OneByOne {
			errs[n] = l.Load(rs)
			continue
		}
		all.Go(func() { errs[n] = l.Load(rs) })
	}
	all.Wait()
	for _, err := range errs {
		if errors.Is(err, log.ErrTruncated) {
			return fmt.Errorf("the store ends before the change log begins: it is gone, or is an older one; put it back, or restore a backup: %w", err)
		}
	}
	return errors.Join(errs...)
}

// Load implements lane.Loader.
func (l *loader) Load(rs []*records.Replica) error {
	w := load{loader: l}
	for _, r := range rs {
		w.into[r.ID] = r
	}
	e := l.engine
	mark, err := e.store.Mark(l.ctx)
	if err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	for id, pos := range mark.Partitions {
		if r := w.into[id]; r != nil {
			r.Advance(pos.Epoch, pos.Seq)
		}
	}
	if err := w.rows(); err != nil {
		return fmt.Errorf("load the store: %w", err)
	}
	if mistake.SkipReplay {
		return nil
	}
	err = e.log.Replay(log.LSN(mark.LSN), func(_ log.LSN, payload []byte) error {
		return change.ReadBatch(payload, w.change)
	})
	if err != nil {
		return fmt.Errorf("replay the log from %d: %w", mark.LSN, err)
	}
	e.clock.Resume(hlc.Timestamp{Millis: int64(w.latest >> 16), Counter: 1<<32 - 1})
	return nil
}

// load is one Load.
type load struct {
	*loader
	into   [partition.Count]*records.Replica // nil: not asked for
	latest uint64                            // arrival
}

// bigMap is the number of rows from which on a map is read partition by
// partition. Smaller ones are read whole, and rows of other lanes passed over.
const bigMap = 1 << 14

// rows installs what the store has.
func (l *load) rows() error {
	maps, err := l.engine.store.Maps(l.ctx)
	if err != nil {
		return err
	}
	for _, m := range maps {
		if m.Rows < bigMap {
			if err := l.engine.store.Scan(l.ctx, backing.MapRange(m.Tenant, m.Map), l.row); err != nil {
				return err
			}
			continue
		}
		for id, r := range l.into {
			if r == nil {
				continue
			}
			if err := l.engine.store.Scan(l.ctx, backing.PartitionRange(m.Tenant, m.Map, partition.ID(id)), l.row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *load) row(row backing.Row) (bool, error) {
	r := l.into[row.Partition]
	if r == nil {
		return true, nil
	}
	l.latest = max(l.latest, row.Arrival)
	return true, r.InstallRow(row)
}

func (l *load) change(c *change.Record) error {
	l.latest = max(l.latest, records.PackArrival(c.Arrival))
	if r := l.into[c.Pos.Partition]; r != nil {
		return r.InstallRecord(c)
	}
	return nil
}
