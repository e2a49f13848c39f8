package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// ErrBase means that an incremental backup cannot build on the base it was
// asked for: the node's history is another one. A full backup is always
// possible.
var ErrBase = errors.New("backup: the node does not continue the history of the base")

// Log is what Take needs of the node's log; *log.Log implements it.
type Log interface {
	Identity() uint64
	Durable() log.LSN
	Replay(from log.LSN, fn func(lsn log.LSN, payload []byte) error) error
}

// Source is the node that is copied.
type Source struct {
	Node string

	// Checkpoint asks for a checkpoint and calls done with the outcome of the
	// next one that begins.
	Checkpoint func(done func(error))

	Log    Log
	Store  backing.Store
	Clock  clock.Clock
	Random clock.Random
}

// Base is what an incremental backup builds on.
type Base struct {
	ID    string             `json:"id"`
	Log   string             `json:"log"`
	Since snapshot.Positions `json:"since"`
}

// BaseOf is the base for the next backup after e.
func BaseOf(e snapshot.Entry) *Base {
	return &Base{ID: e.Header.ID, Log: e.Header.Log, Since: e.Trailer.Reached}
}

// attempts is how often the place in the log is looked for again, because a
// checkpoint dropped it between the look at the mark and the copy. When frames were
// written the backup breaks off: they would speak of keys that have ended in those
// that are lost.
const attempts = 5

// Take writes a snapshot of the node to out: all of it, or what lies beyond
// base. It returns an error matching ErrBase, before anything is written, when
// there is no way from the base to now.
func Take(ctx context.Context, src Source, base *Base, out io.Writer) (snapshot.Trailer, error) {
	if err := checkpoint(ctx, src); err != nil {
		return snapshot.Trailer{}, err
	}
	t := &take{ctx: ctx, src: src, base: base}
	header, err := t.header()
	if err != nil {
		return snapshot.Trailer{}, err
	}
	if t.out, err = snapshot.NewWriter(out, header); err != nil {
		return snapshot.Trailer{}, err
	}
	for range attempts {
		if err = t.copy(); !errors.Is(err, log.ErrTruncated) || t.framed {
			break
		}
	}
	if err != nil {
		return snapshot.Trailer{}, err
	}
	return t.out.Close(t.reached, t.at)
}

func checkpoint(ctx context.Context, src Source) error {
	done := make(chan error, 1)
	src.Checkpoint(func(err error) { done <- err })
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("make a checkpoint for the backup: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take is a backup under way.
type take struct {
	ctx  context.Context
	src  Source
	base *Base
	out  *snapshot.Writer

	reached snapshot.Positions
	at      int64
	tailed  bool // the log is copied
	framed  bool // some of it is written
}

// identity writes the identity of a log as headers do.
func identity(l Log) string { return strconv.FormatUint(l.Identity(), 16) }

func (t *take) header() (snapshot.Header, error) {
	var raw [16]byte
	t.src.Random.Fill(raw[:])
	id, err := uuid.FromBytes(raw[:])
	if err != nil {
		return snapshot.Header{}, err
	}
	h := snapshot.Header{
		ID: id.String(), Node: t.src.Node, Log: identity(t.src.Log), Created: t.src.Clock.Now().UnixMilli(),
	}
	if t.base == nil {
		return h, nil
	}
	mark, err := t.src.Store.Mark(t.ctx)
	if err != nil {
		return h, fmt.Errorf("read the mark of the store: %w", err)
	}
	if t.base.Log != h.Log {
		return h, fmt.Errorf("%w: it was taken of another log", ErrBase)
	}
	for id, was := range t.base.Since {
		// The checkpoint just made contains everything that was durable before.
		if is := mark.Partitions[id]; is.Epoch != was.Epoch || is.Seq < was.Seq {
			return h, fmt.Errorf("%w: partition %d was at %d:%d, is at %d:%d", ErrBase, id, was.Epoch, was.Seq, is.Epoch, is.Seq)
		}
	}
	h.Base, h.Since = t.base.ID, t.base.Since
	return h, nil
}

// copy writes frames and rows. The log is copied when the store has fixed what
// the scan sees, so that nothing that the rows contain lies behind its end.
func (t *take) copy() error {
	mark, err := t.src.Store.Mark(t.ctx)
	if err != nil {
		return fmt.Errorf("read the mark of the store: %w", err)
	}
	t.tailed = false
	err = t.src.Store.Scan(t.ctx, backing.Range{}, func(row backing.Row) (bool, error) {
		if err := t.tail(mark); err != nil {
			return false, err
		}
		if t.base != nil && row.Seq <= t.base.Since[row.Partition].Seq {
			return true, t.out.Keep(row.Key)
		}
		return true, t.out.Row(&row)
	})
	if err != nil {
		return err
	}
	return t.tail(mark)
}

// tail copies the log from the mark on, once.
func (t *take) tail(mark backing.Mark) error {
	if t.tailed {
		return nil
	}
	t.reached, t.at = snapshot.Positions(mark.Partitions).Clone(), t.src.Clock.Now().UnixMilli()
	if t.reached == nil {
		t.reached = snapshot.Positions{}
	}
	err := t.src.Log.Replay(log.LSN(mark.LSN), func(lsn log.LSN, payload []byte) error {
		err := change.ReadBatch(payload, func(c *change.Record) error {
			t.reached[c.Pos.Partition] = later(t.reached[c.Pos.Partition], c.Pos)
			return nil
		})
		if err != nil {
			return err
		}
		if err := t.ctx.Err(); err != nil {
			return err
		}
		t.framed = true
		return t.out.Frame(uint64(lsn), payload)
	})
	if err != nil {
		return fmt.Errorf("copy the log from %d: %w", mark.LSN, err)
	}
	t.tailed = true
	return nil
}

func later(is backing.Pos, pos change.Position) backing.Pos {
	if pos.Epoch > is.Epoch || pos.Epoch == is.Epoch && pos.Seq > is.Seq {
		return backing.Pos{Epoch: pos.Epoch, Seq: pos.Seq}
	}
	return is
}
