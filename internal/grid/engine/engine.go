package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// Log is the log of a node: a log.Log or a log.Null.
type Log = log.Appender

// Options are the engine's choices. The zero value of every field means its
// default.
type Options struct {
	// Lanes is the number of lanes. Default: the number of processors, fewer if Go
	// is to use fewer, at most 64.
	Lanes int

	// MaxOps and MaxBytes bound the operations of all clients that are under way:
	// reserved and not yet answered. Defaults 262144 and 256 MiB.
	MaxOps, MaxBytes int

	// MaxLogBytes bounds the log that a start has to replay. A node whose log is
	// longer admits no writes until a checkpoint has been made. Default 256 MiB.
	MaxLogBytes int64

	// Lifetimes say how long records and tombstones are kept.
	Lifetimes records.Lifetimes

	// Gate, unless it is nil, is behind the log what Durable waits for.
	Gate *Gate

	// OneByOne has a start load the lanes one after the other, for a world that has
	// to repeat itself.
	OneByOne bool

	// MemoryBytes is how much memory records may take. What is beyond stays in the
	// store, and comes back when it is needed. 0 sets no limit; a node without a
	// store keeps everything.
	MemoryBytes int

	// Eviction says which records go first. Default: the least recently used.
	Eviction records.Policy

	// IndexRows is how many records a lane puts into a new index at once, between
	// two groups of other work; fewer, if they take longer than a millisecond.
	// Default 512.
	IndexRows int

	// Lane holds the choices of each lane.
	Lane lane.Options
}

