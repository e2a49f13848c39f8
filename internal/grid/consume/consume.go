// Package consume gives the changes of a node to those who must see every one of
// them and keep what they make of it: a store elsewhere, an index, a journal.
//
// A Reader reads the log itself, behind what is durable, so a consumer that is
// slow or away costs disk and no memory, and never a gap while the log goes back
// to its place. The log keeps the place by name (log.Consumer), and with it the
// log behind it, within a bound.
//
// # What a consumer does
//
//	r, err := consume.Open(lg, "name")
//	for {
//		n, err := r.Read(max, apply)          // whole frames, in the order of the log
//		if errors.Is(err, consume.ErrGap) {   // new, or away for too long
//			at := r.Resync()
//			// copy the whole state from the engine, make it durable
//			r.Acknowledge(at)
//			continue
//		}
//		// make what was read durable, then
//		r.Acknowledge(r.Position())
//		if n == 0 { <-r.Wake() }
//	}
//
// Changes arrive in the order of the log: those of a partition by their sequence
// numbers, each once from a place on. After a crash the log may remember an
// earlier place than the last one acknowledged, so a consumer must either make
// nothing of a change that it has (every change carries its position) or keep
// its place together with its data and say so with Rewind or Resume.
//
// A state copied after Resync may be newer than the place; the changes between
// arrive all the same.
//
// Invariants kept here: CONSUMER-RESUMES.
package consume

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// ErrGap is what a reader gets whose place the log no longer reaches, or who has
// none: it takes a copy of the state, see Resync.
var ErrGap = errors.New("consume: changes are missing between the place and the log")

// Reader reads the node's durable changes for one consumer. Its methods are
// called from one goroutine, but for Wake.
type Reader struct {
	log    *log.Log
	place  *log.Consumer
	bell   actor.Bell
	follow sync.Once // the log, which knows of the bell from then on

	at  log.LSN // read up to here
	gap bool

	// seen says which changes behind at are no news; empty when none.
	seen map[partition.ID]backing.Pos
}

// Open registers a consumer with the log and returns its reader, which
// stands where the consumer has acknowledged, or in a gap. One consumer has one
// reader at a time.
func Open(lg *log.Log, name string) (*Reader, error) {
	place, err := lg.Consumer(name)
	if err != nil {
		return nil, err
	}
	r := &Reader{log: lg, place: place, bell: actor.NewBell()}
	at, ok := place.Position()
	r.at, r.gap = at, !ok
	return r, nil
}

// Wake delivers a value after there may be more to read. Who never asks for it
// leaves nothing behind.
func (r *Reader) Wake() <-chan struct{} {
	r.follow.Do(func() {
		r.log.Subscribe(r.bell.Ring)
		r.bell.Ring()
	})
	return r.bell
}

// Position is up to where the reader has read.
func (r *Reader) Position() log.LSN { return r.at }

// Lag is how many bytes of durable log lie behind the position.
func (r *Reader) Lag() int64 { return r.log.Bytes(r.at) }

// errEnough ends a replay.
var errEnough = errors.New("enough")

// readBytes is the log after which a Read ends, however few changes it has held:
// what bounds the memory of those who collect them.
const readBytes = 8 << 20

// Read calls fn for the changes behind the position, in the order of the log,
// and moves the position with each frame that is done. It returns after the
// frame with which there were at least limit changes, or some and 8 MiB of log, or
// when there are no more.
// A change is valid during the call; its strings may be kept.
//
// The error is that of fn, and then the frame that holds the change comes again;
// or ErrGap; or one of the log.
func (r *Reader) Read(limit int, fn func(c *change.Record) error) (n int, err error) {
	if r.gap {
		return 0, ErrGap
	}
	bytes := 0
	err = r.log.Replay(r.at, func(lsn log.LSN, payload []byte) error {
		bytes += len(payload)
		err := change.ReadBatch(payload, func(c *change.Record) error {
			if r.old(c.Pos) {
				return nil
			}
			n++
			return fn(c)
		})
		if err != nil {
			return err
		}
		r.at = lsn
		if n >= limit || n > 0 && bytes >= readBytes {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return n, nil
	case errors.Is(err, log.ErrTruncated):
		r.gap = true
		return n, ErrGap
	case err != nil:
		return n, fmt.Errorf("read the log from %d: %w", r.at, err)
	}
	return n, nil
}

// old reports whether the consumer has said that it has the change.
func (r *Reader) old(p change.Position) bool {
	have, ok := r.seen[p.Partition]
	if !ok {
		return false
	}
	if have.Epoch == p.Epoch && p.Seq <= have.Seq {
		return true
	}
	delete(r.seen, p.Partition)
	return false
}

// Acknowledge says that the consumer keeps everything up to lsn.
func (r *Reader) Acknowledge(lsn log.LSN) { r.place.Acknowledge(lsn) }

// Resync gives the reader a new place, at the durable end of the log, and
// returns it. The consumer then copies the state of the whole node, keeps the
// copy, and acknowledges the place. When that is interrupted, the next reader
// is in a gap again.
func (r *Reader) Resync() log.LSN {
	r.at, r.gap, r.seen = r.place.Restart(), false, nil
	return r.at
}

// Rewind moves the reader to a place in this log that the consumer has kept
// itself, together with its data, and has the log behind it kept. Reading it says
// whether the log still reaches back to it.
func (r *Reader) Rewind(lsn log.LSN) {
	r.place.Hold(lsn)
	r.at, r.gap, r.seen = min(lsn, r.log.Durable()), false, nil
}

// Resume moves the reader to the positions that the consumer has kept itself,
// together with its data: have names, for each partition, the last change that
// it holds. mark is that of the node's store.
//
// It returns ErrGap when the log does not hold everything behind the positions,
// or a partition is in another epoch. Reading begins with the first change that
// have does not cover. The reader's Position may lie before changes that have
// covers: whoever resumes by positions goes on doing so.
func (r *Reader) Resume(have map[partition.ID]backing.Pos, mark backing.Mark) error {
	r.gap = true
	at := log.LSN(mark.LSN) // behind it the log has every change that the store lacks
	for id, stored := range mark.Partitions {
		h, ok := have[id]
		if ok && h.Epoch != stored.Epoch {
			return ErrGap
		}
		if h.Seq >= stored.Seq {
			continue
		}
		from, found, err := r.log.Seek(id, h.Seq+1)
		if err != nil {
			return fmt.Errorf("look for the change behind %d:%d of partition %d: %w", h.Epoch, h.Seq, id, err)
		}
		if !found {
			return ErrGap
		}
		at = min(at, from)
	}
	r.at, r.gap, r.seen = at, false, maps.Clone(have)
	return nil
}

// Index says which changes a frame of the log holds; see log.Options.Index.
func Index(dst []log.PartitionSeq, payload []byte) []log.PartitionSeq {
	// What cannot be read has nothing to be found; Read reports it.
	_ = change.ReadBatch(payload, func(c *change.Record) error {
		dst = append(dst, log.PartitionSeq{Partition: c.Pos.Partition, Seq: c.Pos.Seq})
		return nil
	})
	return dst
}
