package backup_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

var seedFlag = flag.Uint64("seed", 0, "run this history of TestRestoredIsWhatWas only")

const (
	lww = "board"
	set = "tags"
)

// node is a grid whose state is copied while it goes on.
type node struct {
	*gridtest.World
	t    *testing.T
	rng  *rand.Rand
	time int64
	idle bool // nobody writes during a backup
	tags []records.Op
}

func newNode(t *testing.T, seed uint64) *node {
	t.Helper()
	quiet := engine.CheckpointOptions{LogBytes: 1 << 40, Every: 1000 * time.Hour}
	short := engine.Options{Lifetimes: records.Lifetimes{Tombstones: retention}}
	return &node{World: gridtest.Open(t, gridtest.Options{Checkpoint: quiet, Engine: short}), t: t, rng: rand.New(rand.NewPCG(seed, 1))}
}

// retention is how long the nodes of the histories remember a deletion.
const retention = time.Minute

// pass lets so much time go by that deletions are forgotten, and has the rows of
// forgotten keys taken out of the store. It may happen again, for keys go only
// behind a checkpoint that has their deletion.
func (n *node) pass() {
	for range 2 {
		n.checkpoint(func(error) {})
		n.Clock.Advance(2 * retention)
		n.time += 2 * retention.Milliseconds()
		n.Engine.Sweep(0)
		n.Settle()
	}
	n.checkpoint(func(error) {})
}

func (n *node) checkpoint(done func(error)) { n.Checkpointer.Request(done); n.Settle() }

func key(n int) string { return fmt.Sprint("k", n) }

// keys is how many keys the histories touch in each map.
const keys = 12

// write makes n random changes.
func (n *node) write(count int) {
	for range count {
		n.time += n.rng.Int64N(3)
		ts := gridtest.At(n.time, fmt.Sprint("c", n.rng.IntN(3)))
		k := key(n.rng.IntN(keys))
		switch n.rng.IntN(6) {
		case 0:
			n.Write(n.t, gridtest.Put(lww, k, nil, ts))
		case 1, 2:
			n.Write(n.t, gridtest.Put(lww, k, gridtest.Int(n.rng.IntN(1000)), ts))
		case 3: // a clock that is ahead: re-stamped, and remembered
			ts.Millis += 3_600_000
			n.Write(n.t, gridtest.Put(lww, k, gridtest.Int(n.rng.IntN(1000)), ts))
		case 4:
			op := gridtest.Add(set, k, gridtest.Int(n.rng.IntN(1000)), ts)
			n.tags = append(n.tags, op)
			n.Write(n.t, op)
		default:
			if len(n.tags) > 0 {
				op := n.tags[n.rng.IntN(len(n.tags))]
				n.Write(n.t, gridtest.Drop(set, op.Key, op.Tag))
			}
		}
	}
}

// state is what clients could read.
func state(t *testing.T, w *gridtest.World) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range []string{lww, set} {
		for i := range keys {
			if s, ok := w.Read(t, m, key(i)); ok {
				all[m+"/"+key(i)] = s
			}
		}
	}
	return all
}

// busyLog writes while the log is being copied: what came before the copy is in
// the backup, although the rows were fixed earlier, and what comes after is not.
type busyLog struct {
	*log.Log
	node   *node
	copied map[string]string
}

func (l *busyLog) Replay(from log.LSN, fn func(log.LSN, []byte) error) error {
	if l.node.idle {
		return l.Log.Replay(from, fn)
	}
	l.node.write(l.node.rng.IntN(6))
	l.copied = state(l.node.t, l.node.World)
	err := l.Log.Replay(from, fn)
	l.node.write(l.node.rng.IntN(6))
	return err
}

func (n *node) source() (backup.Source, *busyLog) {
	lg := &busyLog{Log: n.Committer(), node: n}
	return backup.Source{
		Node:       "server",
		Checkpoint: n.checkpoint,
		Log:        lg, Store: n.Store, Clock: n.Clock, Random: random{n.rng},
	}, lg
}

