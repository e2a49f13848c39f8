package gridtest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// Options are the choices of a World. The zero value of every field means its
// default.
type Options struct {
	// Null leaves out the log: nothing is kept, and everything counts as durable
	// at once.
	Null bool

	// Engine defaults to two lanes.
	Engine     engine.Options
	Checkpoint engine.CheckpointOptions

	// Log defaults to segments of 4 KiB.
	Log log.Options
}

// World is the grid of one node, from a start to a crash.
type World struct {
	Clock        *Clock
	Disk         *vfs.MemFS
	Store        *Store
	Log          engine.Log
	Feed         *feed.Feed
	Engine       *engine.Engine
	Checkpointer *engine.Checkpointer

	opt    Options
	files  *log.Log // nil without one
	actors []actor.Actor
	broken bool // the log has failed and has not recovered

	mu    sync.Mutex
	syncs func() error
}

// Open starts a node with an empty disk.
func Open(tb testing.TB, opt Options) *World {
	tb.Helper()
	return OpenStore(tb, memory.New(), opt)
}

// OpenStore starts a node that finds what store holds.
func OpenStore(tb testing.TB, store *memory.Store, opt Options) *World {
	tb.Helper()
	if opt.Engine.Lanes == 0 {
		opt.Engine.Lanes = 2
	}
	opt.Engine.OneByOne = true
	if opt.Log.SegmentBytes == 0 {
		opt.Log.SegmentBytes = 4 << 10
	}
	if opt.Log.ZeroAhead == 0 {
		opt.Log.ZeroAhead = -1
	}
	w := &World{Clock: NewClock(), Disk: vfs.NewCrashableMem(), Store: NewStore(store), opt: opt}
	if err := w.open(tb); err != nil {
		tb.Fatal(err)
	}
	return w
}

func (w *World) open(tb testing.TB) error {
	tb.Helper()
	w.Feed = &feed.Feed{}
	w.Log = &log.Null{}
	if !w.opt.Null {
		fsys := errorfs.Wrap(w.Disk, errorfs.InjectorFunc(w.inject))
		var err error
		if w.files, err = log.Open(fsys, "log", w.Clock, w.opt.Log); err != nil {
			return err
		}
		w.Log = w.files
	}
	var err error
	if w.Engine, err = engine.Open(tb.Context(), "server", w.Clock, w.Log, w.Store, w.Feed, w.opt.Engine); err != nil {
		return err
	}
	w.Checkpointer = engine.NewCheckpointer(tb.Context(), w.Engine, w.Clock, w.opt.Checkpoint)
	tb.Cleanup(w.Checkpointer.Close)
	w.actors = []actor.Actor{w.Checkpointer}
	for _, l := range w.Engine.Actors() {
		w.Log.Subscribe(l.Bell().Ring)
		w.actors = append(w.actors, l)
	}
	for _, f := range w.Engine.Fetchers() {
		w.actors = append(w.actors, f)
	}
	return nil
}

// Restart takes the power away and starts the node again: of what was not synced
// keep percent of the blocks are kept. The old world is dead; its clock goes on
// in the new one.
func (w *World) Restart(tb testing.TB, keep int, rng *rand.Rand) (*World, error) {
	tb.Helper()
	w.Checkpointer.Close()
	next := &World{
		Clock: w.Clock, Store: NewStore(w.Store.Clone()), opt: w.opt,
		Disk: w.Disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng}),
	}
	return next, next.open(tb)
}

// OnSync has fail decide whether a sync of the log fails; nil: none does. It may
// be called from the log's goroutine.
func (w *World) OnSync(fail func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.syncs = fail
}

// FailSyncs makes the next n syncs of the log fail.
func (w *World) FailSyncs(n int) {
	w.OnSync(func() error {
		if n == 0 {
			return nil
		}
		n--
		return ErrDisk
	})
}

func (w *World) inject(op errorfs.Op) error {
	if op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.syncs == nil {
		return nil
	}
	return w.syncs()
}

// Add has further actors stepped with those of the grid.
func (w *World) Add(actors ...actor.Actor) { w.actors = append(w.actors, actors...) }

// Actors are all that have to be stepped, the log's committer excepted.
func (w *World) Actors() []actor.Actor { return w.actors }

// Committer is the log as a file, nil without one.
func (w *World) Committer() *log.Log { return w.files }

// Commit lets the log write and sync what was appended, or recover after a
// failure, and reports whether there was anything to do.
func (w *World) Commit() bool {
	if w.files == nil {
		return false
	}
	if w.broken {
		w.broken = w.files.Recover() != nil
		return true
	}
	worked, err := w.files.Step()
	if err != nil && !errors.Is(err, log.ErrClosed) {
		w.broken = true
		return true
	}
	return worked
}

// Broken reports whether the log has failed and not recovered.
func (w *World) Broken() bool { return w.broken }

// StepActors steps every actor until none has anything to do; the log stands
// still.
func (w *World) StepActors() bool {
	worked := false
	for again := true; again; {
		again = false
		for _, a := range w.actors {
			for a.Step() {
				again, worked = true, true
			}
		}
	}
	return worked
}

// Settle steps everything until nothing is left to do.
func (w *World) Settle() {
	// A step that had nothing to do may have asked another actor for something.
	for idle := 0; idle < 3; idle++ {
		if w.StepActors() || w.Commit() {
			idle = 0
		}
	}
}

// StepRandom steps one actor, or the log.
func (w *World) StepRandom(rng *rand.Rand) {
	if n := rng.IntN(len(w.actors) + 1); n < len(w.actors) {
		w.actors[n].Step()
		return
	}
	w.Commit()
}
