package lane

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
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
	// that it needs from the store; see View.Do, Get, Settled and Fetch.
	Step(v *View)

	// Release runs once, on the lane, after the last Step and after everything that Step
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

	// GroupChanges is how many changes end a group: the task that brings them is
	// the last one. The log then writes them while the lane goes on, and the memory
	// of a group stays small enough to be used again. Default 2048.
	GroupChanges int

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
	pressed  bool // Pressure was called and no checkpoint was made since
	tries    int
	evicting atomic.Bool
	counted  int64 // the second in which the records were counted

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
	buf    []byte
	view   View // of the group being stepped
	stats  Stats
}

// Stats counts what a lane has done. It is read on the lane.
type Stats struct {
	Groups, Tasks, Changes, Reloads uint64
}

// group is what one append made durable together.
type group struct {
	lsn   log.LSN
	tasks int         // how many; they stand in Lane.tasks
	batch *feed.Batch // nil: nothing changed

	// reads are the tasks that only read, and what they have seen of batch.
	reads []sight
}

// sight says that the task at index task saw the first seen changes of its
// group and none of the others.
type sight struct{ task, seen int }

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
	shared.Recall = l.recall
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
	return len(l.groups) == 0 && len(l.inbox) == 0 && l.park.count == 0 && l.mailbox.Len() == 0
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
	if n == 0 && len(l.park.ready) == 0 && !l.shared.Due() {
		return l.trim(0) || worked
	}
	before := l.stats.Changes
	n = l.stepGroup(l.inbox[:n])
	l.trim(int(l.stats.Changes - before))
	clear(l.inbox[:n])
	l.inbox = l.inbox[n:]
	return true
}

