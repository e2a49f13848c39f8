package lane

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Want is something that a lane needs from the store: a key or ranges. The
// fetcher fills in the answer and gives it back to Arrive. Until then it is the
// fetcher's alone.
type Want struct {
	Key    backing.Key
	Ranges []backing.Range // instead of Key: all rows of them, in order
	Limit  int             // the most rows; 0 for no limit
	Bare   bool            // rows without their states, which may be large

	// Rows are what the store has, with memory of their own. More says that the
	// limit ended them.
	Rows []backing.Row
	More bool

	// Err is set when the store could not say.
	Err error

	arrive func() // on the lane; with the answer
	era    uint64 // 0: of every era
}

// Fetcher reads the store for a lane, at some time and without making it wait.
type Fetcher interface {
	Fetch(w *Want)
}

// A task that finds that it needs something from the store is parked: the task
// stays with the lane, others go on, and it is stepped again when what it needs
// is there. What it has done so far is in the log with the groups that it was
// stepped in; it is released with the group of its last step.
//
// Operations on one key keep their order: as long as a task waits for a key,
// later ones that need it wait behind. A task may wait for several keys.

// parked is a task that was stepped and is not done.
type parked struct {
	task   Task
	number uint64 // the order of parking
	waits  []*wait
	next   []*wait // those that the step under way found
	ready  bool    // in Lane.ready
	done   bool
}

// wait is a key that tasks wait for.
type wait struct {
	key    backing.Key // without hash and tenant
	tasks  []*parked   // in order; the first one may act once the key is there
	loaded bool
}

// parking is what a lane keeps of its parked tasks.
type parking struct {
	count    int
	numbers  uint64
	era      uint64 // answers to wants of an earlier one come too late
	waits    map[backing.Key]*wait
	ready    []*parked // to be stepped again
	writers  []*parked // those that may write, in order, done ones among them
	barriers []*parked // those that wait for all writers before them, in order
	all      map[*parked]struct{}
	yielded  []*parked // those that go on in the next group, before tasks that come later
}

func newParking() parking {
	return parking{era: 1, waits: map[backing.Key]*wait{}, all: map[*parked]struct{}{}}
}

// Arrive gives a lane what it wanted. It may be called from anywhere.
func (l *Lane) Arrive(w *Want) { l.arrivals.Push(w) }

// arrive takes in what has come from the store.
func (l *Lane) arrive() (worked bool) {
	for _, w := range l.arrivals.Take() {
		worked = true
		if w.era == 0 || w.era == l.park.era {
			w.arrive()
		}
	}
	return worked
}

func (l *Lane) fetch(w *Want, arrive func()) {
	w.era, w.arrive = l.park.era, arrive
	l.opt.Fetcher.Fetch(w)
}

// stepTask steps a task, which may have been parked, and reports whether it is
// done; it is parked when it is not.
func (l *Lane) stepTask(v *View, t Task, p *parked) (done bool) {
	v.task, v.parked, v.stays = t, p, false
	t.Step(v)
	p, v.task, v.parked = v.parked, nil, nil
	if p == nil {
		return true
	}
	was := p.waits
	p.waits, p.next = p.next, nil
	for _, w := range was {
		if !slices.Contains(p.waits, w) {
			l.leave(p, w)
		}
	}
	if v.stays {
		return false
	}
	l.unpark(p)
	return true
}

// leave ends the wait of a task for a key, and lets the next one act.
func (l *Lane) leave(p *parked, w *wait) {
	if i := slices.Index(w.tasks, p); i >= 0 {
		w.tasks = slices.Delete(w.tasks, i, i+1)
	}
	switch {
	case len(w.tasks) == 0:
		delete(l.park.waits, w.key)
	case w.loaded:
		l.wake(w.tasks[0])
	}
}

