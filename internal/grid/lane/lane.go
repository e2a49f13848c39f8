package lane

import (
	"errors"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// ErrUnavailable is what a task is released with when the log could not take or
// keep its group. Nothing of the task has happened; it may be tried again.
var ErrUnavailable = errors.New("lane: the log is unavailable")

// Task is something to do on a lane.
type Task interface {
	// Writes reports whether Step may change anything.
	Writes() bool

	// Step runs once, on the lane.
	Step(v *View)

	// Release runs once, on the lane, after Step and after everything that Step
	// saw or did is durable and published; or instead, with an error matching
	// ErrUnavailable. It must not block.
	Release(err error)
}

// Log is what a lane needs of the node's log; see package log.
type Log interface {
	Append(gen uint64, payload []byte) (log.LSN, error)
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

	// Mailbox is the most tasks waiting. Admission bounds the operations of
	// clients long before; this is what stops a server that has lost count.
	// Default 1<<20.
	Mailbox int
}

// Lane drives its replicas; see the package comment.
type Lane struct {
	opt    Options
	clock  *Clock
	log    Log
	loader Loader
	feed   *feed.Feed
	shared *records.Shared

	replicas [partition.Count]*records.Replica

	bell    actor.Bell
	mailbox *actor.Mailbox[Task]
	inbox   []Task // taken from the mailbox, not yet stepped

	gen    uint64
	last   log.LSN // of the last group appended
	groups []group // appended, not yet durable; oldest first
	free   []([]Task)
	broken map[partition.ID]bool // dropped, not yet loaded again
	buf    []byte
	stats  Stats
}

// Stats counts what a lane has done. It is read on the lane.
type Stats struct {
	Groups, Tasks, Changes, Reloads uint64
}

// group is what one append made durable together.
type group struct {
	lsn     log.LSN
	tasks   []Task
	changes []change.Record

	// reads are the tasks that only read, and what they have seen of changes.
	reads []sight
}

// sight says that the task at index task saw the first seen changes of its
// group and none of the others.
type sight struct{ task, seen int }

// New makes a lane that owns the given replicas, which hold their durable
// state.
func New(clk *Clock, lg Log, ld Loader, fd *feed.Feed, shared *records.Shared, own []*records.Replica, opt Options) *Lane {
	if opt.GroupTasks == 0 {
		opt.GroupTasks = 512
	}
	if opt.Mailbox == 0 {
		opt.Mailbox = 1 << 20
	}
	l := &Lane{
		opt: opt, clock: clk, log: lg, loader: ld, feed: fd, shared: shared,
		bell: actor.NewBell(), gen: lg.Generation(), last: lg.Durable(), broken: map[partition.ID]bool{},
	}
	l.mailbox = actor.NewMailbox[Task](opt.Mailbox, l.bell)
	for _, r := range own {
		l.replicas[r.ID] = r
	}
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
	return len(l.groups) == 0 && len(l.inbox) == 0 && l.mailbox.Len() == 0
}

// Step implements actor.Actor: it completes what has become durable, then steps
// one group of tasks.
func (l *Lane) Step() bool {
	worked := l.complete()
	if len(l.broken) > 0 && len(l.groups) > 0 {
		// A broken partition is loaded from what is durable, so the groups that
		// are still on their way have to arrive, or fail, first.
		return worked
	}
	if len(l.inbox) == 0 {
		l.inbox = l.mailbox.Take()
	}
	if len(l.inbox) == 0 {
		return worked
	}
	n := min(len(l.inbox), l.opt.GroupTasks)
	tasks := append(l.taskSlice(), l.inbox[:n]...)
	l.inbox = l.inbox[n:]
	l.stepGroup(tasks)
	return true
}

// complete releases the groups that are durable, and fails the others when the
// log has.
func (l *Lane) complete() bool {
	gen := l.log.Generation()
	durable := l.log.DurableAt(l.gen) // final when gen is another one
	n := 0
	for n < len(l.groups) && l.groups[n].lsn <= durable {
		l.publish(&l.groups[n])
		l.groups[n] = group{}
		n++
	}
	l.groups = shift(l.groups, n)
	if gen == l.gen {
		return n > 0
	}
	l.gen, l.last = gen, durable
	l.failGroups()
	return true
}

// publish offers the changes of a durable group to the feed and releases its
// tasks. A task that reads is released behind the changes that it saw and before
// those that it did not: its answer is a mark in the stream.
func (l *Lane) publish(g *group) {
	task, seen := 0, 0
	part := func(toTask, toSeen int) {
		if toSeen > seen {
			l.feed.Publish(g.changes[seen:toSeen:toSeen])
		}
		for _, t := range g.tasks[task:toTask] {
			t.Release(nil)
		}
		task, seen = toTask, toSeen
	}
	for _, r := range g.reads {
		part(r.task+1, r.seen)
	}
	part(len(g.tasks), len(g.changes))
	l.reuse(g.tasks)
}

// failGroups gives up everything beyond the durable position.
func (l *Lane) failGroups() {
	failed := l.groups
	l.groups = nil
	for i := range failed {
		l.markBroken(failed[i].changes)
	}
	for i := range failed {
		l.release(failed[i].tasks, ErrUnavailable)
	}
}

func (l *Lane) markBroken(changes []change.Record) {
	for i := range changes {
		l.broken[changes[i].Pos.Partition] = true
	}
}

// reload loads the broken partitions again and reports whether all are well.
func (l *Lane) reload() error {
	if len(l.broken) == 0 {
		return nil
	}
	var rs []*records.Replica
	for id := range l.replicas {
		if r := l.replicas[id]; r != nil && l.broken[r.ID] {
			r.Drop()
			rs = append(rs, r)
		}
	}
	if err := l.loader.Load(rs); err != nil {
		return fmt.Errorf("%w: load %d partitions again: %w", ErrUnavailable, len(rs), err)
	}
	l.stats.Reloads += uint64(len(rs))
	clear(l.broken)
	return nil
}

func (l *Lane) stepGroup(tasks []Task) {
	l.stats.Groups++
	l.stats.Tasks += uint64(len(tasks))
	if err := l.reload(); err != nil {
		l.release(tasks, err)
		return
	}
	sys := l.clock.Sys()
	v := View{lane: l, now: records.Time{Arrival: l.clock.Now(), Sys: sys, Stamp: l.clock.After}}
	writable := l.log.Healthy()
	kept := tasks[:0]
	var reads []sight
	for _, t := range tasks {
		if !writable && t.Writes() {
			t.Release(ErrUnavailable)
			continue
		}
		t.Step(&v)
		if !t.Writes() {
			reads = append(reads, sight{len(kept), len(v.fx.Log)})
		}
		kept = append(kept, t)
	}
	if !v.fx.Seen.IsZero() {
		l.clock.Observe(v.fx.Seen)
	}
	l.append(group{tasks: kept, changes: v.fx.Log, reads: reads})
}

// append hands the group's changes to the log.
func (l *Lane) append(g group) {
	g.lsn = l.last
	if len(g.changes) > 0 {
		l.stats.Changes += uint64(len(g.changes))
		l.buf = change.AppendBatch(l.buf[:0], g.changes)
		var err error
		if g.lsn, err = l.log.Append(l.gen, l.buf); err != nil {
			l.markBroken(g.changes)
			l.release(g.tasks, fmt.Errorf("%w: %w", ErrUnavailable, err))
			return
		}
		l.last = g.lsn
		for i := range g.changes {
			g.changes[i].Request = "" // aliases the frame it came in
		}
	}
	if mistake.PublishBeforeSync {
		l.feed.Publish(g.changes)
		g.changes, g.reads = nil, nil
	}
	if mistake.AckBeforeSync {
		l.release(g.tasks, nil)
		g.tasks, g.reads = nil, nil
	}
	l.groups = append(l.groups, g)
}

func (l *Lane) release(tasks []Task, err error) {
	for _, t := range tasks {
		t.Release(err)
	}
	l.reuse(tasks)
}

func (l *Lane) reuse(tasks []Task) {
	clear(tasks)
	if len(l.free) < 64 {
		l.free = append(l.free, tasks[:0])
	}
}

func (l *Lane) taskSlice() []Task {
	if n := len(l.free); n > 0 {
		s := l.free[n-1]
		l.free = l.free[:n-1]
		return s
	}
	return make([]Task, 0, l.opt.GroupTasks)
}

// shift drops the first n elements, reusing the memory.
func shift[T any](s []T, n int) []T {
	if n == 0 {
		return s
	}
	m := copy(s, s[n:])
	clear(s[m:])
	return s[:m]
}

// View is what a task sees of its lane during Step.
type View struct {
	lane *Lane
	now  records.Time
	fx   records.Effects
}

// Now is the time of the group.
func (v *View) Now() records.Time { return v.now }

// Do carries out one operation on the partition that owns its key.
func (v *View) Do(op *records.Op) records.Result {
	r := v.lane.replicas[partition.Of(op.Hash)]
	return r.Step(v.now, op, &v.fx)
}

// Shared is what the lane's replicas have in common.
func (v *View) Shared() *records.Shared { return v.lane.shared }

// Replica returns a partition of this lane, nil when another lane owns it.
func (v *View) Replica(id partition.ID) *records.Replica { return v.lane.replicas[id] }

// Replicas calls fn for every partition of the lane, in order.
func (v *View) Replicas(fn func(r *records.Replica) bool) {
	for _, r := range v.lane.replicas {
		if r != nil && !fn(r) {
			return
		}
	}
}

// LogEnd is where the log ends. Everything that this lane has appended lies
// before it, and everything that it will append lies behind.
func (v *View) LogEnd() log.LSN { return v.lane.log.End() }

// Stats counts what the lane has done.
func (v *View) Stats() Stats { return v.lane.stats }
