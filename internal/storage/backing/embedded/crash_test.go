package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
)

// A history is a run of checkpoints and what the store should hold after each.
// The LSN of a checkpoint's mark is its number, so that a store says by its
// mark which of them it claims to hold.
type history struct {
	gen      *backingtest.Generator
	models   []*backingtest.Model // models[k] is the state after k checkpoints
	started  atomic.Int64
	returned atomic.Int64
}

func newHistory(r *rand.Rand) *history {
	return &history{
		gen:    &backingtest.Generator{Rand: r, Keys: 150, StateBytes: 60},
		models: []*backingtest.Model{{}},
	}
}

// step makes the next checkpoint and applies it, again and again until it
// succeeds if retry is given.
func (h *history) step(t *testing.T, s backing.Store, retry func(error)) {
	t.Helper()
	next := h.models[len(h.models)-1].Clone()
	var apply func() error
	if h.gen.Rand.IntN(6) == 0 {
		ranges, mark := h.gen.Ranges(), h.gen.Mark()
		mark.LSN = uint64(len(h.models))
		next.Clear(ranges, mark)
		apply = func() error { return s.Clear(t.Context(), ranges, mark) }
	} else {
		writes, mark := h.gen.Checkpoint(1 + h.gen.Rand.IntN(60))
		mark.LSN = uint64(len(h.models))
		next.Apply(writes, mark)
		apply = func() error { return s.Apply(t.Context(), slices.Values(writes), mark) }
	}
	h.models = append(h.models, next)
	h.started.Add(1)
	for err := apply(); err != nil; err = apply() {
		if retry == nil {
			t.Fatalf("checkpoint %d: %v", len(h.models)-1, err)
		}
		retry(err)
	}
	h.returned.Add(1)
}

// verify checks that s holds exactly what one of the checkpoints from low to
// high left, and returns which.
func (h *history) verify(t *testing.T, s backing.Store, low, high int64) (int64, error) {
	t.Helper()
	mark, err := s.Mark(t.Context())
	if err != nil {
		return 0, err
	}
	k := int64(mark.LSN)
	if k < low || k > high {
		return k, fmt.Errorf("store claims checkpoint %d, want one from %d to %d", k, low, high)
	}
	if err := h.models[k].Check(t.Context(), s); err != nil {
		return k, fmt.Errorf("store claims checkpoint %d but: %w", k, err)
	}
	return k, nil
}

// verifyFailed checks a store whose last checkpoint failed: it holds what the
// one before left, or else the rows of the failed one with the mark of either.
func (h *history) verifyFailed(t *testing.T, s backing.Store) error {
	t.Helper()
	last := h.returned.Load()
	k, err := h.verify(t, s, last, last+1)
	if err != nil && k == last && h.models[last+1].CheckRows(t.Context(), s) == nil {
		return nil
	}
	return err
}

// A crasher is a disk that takes clones of itself as a power cut would leave
// it.
type crasher struct {
	*vfs.MemFS
	hist  *history
	seed  uint64
	every bool // at every write, not only at syncs

	mu    sync.Mutex
	wreck []wreck
	ops   uint64
}

// A wreck is what a crash left, and between which checkpoints it happened.
type wreck struct {
	fs        *vfs.MemFS
	kept      int // percent of what was not synced
	op        errorfs.Op
	low, high int64
}

// MaybeError implements errorfs.Injector; it is called before each operation.
func (c *crasher) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData:
	default:
		if !c.every || op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
	}
	c.crash(op)
	return nil
}

func (c *crasher) String() string { return "crasher" }

// Link implements vfs.FS. It excludes clones, because MemFS takes a lock twice
// in it and a clone that asks for the lock in between would wait for ever.
func (c *crasher) Link(oldname, newname string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.MemFS.Link(oldname, newname)
}

// crash takes clones that keep none, some and all of what was not synced.
func (c *crasher) crash(op errorfs.Op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kept := range []int{0, 50, 100} {
		c.ops++
		low := c.hist.returned.Load()
		fs := c.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(c.seed, c.ops)),
		})
		c.wreck = append(c.wreck, wreck{fs: fs, kept: kept, op: op, low: low, high: c.hist.started.Load()})
	}
}