// unpark forgets a task that is done, and lets those act that waited for it.
func (l *Lane) unpark(p *parked) {
	k := &l.park
	k.count--
	delete(k.all, p)
	p.done = true
	for len(k.writers) > 0 && k.writers[0].done {
		k.writers = k.writers[1:]
	}
	for len(k.barriers) > 0 && (len(k.writers) == 0 || k.barriers[0].number < k.writers[0].number) {
		if b := k.barriers[0]; !b.done {
			l.wake(b)
		}
		k.barriers = k.barriers[1:]
	}
}

// goOn wakes the tasks that have yielded.
func (l *Lane) goOn() {
	yielded := l.park.yielded
	l.park.yielded = nil
	for _, p := range yielded {
		l.wake(p)
	}
}

func (l *Lane) wake(p *parked) {
	if !p.ready {
		p.ready = true
		l.park.ready = append(l.park.ready, p)
	}
}

// failParked gives every parked task up.
func (l *Lane) failParked(err error) {
	k := &l.park
	all := k.all
	*k = parking{numbers: k.numbers, era: k.era + 1}
	fresh := newParking()
	k.waits, k.all = fresh.waits, fresh.all
	for _, p := range inOrder(all) {
		p.task.Release(err)
	}
}

// failWait gives up the tasks that wait for a key.
func (l *Lane) failWait(w *wait, err error) {
	delete(l.park.waits, w.key)
	tasks := w.tasks
	w.tasks = nil
	for _, p := range tasks {
		l.giveUp(p)
		p.task.Release(err)
	}
}

// giveUp forgets a parked task that will not be stepped again.
func (l *Lane) giveUp(p *parked) {
	waits := p.waits
	p.waits = nil
	l.unpark(p)
	for _, w := range waits {
		l.leave(p, w)
	}
}

// inOrder sorts parked tasks by the order of their parking.
func inOrder(all map[*parked]struct{}) []*parked {
	return slices.SortedFunc(maps.Keys(all), func(a, b *parked) int { return cmp.Compare(a.number, b.number) })
}

// hold parks the task that is being stepped.
func (v *View) hold() *parked {
	v.stays = true
	if v.parked == nil {
		k := &v.lane.park
		k.numbers++
		k.count++
		v.parked = &parked{task: v.task, number: k.numbers}
		k.all[v.parked] = struct{}{}
		if v.task.Writes() {
			k.writers = append(k.writers, v.parked)
		}
	}
	return v.parked
}

// waitFor has the task wait for a key that others may wait for too.
func (v *View) waitFor(w *wait) {
	p := v.hold()
	if !slices.Contains(p.next, w) {
		p.next = append(p.next, w)
	}
	if !slices.Contains(w.tasks, p) {
		w.tasks = append(w.tasks, p)
	}
}

// pass reports whether the task may act on a key, as far as others are
// concerned; asked says that the key was loaded for it.
func (v *View) pass(key backing.Key) (asked, ok bool) {
	if len(v.lane.park.waits) == 0 {
		return false, true
	}
	w := v.lane.park.waits[key]
	switch {
	case w == nil:
		return false, true
	case v.parked == nil || w.tasks[0] != v.parked || !w.loaded:
		v.waitFor(w)
		return false, false
	default:
		return true, true
	}
}

// load has the task wait for a key that has to be restored.
func (v *View) load(key backing.Key, m *records.Map, hash uint32) {
	l := v.lane
	w := l.park.waits[key]
	if w == nil {
		key.Map, key.Key = m.Name, string([]byte(key.Key)) // not those of a frame
		w = &wait{key: key}
		l.park.waits[key] = w
	}
	w.loaded = false
	v.waitFor(w)
	want := &Want{Key: key}
	want.Key.Hash = hash
	l.fetch(want, func() {
		if l.park.waits[w.key] != w {
			return // those who waited for it need it no longer
		}
		err := want.Err
		if err == nil {
			err = l.restore(m, want)
		}
		if err != nil {
			l.failWait(w, fmt.Errorf("%w: read the store: %w", ErrUnavailable, err))
			return
		}
		w.loaded = true
		l.wake(w.tasks[0])
	})
}