// complete releases the groups that are durable, and fails the others when the
// log has.
func (l *Lane) complete() bool {
	gen := l.log.Generation()
	durable := l.log.DurableAt(l.gen) // final when gen is another one
	n, done := 0, 0
	for n < len(l.groups) && l.groups[n].lsn <= durable {
		g := &l.groups[n]
		l.publish(g, l.tasks[done:done+g.tasks])
		done += g.tasks
		n++
	}
	l.groups, l.tasks = shift(l.groups, n), shift(l.tasks, done)
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
func (l *Lane) publish(g *group, tasks []Task) {
	task, seen := 0, 0
	part := func(toTask, toSeen int) {
		if toSeen > seen && !mistake.PublishBeforeSync {
			l.feed.Publish(g.batch, seen, toSeen)
		}
		for _, t := range tasks[task:toTask] {
			t.Release(nil)
		}
		task, seen = toTask, toSeen
	}
	for _, r := range g.reads {
		part(r.task+1, r.seen)
	}
	if g.batch == nil {
		part(len(tasks), 0)
		return
	}
	part(len(tasks), len(g.batch.Records))
	g.batch.Release()
}

// failGroups gives up everything beyond the durable position.
func (l *Lane) failGroups() {
	groups, tasks := l.groups, l.tasks
	l.groups, l.tasks = nil, nil
	for i := range groups {
		if b := groups[i].batch; b != nil {
			l.markBroken(b.Records)
			b.Release()
		}
	}
	release(tasks, ErrUnavailable)
	l.failParked(ErrUnavailable)
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
	first := len(l.tasks)
	if writable {
		l.shared.VisitDue(v.now, &v.fx)
	} else {
		l.shared.PutOff()
	}
	l.stepReady(v, &g, writable)
	for taken < len(tasks) && (taken == 0 || len(v.fx.Log) < l.opt.GroupChanges) {
		t := tasks[taken]
		taken++
		l.stats.Tasks++
		if l.stepOne(v, &g, t, nil, writable) {
			l.stepReady(v, &g, writable)
		}
	}
	if !v.fx.Seen.IsZero() {
		l.clock.Observe(v.fx.Seen)
	}
	if g.batch.Records = v.fx.Log; len(g.batch.Records) == 0 {
		g.batch.Release()
		g.batch = nil
	}
	if err := l.append(&g); err != nil {
		failed := l.tasks[first:]
		l.tasks = l.tasks[:first]
		release(failed, err)
	}
	return taken
}

// stepReady steps the parked tasks that have what they waited for. Nothing that
// was loaded for them can be evicted before they are stepped.
func (l *Lane) stepReady(v *View, g *group, writable bool) {
	for len(l.park.ready) > 0 {
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

// trim leaves records to the store while they take more than their budget, and
// not fewer than so many changes may have added. It reports whether there is more
// to do.
func (l *Lane) trim(changes int) (more bool) {
	more = l.evict(evictAtOnce + 2*changes)
	if was := l.evicting.Swap(more); was && !more && l.opt.Relieved != nil {
		l.opt.Relieved()
	}
	return more
}

// Evicting reports whether the lane has records to leave to the store that can
// go. Any goroutine may ask.
func (l *Lane) Evicting() bool { return l.evicting.Load() }

func (l *Lane) evict(most int) (more bool) {
	s := l.shared
	s.Stats.Bytes.Store(int64(s.Bytes()))
	if sec := l.clock.Sys() / 1000; sec != l.counted {
		l.counted = sec
		s.Count()
	}
	if !s.Over() {
		return false
	}
	if l.pressed {
		// Only what was loaded meanwhile can go, so it is not looked for each time.
		if l.tries++; l.tries%pressedTries != 0 {
			return false
		}
	}
	if s.Evict(l.clock.Sys(), most) {
		return s.Over()
	}
	if !l.pressed && l.unkept() && l.opt.Pressure != nil {
		l.pressed = true
		l.opt.Pressure()
	}
	return false
}

// unkept reports whether a checkpoint would make anything durable in the store.
func (l *Lane) unkept() bool {
	for _, r := range l.replicas {
		if r != nil && r.Unkept() {
			return true
		}
	}
	return false
}

// pressedTries is in how many groups one looks for something to evict after
// nothing was found.
const pressedTries = 16

// evictAtOnce is how many records go between two groups of other work: what
// bounds the stall of a write.
const evictAtOnce = 512

func (l *Lane) now() records.Time {
	return records.Time{Arrival: l.clock.Now(), Sys: l.clock.Sys(), Stamp: l.clock.After}
}

// append hands the group's changes to the log. When the log refuses them, what
// they were merged into has to be loaded again.
func (l *Lane) append(g *group) error {
	g.lsn = l.last
	if g.batch != nil {
		changes := g.batch.Records
		l.stats.Changes += uint64(len(changes))
		l.buf = change.AppendBatch(l.buf[:0], changes)
		lsn, err := l.log.Append(l.gen, l.buf)
		if err != nil {
			l.markBroken(changes)
			g.batch.Release()
			l.failParked(ErrUnavailable)
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		g.lsn, l.last = lsn, lsn
		for i := range changes {
			changes[i].Request = "" // aliases the frame it came in
		}
	}
	if mistake.PublishBeforeSync && g.batch != nil {
		l.feed.Publish(g.batch, 0, len(g.batch.Records))
	}
	if mistake.AckBeforeSync {
		first := len(l.tasks) - g.tasks
		release(l.tasks[first:], nil)
		l.tasks, g.tasks, g.reads = l.tasks[:first], 0, nil
	}
	l.groups = append(l.groups, *g)
	return nil
}

func release(tasks []Task, err error) {
	for _, t := range tasks {
		t.Release(err)
	}
	clear(tasks)
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

	task   Task    // being stepped
	parked *parked // the same, once it was parked
	stays  bool    // it is not done
}

// Now is the time of the group.
func (v *View) Now() records.Time { return v.now }

// Do carries out one operation on the partition that owns its key. When the
// result's status is Asks, nothing was done and the task was parked; it has to
// carry the operation out in its next step.
func (v *View) Do(op *records.Op) records.Result {
	id := partition.Of(op.Hash)
	at := backing.Key{Map: op.Map, Partition: id, Key: op.Key}
	asked, ok := v.pass(at)
	if !ok {
		return records.Result{Status: records.Asks}
	}
	op.Asked = asked
	res := v.lane.replicas[id].Step(v.now, op, &v.fx)
	if res.Status == records.Asks {
		v.load(at, v.lane.shared.Find(op.Map), op.Hash)
	}
	return res
}

// Kept notes what the store has durably. What was kept from going may go now.
func (v *View) Kept(mark backing.Mark) {
	v.lane.pressed = false
	for _, r := range v.lane.replicas {
		if r == nil {
			continue
		}
		if pos := mark.Partitions[r.ID]; pos.Epoch == r.Epoch {
			r.Keep(pos.Seq)
		}
	}
}

// Sweep ends records whose time is over and reclaims tombstones on the lane; see
// records.Shared.
func (v *View) Sweep(confirmed int64, budget int) (more bool) {
	return v.lane.shared.Sweep(v.now, v.Replica, confirmed, budget, &v.fx)
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