func (o Options) withDefaults() Options {
	if o.Lanes == 0 {
		o.Lanes = min(runtime.GOMAXPROCS(0), runtime.NumCPU(), 64)
	}
	if o.MaxOps == 0 {
		o.MaxOps = 1 << 18
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	if o.IndexRows == 0 {
		o.IndexRows = 512
	}
	if o.MaxLogBytes == 0 {
		o.MaxLogBytes = 256 << 20
	}
	return o
}

// Engine is the grid of one node; see the package comment.
type Engine struct {
	opt   Options
	clock *lane.Clock
	wall  clock.Clock
	log   Log
	store backing.Store
	feed  *feed.Feed
	kinds *records.Kinds
	epoch uint32
	lanes []*lane.Lane

	replicas []*records.Replica // all, until the lanes run
	keeping  *records.Keeping
	sweeps   []sweep

	shared   []*records.Shared
	fetchers []*Fetcher
	loads    loadStats
	pressure atomic.Bool            // records cannot be evicted before a checkpoint
	press    atomic.Pointer[func()] // asks for one

	Credit  *Credit
	Indexes *Indexes
	Breaks  *Breaks

	// stuck is why the last checkpoint failed, nil when it did not.
	stuck atomic.Pointer[error]
}

// Open loads the durable state of the node from the store and the log.
// Followers of fd must have joined before the first operation.
//
// It fails with an error matching backing.ErrCorrupt, log.ErrCorrupt,
// log.ErrTruncated or ErrLogLost when what is on disk does not make one state.
func Open(ctx context.Context, node string, wall clock.Clock, lg Log, store backing.Store, fd *feed.Feed, opt Options) (*Engine, error) {
	e := &Engine{
		opt: opt.withDefaults(), clock: lane.NewClock(node, wall), wall: wall, log: lg, store: store, feed: fd, kinds: &records.Kinds{},
	}
	e.keeping = records.NewKeeping(e.opt.Lifetimes)
	e.Credit = &Credit{maxOps: e.opt.MaxOps, maxBytes: e.opt.MaxBytes}
	e.shared = make([]*records.Shared, e.opt.Lanes)
	for i := range e.shared {
		e.shared[i] = records.NewShared(e.kinds, e.keeping, e.memory())
		e.shared[i].Load = func(key backing.Key) (backing.Row, bool, error) { return store.Load(ctx, key) }
	}
	own := make([][]*records.Replica, e.opt.Lanes)
	for id := range partition.Count {
		n := id % e.opt.Lanes
		r := records.NewReplica(partition.ID(id), e.shared[n])
		own[n] = append(own[n], r)
		e.replicas = append(e.replicas, r)
	}
	l := loader{ctx: ctx, engine: e}
	if err := l.start(own); err != nil {
		return nil, err
	}
	e.opt.Lane.Pressure, e.opt.Lane.Relieved = e.pressed, e.Credit.wakeAll
	for i := range e.shared {
		f := newFetcher(ctx, store, wall, &e.loads)
		e.opt.Lane.Fetcher = f
		f.lane = lane.New(e.clock, lg, &l, fd, e.shared[i], own[i], e.opt.Lane)
		e.lanes, e.fetchers = append(e.lanes, f.lane), append(e.fetchers, f)
	}
	e.Indexes, e.Breaks = newIndexes(e), newBreaks(wall)
	e.sweeps = make([]sweep, len(e.lanes))
	return e, nil
}

// memory is the share of one lane in the memory for records.
func (e *Engine) memory() records.Memory {
	if !e.Durable() {
		return records.Memory{}
	}
	return records.Memory{Budget: e.opt.MemoryBytes / e.opt.Lanes, Policy: e.opt.Eviction}
}

// Actors are the lanes, to be run or stepped by the caller.
func (e *Engine) Actors() []*lane.Lane { return e.lanes }

// Fetchers read the store for the lanes, and are to be run or stepped like them.
func (e *Engine) Fetchers() []*Fetcher { return e.fetchers }

// Clock is the node's hybrid logical clock.
func (e *Engine) Clock() *lane.Clock { return e.clock }

// Epoch is the history that the node continues. A restore from a backup begins
// another, greater one; it is 1 or more and does not change while the node runs.
func (e *Engine) Epoch() uint32 { return max(e.epoch, 1) }

// Kinds tells what each map holds.
func (e *Engine) Kinds() *records.Kinds { return e.kinds }

// Keeping tells how far expiry and reclaiming have come.
func (e *Engine) Keeping() *records.Keeping { return e.keeping }

// Durable reports whether the node keeps anything: whether Durable is a level
// that can be reached.
func (e *Engine) Durable() bool { return !log.IsNull(e.log) }

// ErrBusy is what Admit returns while there is no room.
var ErrBusy = errors.New("engine: no room for more operations now")

// Admit reserves room for operations as Credit.Reserve does, and returns ErrBusy
// when there is none. It also does so while a checkpoint has to be made first,
// because the log, with what is under way to it, is longer than it may be, or
// because the records take more memory than they may and none of them can go;
// wake may then be called at once. When the store cannot be written that is no
// matter of waiting: the error then matches lane.ErrUnavailable, and wake is not
// called.
func (e *Engine) Admit(ops, bytes int, wake func()) error {
	if !e.overfull() {
		if !e.Credit.Reserve(ops, bytes, wake) {
			return ErrBusy
		}
		return nil
	}
	if err := e.stuck.Load(); err != nil {
		return fmt.Errorf("%w: it is full, and the store cannot be written: %w", lane.ErrUnavailable, *err)
	}
	e.Credit.wait(wake)
	if !e.overfull() || e.stuck.Load() != nil {
		// The checkpoint ended before anybody waited for it.
		e.Credit.wakeAll()
	}
	return ErrBusy
}

func (e *Engine) overfull() bool {
	// An operation takes about as much of the log as of the frame it came in.
	_, coming := e.Credit.Used()
	return e.log.Retained()+int64(coming) > e.opt.MaxLogBytes || e.overBudget() && (e.pressure.Load() || e.evicting())
}

// evicting reports whether a lane is about to evict records.
func (e *Engine) evicting() bool {
	return slices.ContainsFunc(e.lanes, (*lane.Lane).Evicting)
}

// overBudget reports whether the records take a sixteenth more than they may.
func (e *Engine) overBudget() bool {
	var sum int64
	for _, s := range e.shared {
		sum += s.Stats.Bytes.Load()
	}
	return sum > int64(e.opt.MemoryBytes)/16*17
}

// pressed is called on a lane that cannot keep its budget before a checkpoint.
func (e *Engine) pressed() {
	e.pressure.Store(true)
	if press := e.press.Load(); press != nil {
		(*press)()
	}
}