type random struct{ *rand.Rand }

func (r random) Fill(b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

var _ clock.Random = random{}

// archive takes one more backup into the archive.
func (n *node) backup(a *snapshot.Archive, i int) map[string]string {
	chain, err := a.Latest()
	if err != nil {
		n.t.Fatal(err)
	}
	var base *backup.Base
	if len(chain.Entries()) > 0 {
		base = backup.BaseOf(chain.Last())
	}
	src, lg := n.source()
	part, err := a.Create(fmt.Sprintf("%03d", i))
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := backup.Take(n.t.Context(), src, base, part); err != nil {
		n.t.Fatal(err)
	}
	if err := part.Commit(); err != nil {
		n.t.Fatal(err)
	}
	return lg.copied
}

// restore makes a grid of what the archive holds.
func restore(t *testing.T, a *snapshot.Archive) *gridtest.World {
	t.Helper()
	chain, err := a.Latest()
	if err != nil {
		t.Fatal(err)
	}
	st, err := backup.Open(t.Context(), chain)
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New()
	if _, err := backup.Restore(t.Context(), st, store, 0); err != nil {
		t.Fatal(err)
	}
	return gridtest.OpenStore(t, store, gridtest.Options{})
}

// TestRestoredIsWhatWas backs a node up again and again while it is written to
// and forgets deletions, restores the chain each time, and compares with the
// state at the position that the backup names.
func TestRestoredIsWhatWas(t *testing.T) {
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = nil
		for s := range uint64(40) {
			seeds = append(seeds, s+1)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n := newNode(t, seed)
			a, err := snapshot.OpenArchive(vfs.NewMem(), "backups")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				n.write(n.rng.IntN(25))
				if n.rng.IntN(2) == 0 {
					n.pass()
				}
				want := n.backup(a, i)
				got := state(t, restore(t, a))
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("backup %d holds\n%q\nwant\n%q", i, got, want)
				}
			}
		})
	}
}

// TestForgottenDeletionsStayForgotten deletes what a backup has, and takes the
// next one when the deletions are forgotten: nothing in it may speak of them, and
// nothing may come back.
func TestForgottenDeletionsStayForgotten(t *testing.T) {
	n := newNode(t, 1)
	n.idle = true
	a, err := snapshot.OpenArchive(vfs.NewMem(), "backups")
	if err != nil {
		t.Fatal(err)
	}
	tag := gridtest.Add(set, key(0), gridtest.Int(1), gridtest.At(1, "c"))
	n.Write(t, gridtest.Put(lww, key(0), gridtest.Int(1), gridtest.At(1, "c")), gridtest.Put(lww, key(1), gridtest.Int(1), gridtest.At(1, "c")), tag)
	n.backup(a, 0)
	n.Write(t, gridtest.Put(lww, key(0), nil, gridtest.At(2, "c")), gridtest.Drop(set, key(0), tag.Tag))
	n.pass()
	for i := range 2 { // in the backup itself, and in one that builds on it
		n.backup(a, i+1)
		if got := state(t, restore(t, a)); len(got) != 1 || got[lww+"/"+key(1)] == "" {
			t.Errorf("backup %d holds %q", i+1, got)
		}
	}
}

// cutLog loses its end while it is copied for the first time, to a checkpoint that
// comes behind a deletion that is forgotten.
type cutLog struct {
	*log.Log
	node *node
	cut  bool
}

func (l *cutLog) Replay(from log.LSN, fn func(log.LSN, []byte) error) error {
	if l.cut {
		return l.Log.Replay(from, fn)
	}
	l.cut = true
	n := l.node
	n.Write(n.t, gridtest.Put(lww, key(0), gridtest.Int(1), gridtest.At(1, "c")))
	if err := l.Log.Replay(from, fn); err != nil {
		return err
	}
	n.Write(n.t, gridtest.Put(lww, key(0), nil, gridtest.At(2, "c")))
	n.pass()
	return log.ErrTruncated
}