// TestCrashes pulls the plug at every sync of a random history, and in a
// shorter one at every write. Whatever is found afterwards must be exactly one
// checkpoint, no older than the last that had returned; and once it was found,
// another power cut must not take it back.
func TestCrashes(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps int
		every bool
		opt   Options
	}{
		{"at every sync", 12, false, Options{still: true, TableBytes: 1 << 10}},
		{"at every sync, while compacting", 12, false, small},
		{"at every write", 4, true, Options{still: true, TableBytes: 1 << 10}},
		{"at every write, while compacting", 5, true, Options{TableBytes: 1 << 10, CompactDepth: 1, MaxDepth: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seed := backingtest.Seed(t)
			r := rand.New(rand.NewPCG(seed, 2))
			crash := &crasher{MemFS: vfs.NewCrashableMem(), hist: newHistory(r), seed: seed, every: c.every}
			disk := errorfs.Wrap(crash, crash)
			s := mustOpen(t, disk, c.opt)
			for range c.steps {
				crash.hist.step(t, s, nil)
				if r.IntN(8) == 0 {
					mustClose(t, s)
					s = mustOpen(t, disk, c.opt)
				}
			}
			mustClose(t, s)
			crash.crash(errorfs.Op{})
			t.Logf("%d wrecks of %d checkpoints", len(crash.wreck), c.steps)
			for i, w := range crash.wreck {
				if err := inspect(t, crash.hist, w, c.opt); err != nil {
					t.Fatalf("wreck %d, before op %v on %q, %d%% kept: %v", i, w.op.Kind, w.op.Path, w.kept, err)
				}
			}
		})
	}
}

// inspect opens a wreck and looks at what is there.
func inspect(t *testing.T, h *history, w wreck, opt Options) error {
	t.Helper()
	s, err := Open(w.fs, "store", quiet, opt)
	if err != nil {
		return err
	}
	k, err := h.verify(t, s, w.low, w.high)
	again := w.fs.CrashClone(vfs.CrashCloneCfg{})
	if err != nil {
		return err
	}
	mark := backing.Mark{LSN: 1 << 40}
	if err := s.Clear(t.Context(), []backing.Range{{}}, mark); err != nil {
		return fmt.Errorf("checkpoint after the crash: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	s, err = Open(again, "store", quiet, opt)
	if err != nil {
		return fmt.Errorf("after another crash: %w", err)
	}
	if _, err := h.verify(t, s, k, k); err != nil {
		return fmt.Errorf("after another crash: %w", err)
	}
	return s.Close()
}

// TestAKillThenAPowerCut kills the process between any two writes, lets the
// next one find what the page cache still holds, and then pulls the plug: what
// the second process could see must be there for the third.
func TestAKillThenAPowerCut(t *testing.T) {
	const steps = 5
	for _, opt := range []Options{
		{still: true, TableBytes: 1 << 10},
		{TableBytes: 1 << 10, CompactDepth: 1, MaxDepth: 2},
	} {
		seed := backingtest.Seed(t)
		for n, more := 0, true; more; n++ {
			mem, life := vfs.NewCrashableMem(), &fault{}
			life.arm(errors.New("killed"), int64(n), nil)
			hist := newHistory(rand.New(rand.NewPCG(seed, 3)))
			if s, err := Open(errorfs.Wrap(mem, life), "store", quiet, opt); err == nil {
				for range steps {
					if life.failed.Load() > 0 {
						break
					}
					stepOnce(t, hist, s)
				}
				_ = s.Close()
			}
			more = life.failed.Load() > 0
			second := mustOpen(t, mem, opt)
			k, err := hist.verify(t, second, hist.returned.Load(), hist.started.Load())
			if err != nil {
				t.Fatalf("killed at write %d: %v", n, err)
			}
			cut := mem.CrashClone(vfs.CrashCloneCfg{})
			mustClose(t, second)
			third := mustOpen(t, cut, opt)
			if _, err := hist.verify(t, third, k, k); err != nil {
				t.Fatalf("killed at write %d, then the power: %v", n, err)
			}
			mustClose(t, third)
		}
	}
}

// stepOnce makes one checkpoint, which counts as returned only if it succeeds.
func stepOnce(t *testing.T, h *history, s backing.Store) {
	t.Helper()
	writes, mark := h.gen.Checkpoint(30)
	mark.LSN = uint64(len(h.models))
	next := h.models[len(h.models)-1].Clone()
	next.Apply(writes, mark)
	h.models = append(h.models, next)
	h.started.Add(1)
	if err := s.Apply(t.Context(), slices.Values(writes), mark); err == nil {
		h.returned.Add(1)
	}
}

func mustOpen(t *testing.T, fsys vfs.FS, opt Options) *Store {
	t.Helper()
	s, err := Open(fsys, "store", quiet, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t *testing.T, s backing.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
