package lane

import (
	"errors"
	"math"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// ErrUnavailable is what a task is released with when the log could not take or
// keep its group. Nothing of the task has happened; it may be tried again.
var ErrUnavailable = errors.New("lane: the log is unavailable")

// Task is something to do on a lane.
type Task interface {
	// Writes reports whether Step may change anything.
	Writes() bool

	// Step runs on the lane: once, and again when it was parked for something
	// that it needs from the store, see View.Do, Get, Settled and Fetch, or has
	// yielded.
	Step(v *View)

	// Release runs once, on the lane, after the last Step and after everything that Step
	// saw or did is durable and published; or instead, with an error matching
	// ErrUnavailable. It must not block.
	Release(err error)
}

// Log is what a lane needs of the node's log; see package log.
type Log interface {
	Append(gen uint64, payloads ...[]byte) (log.LSN, error)
	Generation() uint64
	Durable() log.LSN
	DurableAt(gen uint64) log.LSN
	End() log.LSN
	Healthy() bool
}

// Loader gives dropped replicas their durable state back.
type Loader interface {
	Load(replicas []*records.Replica) error
}

// Options are a lane's choices. The zero value of every field means its default.
type Options struct {
	// GroupTasks is the most tasks in one group, and so in one log frame.
	// Default 512.
	GroupTasks int

	// GroupChanges is how many changes end a group: the task that brings them is
	// the last one. The log then writes them while the lane goes on, and the memory
	// of a group stays small enough to be used again. Default 2048.
	GroupChanges int

	// GroupBytes is likewise how many bytes of changes end a group. Default 4 MiB.
	GroupBytes int

	// Mailbox is the most tasks waiting. Admission bounds the operations of
	// clients long before; this is what stops a server that has lost count.
	// Default 1<<20.
	Mailbox int

	// Parked is the most tasks that wait for the store; while there are as many,
	// no others begin. Default 4096.
	Parked int

	// Fetcher reads the store. A lane whose records have a budget needs it.
	Fetcher Fetcher

	// Pressure is called on the lane when the records take more than their budget
	// and none of them can go before a checkpoint.
	Pressure func()

	// Relieved is called on the lane when it has evicted what could go.
	Relieved func()
}

// Lane drives its replicas; see the package comment.
type Lane struct {
	opt    Options
	clock  *Clock
	log    Log
	loader Loader
	feed   *feed.Feed

	arrivals *actor.Mailbox[*Want]
	park     parking
	evicting eviction

	shared *records.Shared

	replicas [partition.Count]*records.Replica

	bell    actor.Bell
	mailbox *actor.Mailbox[Task]
	inbox   []Task // taken from the mailbox, not yet stepped

	gen    uint64
	last   log.LSN               // of the last group appended
	groups []group               // appended, not yet durable; oldest first
	tasks  []Task                // those of groups, in order
	broken map[partition.ID]bool // dropped, not yet loaded again
	view   View                  // of the group being stepped
	stats  Stats

	// unwritten is a group that the log had no room for; its tasks are the last of
	// tasks. Nothing is stepped until it is appended or has failed.
	unwritten group
	buf       []byte   // the changes of the last group, as
	payloads  [][]byte // in the log
}

// Stats counts what a lane has done. It is read on the lane.
type Stats struct {
	Groups, Tasks, Changes, Reloads uint64
}

// New makes a lane that owns the given replicas, which hold their durable
// state.
func New(clk *Clock, lg Log, ld Loader, fd *feed.Feed, shared *records.Shared, own []*records.Replica, opt Options) *Lane {
	if opt.Parked == 0 {
		opt.Parked = 4096
	}
	if opt.GroupTasks == 0 {
		opt.GroupTasks = 512
	}
	if opt.GroupChanges == 0 {
		opt.GroupChanges = 2048
	}
	if opt.GroupBytes == 0 {
		opt.GroupBytes = 4 << 20
	}
	if opt.Mailbox == 0 {
		opt.Mailbox = 1 << 20
	}
	l := &Lane{
		opt: opt, clock: clk, log: lg, loader: ld, feed: fd, shared: shared, park: newParking(),
		bell: actor.NewBell(), gen: lg.Generation(), last: lg.Durable(), broken: map[partition.ID]bool{},
	}
	l.mailbox = actor.NewMailbox[Task](opt.Mailbox, l.bell)
	l.arrivals = actor.NewMailbox[*Want](math.MaxInt, l.bell) // bounded by what was wanted
	for _, r := range own {
		l.replicas[r.ID] = r
	}
	shared.Recall, shared.Rows = l.recall, l.rows
	shared.Count()
	return l
}

// Submit queues a task. Tasks of one submitter run in the order of their
// submission. It reports false when the mailbox is full; then nothing happens.
func (l *Lane) Submit(t Task) bool { return l.mailbox.Push(t) }

// Wake implements actor.Actor. The log rings the same bell when its durable
// position or its generation has moved; see Bell.
func (l *Lane) Wake() <-chan struct{} { return l.bell }

// Bell wakes the lane up.
func (l *Lane) Bell() actor.Bell { return l.bell }

// Idle reports whether nothing is under way. It is called on the lane.
func (l *Lane) Idle() bool {
	return len(l.groups) == 0 && l.unwritten.batch == nil && len(l.inbox) == 0 && l.park.count == 0 && l.mailbox.Len() == 0
}

// Step implements actor.Actor: it completes what has become durable, then steps
// one group of tasks.
func (l *Lane) Step() bool {
	worked := l.complete()
	if l.unwritten.batch != nil {
		if !l.offerAgain() {
			return worked
		}
		worked = true
	}
	if len(l.broken) > 0 && len(l.groups) > 0 {
		// A broken partition is loaded from what is durable, so the groups that
		// are still on their way have to arrive, or fail, first.
		return worked
	}
	if l.arrive() {
		worked = true
	}
	n := 0
	if l.park.count < l.opt.Parked {
		if len(l.inbox) == 0 {
			l.inbox = l.mailbox.Take()
		}
		n = min(len(l.inbox), l.opt.GroupTasks)
	}
	if n == 0 && len(l.park.ready)+len(l.park.yielded) == 0 && !l.shared.Due() {
		return l.trim(0) || worked
	}
	before := l.stats.Changes
	n = l.stepGroup(l.inbox[:n])
	if len(l.park.ready) == 0 { // what was loaded for them stays
		l.trim(int(l.stats.Changes - before))
	}
	clear(l.inbox[:n])
	l.inbox = l.inbox[n:]
	return true
}

// stepGroup makes a group of the first of the tasks, and reports how many.
func (l *Lane) stepGroup(tasks []Task) (taken int) {
	l.stats.Groups++
	if err := l.reload(); err != nil {
		release(tasks, err)
		l.failParked(err)
		l.shared.PutOff()
		l.stats.Tasks += uint64(len(tasks))
		return len(tasks)
	}
	g := group{batch: feed.NewBatch()}
	v := &l.view
	*v = View{lane: l, now: l.now()}
	v.fx.Log = g.batch.Records
	writable := l.log.Healthy()
	if writable {
		l.shared.VisitDue(v.now, &v.fx)
	} else {
		l.shared.PutOff()
	}
	l.goOn()
	l.stepReady(v, &g, writable, 1)
	for taken < len(tasks) && len(l.park.ready)+len(l.park.yielded) == 0 && (taken == 0 || !l.whole(v)) {
		t := tasks[taken]
		taken++
		l.stats.Tasks++
		if l.stepOne(v, &g, t, nil, writable) {
			l.stepReady(v, &g, writable, 0)
		}
	}
	if !v.fx.Seen.IsZero() {
		l.clock.Observe(v.fx.Seen)
	}
	if g.batch.Records = v.fx.Log; len(g.batch.Records) == 0 {
		g.batch.Release()
		g.batch = nil
	}
	l.append(&g)
	return taken
}

// whole reports whether the group that is being stepped has so many changes that
// it ends.
func (l *Lane) whole(v *View) bool {
	return len(v.fx.Log) >= l.opt.GroupChanges || v.Full()
}

// stepReady steps the parked tasks that have what they waited for, as many as the
// group has room for, and so many at least. Nothing that was loaded for them can be
// evicted before they are stepped.
func (l *Lane) stepReady(v *View, g *group, writable bool, least int) {
	for n := 0; len(l.park.ready) > 0 && (n < least || !l.whole(v)); n++ {
		p := l.park.ready[0]
		l.park.ready = l.park.ready[1:]
		p.ready = false
		if !p.done {
			l.stepOne(v, g, p.task, p, writable)
		}
	}
}

// stepOne steps a task and takes it into the group when it is done.
func (l *Lane) stepOne(v *View, g *group, t Task, p *parked, writable bool) (done bool) {
	if !writable && t.Writes() {
		if p != nil {
			l.giveUp(p)
		}
		t.Release(ErrUnavailable)
		return true
	}
	if !l.stepTask(v, t, p) {
		return false
	}
	if !t.Writes() {
		g.reads = append(g.reads, sight{g.tasks, len(v.fx.Log)})
	}
	l.tasks = append(l.tasks, t)
	g.tasks++
	return true
}

func (l *Lane) now() records.Time {
	return records.Time{Arrival: l.clock.Now(), Sys: l.clock.Sys(), Stamp: l.clock.After}
}