// TestALogThatIsLostWhileItIsCopied: what has been copied of it cannot be called
// back, and does not say what became of its keys.
func TestALogThatIsLostWhileItIsCopied(t *testing.T) {
	n := newNode(t, 1)
	src, lg := n.source()
	src.Log = &cutLog{Log: lg.Log, node: n}
	var out bytes.Buffer
	if _, err := backup.Take(t.Context(), src, nil, &out); !errors.Is(err, log.ErrTruncated) {
		t.Errorf("the backup is taken, %v", err)
	}
	if _, err := backup.Take(t.Context(), src, nil, &out); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestRestoringBeginsAnEpoch(t *testing.T) {
	n := newNode(t, 1)
	n.write(20)
	a, _ := snapshot.OpenArchive(vfs.NewMem(), "backups")
	n.backup(a, 0)
	w := restore(t, a)
	before, err := n.Store.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after, err := w.Store.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id := range before.Partitions {
		if b, g := before.Partitions[id], after.Partitions[id]; g.Epoch != b.Epoch+1 || g.Seq < b.Seq {
			t.Errorf("partition %d was at %+v and is restored at %+v", id, b, g)
		}
	}
}

func TestABaseOfAnotherHistoryIsRefused(t *testing.T) {
	n, other := newNode(t, 1), newNode(t, 2)
	n.write(20)
	other.write(20)
	a, _ := snapshot.OpenArchive(vfs.NewMem(), "backups")
	n.backup(a, 0)
	chain, err := a.Latest()
	if err != nil {
		t.Fatal(err)
	}
	ahead := backup.BaseOf(chain.Last())
	ahead.Since = ahead.Since.Clone()
	for id := range ahead.Since {
		ahead.Since[id] = backing.Pos{Epoch: 1, Seq: 1 << 40}
	}
	for name, c := range map[string]struct {
		of   *node
		base *backup.Base
	}{
		"another node's":        {other, backup.BaseOf(chain.Last())},
		"one of a lost history": {n, ahead},
	} {
		src, _ := c.of.source()
		var out bytes.Buffer
		if _, err := backup.Take(t.Context(), src, c.base, &out); !errors.Is(err, backup.ErrBase) || out.Len() > 0 {
			t.Errorf("%s base: %v after %d bytes", name, err, out.Len())
		}
	}
}

// backedUp is a node with a backup of some rows, opened.
func backedUp(t *testing.T) (*node, snapshot.Chain, *backup.State) {
	t.Helper()
	n := newNode(t, 1)
	n.write(20)
	a, _ := snapshot.OpenArchive(vfs.NewMem(), "backups")
	n.backup(a, 0)
	chain, err := a.Latest()
	if err != nil {
		t.Fatal(err)
	}
	st, err := backup.Open(t.Context(), chain)
	if err != nil {
		t.Fatal(err)
	}
	return n, chain, st
}

// TestReadingABackupEndsWithItsContext: a backup may be large, and who asks for the
// end is not to wait for it.
func TestReadingABackupEndsWithItsContext(t *testing.T) {
	_, chain, st := backedUp(t)
	ctx, end := context.WithCancel(t.Context())
	rows := 0
	err := st.Rows(ctx, func(*backing.Row) error {
		rows++
		end()
		return nil
	})
	if !errors.Is(err, context.Canceled) || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if _, err := backup.Open(ctx, chain); !errors.Is(err, context.Canceled) {
		t.Errorf("it opens: %v", err)
	}
}

func TestOnlyAnEmptyStoreIsRestored(t *testing.T) {
	n, _, st := backedUp(t)
	if _, err := backup.Restore(t.Context(), st, n.Store, 0); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("a store with rows is restored over: %v", err)
	}
}
