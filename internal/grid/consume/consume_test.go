package consume_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/consume"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// copyOf is a consumer that keeps the last state of every key.
type copyOf struct {
	f         *consume.Reader
	rows      map[string]string
	positions map[partition.ID]backing.Pos
	copies    int

	// again says that changes may come that are in the copy already.
	again bool

	// ahead says that the copy may hold changes behind the reader's position,
	// since it resumed by positions of partitions.
	ahead bool
}

func follow(t *testing.T, w *gridtest.World) *consume.Reader {
	t.Helper()
	f, err := consume.Open(w.Committer(), "copy")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newCopy(t *testing.T, w *gridtest.World) *copyOf {
	t.Helper()
	return &copyOf{f: follow(t, w), rows: map[string]string{}, positions: map[partition.ID]backing.Pos{}}
}

// apply keeps one change, which must be the next one of its partition.
func (c *copyOf) apply(r *change.Record) error {
	have := c.positions[r.Pos.Partition]
	switch {
	case r.Pos.Seq <= have.Seq && c.again:
		return nil
	case r.Pos.Seq != have.Seq+1 && have.Seq > 0:
		return fmt.Errorf("change %s comes after %d", r.Pos, have.Seq)
	}
	c.positions[r.Pos.Partition] = backing.Pos{Epoch: r.Pos.Epoch, Seq: r.Pos.Seq}
	c.rows[r.Key] = r.After
	return nil
}

// read takes up to n changes, or a copy of the state when there is a gap.
func (c *copyOf) read(t *testing.T, w *gridtest.World, n int) int {
	t.Helper()
	got, err := c.f.Read(n, c.apply)
	if errors.Is(err, consume.ErrGap) {
		c.resync(t, w)
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (c *copyOf) resync(t *testing.T, w *gridtest.World) {
	t.Helper()
	at := c.f.Resync()
	c.copies++
	c.again, c.ahead = false, false
	clear(c.rows)
	clear(c.positions) // the first change of a partition is believed
	for i := range keys {
		if state, ok := w.Read(t, "m", key(i)); ok {
			c.rows[key(i)] = state
		}
	}
	c.f.Acknowledge(at)
}

const keys = 40

func key(i int) string { return fmt.Sprint("key-", i) }

func put(w *gridtest.World, i, n int) {
	op := gridtest.Put("m", key(i), gridtest.Int(n), gridtest.At(int64(n), "x"))
	w.Engine.Do(&engine.Batch{Ops: []records.Op{op}, Until: engine.Durable, Done: func(*engine.Batch, error) {}})
}

func check(t *testing.T, w *gridtest.World, c *copyOf) {
	t.Helper()
	w.Settle()
	for c.read(t, w, 1000) > 0 || c.f.Lag() > 0 {
	}
	for i := range keys {
		state, ok := w.Read(t, "m", key(i))
		if got, has := c.rows[key(i)]; ok != has || got != state {
			t.Fatalf("%s: the copy has %q, the grid %q", key(i), got, state)
		}
	}
}

var options = gridtest.Options{
	Log:        log.Options{SegmentBytes: 2 << 10, ConsumerBytes: 16 << 10, Index: consume.Index},
	Checkpoint: engine.CheckpointOptions{LogBytes: 4 << 10},
}

// TestACopyIsWhole runs random histories of writes, failing syncs, crashes and a
// consumer that keeps its data with its place: by LSN or by positions, whatever
// the log remembers. It sees each change once, in order, and ends with what the
// grid holds.
func TestACopyIsWhole(t *testing.T) {
	var copies, resumed int
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		w := gridtest.Open(t, options)
		c := newCopy(t, w)
		n := 0
		for range 120 {
			switch rng.IntN(20) {
			case 0:
				w.FailSyncs(1)
			case 1:
				next, err := w.Restart(t, rng.IntN(101), rng)
				if err != nil {
					t.Fatal(err)
				}
				w = next
				resumed += c.restart(t, w, rng.IntN(3))
			case 2, 3, 4:
				c.read(t, w, 1+rng.IntN(20))
			case 5:
				if c.copies > 0 {
					c.f.Acknowledge(c.f.Position())
				}
			default:
				for range rng.IntN(8) {
					n++
					put(w, rng.IntN(keys), n)
				}
				w.Settle()
			}
		}
		check(t, w, c)
		copies += c.copies
	}
	if copies < 50 || resumed < 50 {
		t.Errorf("only %d copies and %d resumptions in all", copies, resumed)
	}
}

// restart goes on after a crash of the server with what the consumer itself has
// kept, or with the place that the log has kept for it.
func (c *copyOf) restart(t *testing.T, w *gridtest.World, how int) (resumed int) {
	t.Helper()
	at := c.f.Position()
	c.f = follow(t, w)
	switch {
	case c.copies == 0:
	case how == 0:
		c.f.Rewind(at)
		c.again = c.again || c.ahead
		return 1
	case how == 1:
		mark, err := w.Store.Mark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.f.Resume(maps.Clone(c.positions), mark); err != nil && !errors.Is(err, consume.ErrGap) {
			t.Fatal(err)
		}
		c.ahead = true
		return 1
	default:
		c.again = true
	}
	return 0
}

// TestAFailingConsumerSeesTheFrameAgain: an error of its own moves nothing.
func TestAFailingConsumerSeesTheFrameAgain(t *testing.T) {
	w := gridtest.Open(t, options)
	f := follow(t, w)
	<-f.Wake()
	if _, err := f.Read(1, nil); !errors.Is(err, consume.ErrGap) {
		t.Fatalf("a new consumer: %v", err)
	}
	f.Resync()
	put(w, 1, 1)
	w.Settle()
	<-f.Wake()
	mine := errors.New("mine")
	if _, err := f.Read(1, func(*change.Record) error { return mine }); !errors.Is(err, mine) {
		t.Fatalf("its own error: %v", err)
	}
	for want := 1; want >= 0; want-- {
		n, err := f.Read(9, func(*change.Record) error { return nil })
		if n != want || err != nil {
			t.Errorf("%d changes, %v; want %d", n, err, want)
		}
	}
}

// TestLargeChangesComeInParts: who collects what it reads needs no more memory
// than a few of them take.
func TestLargeChangesComeInParts(t *testing.T) {
	w := gridtest.Open(t, gridtest.Options{})
	f := follow(t, w)
	f.Resync()
	large := value.Raw(value.AppendStr(nil, strings.Repeat("x", 1<<20)))
	const all = 20
	for i := range all {
		w.Write(t, gridtest.Put("m", key(i), large, gridtest.At(1, "x")))
	}
	sum := 0
	for range 3 {
		n, err := f.Read(1000, func(*change.Record) error { return nil })
		if err != nil || n == 0 || n > 9 {
			t.Errorf("%d changes at once, %v", n, err)
		}
		sum += n
	}
	if sum != all {
		t.Errorf("%d changes, want %d", sum, all)
	}
}

// TestPositionsOfAnotherEpoch, or beyond the log, are a gap.
func TestPositionsOfAnotherEpoch(t *testing.T) {
	w := gridtest.Open(t, options)
	for i := range 300 {
		put(w, i%keys, i+1)
		w.Settle()
	}
	mark, err := w.Store.Mark(t.Context())
	if err != nil || len(mark.Partitions) == 0 {
		t.Fatal(mark, err)
	}
	f := follow(t, w)
	if err := f.Resume(mark.Partitions, mark); err != nil {
		t.Errorf("the positions of the store: %v", err)
	}
	for id, p := range mark.Partitions {
		other := maps.Clone(mark.Partitions)
		p.Epoch++
		other[id] = p
		if err := f.Resume(other, mark); !errors.Is(err, consume.ErrGap) {
			t.Errorf("another epoch: %v", err)
		}
		break
	}
	if err := f.Resume(nil, mark); !errors.Is(err, consume.ErrGap) {
		t.Errorf("from the beginning: %v", err)
	}
}