func (l *Lane) restore(m *records.Map, w *Want) error {
	var row *backing.Row
	if len(w.Rows) > 0 {
		row = &w.Rows[0]
	}
	sec := uint32(l.clock.Sys() / 1000)
	return l.replicas[w.Key.Partition].Restore(m, w.Key.Hash, w.Key.Key, row, sec)
}

// Get looks a key up. When wait is set, the task was parked, and has to return
// and ask again in its next step.
func (v *View) Get(mapName string, hash uint32, key string) (e record.Entry, ok, wait bool) {
	m := v.lane.shared.Find(mapName)
	if m == nil {
		return e, false, false
	}
	id := partition.Of(hash)
	at := backing.Key{Map: mapName, Partition: id, Key: key}
	asked, ok := v.pass(at)
	if !ok {
		return e, false, true
	}
	r := v.lane.replicas[id]
	if r.Asks(m, hash, key, asked) {
		v.load(at, m, hash)
		return e, false, true
	}
	t := r.Table(m)
	if t == nil {
		return e, false, false
	}
	e, ok = t.Get(hash, key)
	return e, ok, false
}

// Settled reports whether every task before this one that may write is done.
// When it is not, the task was parked, and has to return and ask again in its
// next step. What reads more than single keys has to be settled to see the
// writes before it.
func (v *View) Settled() bool {
	k := &v.lane.park
	if len(k.writers) == 0 || v.parked != nil && v.parked.number < k.writers[0].number {
		return true
	}
	p := v.hold()
	k.barriers = append(k.barriers, p)
	return false
}

// Full reports whether the group has as many bytes of changes as it should. A
// task that has many more to bring yields then.
func (v *View) Full() bool { return v.weigh() >= v.lane.opt.GroupBytes }

// Yield parks the task until the next group, and all tasks behind it. It has to
// return, and goes on in its next step.
func (v *View) Yield() {
	k := &v.lane.park
	k.yielded = append(k.yielded, v.hold())
}

// Pause is Yield for a task that has yet to act on keys that it has waited for: it
// keeps its place at all of them, and what was loaded for it stays.
func (v *View) Pause() {
	p := v.hold()
	waits := map[*wait]bool{}
	for _, w := range p.next {
		waits[w] = true
	}
	for _, w := range p.waits {
		if !waits[w] {
			p.next = append(p.next, w)
		}
	}
	v.lane.wake(p)
}

// Waits reports whether the step under way has parked the task.
func (v *View) Waits() bool { return v.stays }

// Fetch parks the task until the store has answered w, which Step then finds
// filled in.
func (v *View) Fetch(w *Want) {
	l, p := v.lane, v.hold()
	l.fetch(w, func() { l.wake(p) })
}

// recall has the keys of one hash restored, for records whose time has come
// while they are in the store only. Nothing of the table goes meanwhile, so that
// what comes is what there is.
func (l *Lane) recall(r *records.Replica, m *records.Map, hash uint32) {
	t, loads := r.Table(m), r.Loads()
	t.Pin()
	w := &Want{Ranges: []backing.Range{backing.HashRange(0, m.Name, r.ID, [2]uint32{hash, hash})}}
	w.arrive = func() {
		t.Unpin()
		r.Recalled(m, hash, loads, w.Rows, w.Err, uint32(l.clock.Sys()/1000))
	}
	l.opt.Fetcher.Fetch(w)
}

// renewRows is how many rows are read at a time to make a filter anew.
const renewRows = 256

// rows has the next rows of a map read for the filter of its table.
func (l *Lane) rows(r *records.Replica, m *records.Map, from record.Cursor) {
	loads := r.Loads()
	rng := backing.PartitionRange(0, m.Name, r.ID)
	rng.From.Hash, rng.From.Key = from.Hash, from.Key
	w := &Want{Ranges: []backing.Range{rng}, Limit: renewRows, Bare: true}
	w.arrive = func() { r.Renewed(m, loads, w.Rows, w.More, w.Err) }
	l.opt.Fetcher.Fetch(w)
}
