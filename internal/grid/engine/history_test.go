package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// place is where a change stands in the stream of its partition.
type place struct {
	partition partition.ID
	seq       uint64
}

// witness follows the feed of a world and remembers every change that was
// published, over all lives of the node.
type witness struct {
	inbox *feed.Inbox
	bell  actor.Bell
	seen  map[place]string // map, key and state
	last  map[partition.ID]uint64
	bad   []string
}

func newWitness() *witness {
	return &witness{bell: actor.NewBell(), seen: map[place]string{}, last: map[partition.ID]uint64{}}
}

func (w *witness) follow(world *gridtest.World) {
	w.inbox = world.Feed.Follow(1<<20, w.bell)
	world.Add(w)
}

func (w *witness) Wake() <-chan struct{} { return w.bell }

// Step checks that each partition's changes come in order, each once: what was
// published is durable, so nothing that comes later may take its place.
func (w *witness) Step() bool {
	items := w.inbox.Take()
	for _, it := range items {
		for _, c := range it.Changes {
			if was, ok := w.seen[place{c.Pos.Partition, c.Pos.Seq}]; ok {
				w.bad = append(w.bad, fmt.Sprintf("%s is published twice: %s", c.Pos, was))
			}
			if c.Pos.Seq != w.last[c.Pos.Partition]+1 {
				w.bad = append(w.bad, fmt.Sprintf("%s is published after %d", c.Pos, w.last[c.Pos.Partition]))
			}
			w.last[c.Pos.Partition] = c.Pos.Seq
			w.seen[place{c.Pos.Partition, c.Pos.Seq}] = c.Map + "/" + c.Key + "=" + c.After
		}
	}
	return len(items) > 0
}

// write is a write under way.
type write struct {
	op     records.Op
	at     int // in its batch
	answer *gridtest.Answer
}

// keysOf are n keys of few partitions, so that each holds many.
func keysOf(n, partitions int) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		if key := fmt.Sprint("k", i); int(partition.Of(hash.Key(key))) < partitions {
			keys = append(keys, key)
		}
	}
	return keys
}

// historyKeys are the keys that histories write.
var historyKeys = keysOf(40, 4)

// history is a random run of a world: writes, steps of single actors, failing
// syncs, failing checkpoints, power cuts.
type history struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	world   *gridtest.World
	witness *witness
	millis  int64
	writes  []*write
	acked   map[string]records.Op // the latest acknowledged write of each key
	memory  int
	reads   int
	stats   struct{ acked, failed, cuts, checkpoints, reloads, evicted, emptied, loads int }
}

// newHistory makes a history; with little memory the records are evicted all the
// time and reads of the store fail now and then.
func newHistory(t *testing.T, seed uint64, memory int) *history {
	t.Helper()
	opt := gridtest.Options{
		Engine:     engine.Options{MemoryBytes: memory, Eviction: records.Policy(seed % 3)},
		Checkpoint: engine.CheckpointOptions{LogBytes: 3 << 10, SliceRows: 2},
	}
	if seed%2 == 0 { // a batch takes several groups, and the log has no room for them
		opt.Engine.Lane, opt.Log = lane.Options{GroupBytes: 500, GroupTasks: 4}, log.Options{MaxPending: 1000}
	}
	h := &history{
		t: t, seed: seed, memory: memory, rng: rand.New(rand.NewPCG(seed, 7)), witness: newWitness(), acked: map[string]records.Op{},
		world: gridtest.Open(t, opt),
	}
	h.witness.follow(h.world)
	h.disturb(true)
	return h
}

// disturb has the store fail at times, or not any more.
func (h *history) disturb(on bool) {
	if !on {
		h.world.Store.OnApply(nil)
		h.world.Store.OnRead(nil)
		return
	}
	h.world.Store.OnApply(h.outcome)
	h.world.Store.OnRead(func() error {
		if h.memory > 0 && h.rng.IntN(20) == 0 {
			return gridtest.ErrDisk
		}
		return nil
	})
}

func (h *history) outcome() gridtest.Outcome {
	return []gridtest.Outcome{gridtest.Works, gridtest.Works, gridtest.Works, gridtest.Refuses, gridtest.Breaks, gridtest.Pretends}[h.rng.IntN(6)]
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d: "+format, append([]any{h.seed}, args...)...)
}

func (h *history) act() {
	switch n := h.rng.IntN(1000); {
	case n < 5:
		h.powerCut()
	case n < 15:
		h.world.FailSyncs(1 + h.rng.IntN(2))
	case n < 30:
		h.world.Clock.Advance(time.Duration(h.rng.IntN(300)) * time.Millisecond)
	case n < 200:
		h.write()
	case n < 250:
		h.read(historyKeys[h.rng.IntN(len(historyKeys))])
	case n < 260:
		h.scan(nil)
	default:
		h.world.StepRandom(h.rng)
	}
	h.collect()
	h.checkStore()
}

// write writes a few keys in one batch.
func (h *history) write() {
	var ops []records.Op
	n := 1 + h.rng.IntN(3)
	if h.rng.IntN(3) == 0 {
		n = h.rng.IntN(30)
	}
	for range n {
		h.millis++
		o := gridtest.Put("notes", historyKeys[h.rng.IntN(len(historyKeys))], h.value(), gridtest.At(h.millis, "node-x"))
		if h.rng.IntN(5) == 0 {
			o = gridtest.Put(o.Map, o.Key, nil, o.TS)
		}
		ops = append(ops, o)
	}
	if n == 0 {
		return
	}
	a := h.world.Do(engine.Durable, ops...)
	for i := range ops {
		h.writes = append(h.writes, &write{ops[i], i, a})
	}
}

// value is a number, or a text long enough to be left to the store by itself.
func (h *history) value() value.Raw {
	if h.rng.IntN(3) == 0 {
		return value.AppendStr(nil, fmt.Sprintf("%0200d", h.millis))
	}
	return gridtest.Int(int(h.millis))
}

// read asks for a key. The answer must hold what was acknowledged before.
func (h *history) read(key string) {
	before, known := h.acked[key]
	h.reads++
	world := h.world
	world.Engine.Get("notes", key, func(state string, ok bool, err error) {
		h.reads--
		switch {
		case err != nil && !errors.Is(err, lane.ErrUnavailable):
			h.fail("a read of %s is answered with %v", key, err)
		case err == nil && known && (!ok || crdt.AcceptLWW(state, before.TS) > 0):
			h.fail("a read of %s misses what was acknowledged at %s: %x", key, before.TS, state)
		}
	})
}

// scan asks for everything, in slices. The answer must hold what was
// acknowledged before, each key once and in order; done gets it.
func (h *history) scan(done func(rows map[string]string)) {
	for n := range h.world.Engine.Lanes() {
		s := &historyScan{h: h, lane: n, rows: map[string]string{}, before: map[string]records.Op{}, done: done}
		for key, o := range h.acked {
			if h.world.Engine.Lane(o.Hash) == n {
				s.before[key] = o
			}
		}
		s.inbox = (&feed.Feed{}).Follow(1000, actor.NewBell())
		h.world.Add(s)
		h.reads++
		s.ask(engine.Place{})
	}
}

type historyScan struct {
	h      *history
	lane   int
	inbox  *feed.Inbox
	rows   map[string]string
	before map[string]records.Op
	place  engine.Place
	done   func(rows map[string]string)
}

func (s *historyScan) Wake() <-chan struct{} { return nil }

func (s *historyScan) ask(from engine.Place) {
	s.place = from
	s.h.world.Engine.Scan(engine.ScanRequest{Map: "notes", Lane: s.lane, From: from, Budget: 1 + s.h.rng.IntN(9), To: s.inbox})
}

func (s *historyScan) Step() bool {
	items := s.inbox.Take()
	for _, it := range items {
		sl := it.Mark.(engine.Slice)
		if sl.Err != nil {
			if !errors.Is(sl.Err, lane.ErrUnavailable) {
				s.h.fail("a scan is answered with %v", sl.Err)
			}
			s.h.reads--
			return true
		}
		for _, r := range sl.Rows {
			if _, again := s.rows[r.Key]; again || s.place.Covers(r.Hash, r.Key) || !sl.Next.Covers(r.Hash, r.Key) {
				s.h.fail("a scan from %+v to %+v shows %s (again: %v)", s.place, sl.Next, r.Key, again)
			}
			s.rows[r.Key] = r.State
		}
		if !sl.Next.Done {
			s.ask(sl.Next)
			continue
		}
		s.h.reads--
		for key, o := range s.before {
			if state, ok := s.rows[key]; !ok || crdt.AcceptLWW(state, o.TS) > 0 {
				s.h.fail("a scan misses %s, acknowledged at %s: %x", key, o.TS, state)
			}
		}
		if s.done != nil {
			s.done(s.rows)
		}
	}
	return len(items) > 0
}

// collect takes the answers that have come.
func (h *history) collect() {
	left := h.writes[:0]
	for _, w := range h.writes {
		switch a := w.answer; {
		case a.Done == 0:
			left = append(left, w)
		case a.Done > 1:
			h.fail("%s is answered %d times", w.op.Key, a.Done)
		case a.Err == nil:
			h.stats.acked++
			if a.Results[w.at].Status != records.Applied {
				h.fail("%s at %s is not done in its order: %+v", w.op.Key, w.op.TS, a.Results[w.at])
			}
			if was, ok := h.acked[w.op.Key]; !ok || hlc.Compare(w.op.TS, was.TS) > 0 {
				h.acked[w.op.Key] = w.op
			}
		case !errors.Is(a.Err, lane.ErrUnavailable):
			h.fail("%s is answered with %v", w.op.Key, a.Err)
		default:
			h.stats.failed++
		}
	}
	h.writes = left
}

// checkStore holds the store to what was published: nothing is in it whose
// append is not durable.
func (h *history) checkStore() {
	h.t.Helper()
	rows, err := h.world.Store.Rows(h.t.Context())
	if err != nil {
		h.fail("%v", err)
	}
	h.witness.Step()
	for _, r := range rows {
		got := r.Map + "/" + r.Key.Key + "=" + string(r.State)
		if want := h.witness.seen[place{r.Partition, r.Seq}]; got != want {
			h.fail("the store holds %q of seq %d, published was %q", got, r.Seq, want)
		}
	}
	if len(h.witness.bad) > 0 {
		h.fail("%s", h.witness.bad[0])
	}
}

// powerCut starts the node again from what the disk kept. What was asked and not
// answered stays open for ever, as it does for a client.
func (h *history) powerCut() {
	h.stats.cuts++
	h.stats.checkpoints += int(h.world.Checkpointer.Stats().Checkpoints)
	h.witness.Step()
	next, err := h.world.Restart(h.t, []int{0, 50, 100}[h.rng.IntN(3)], h.rng)
	if err != nil {
		h.fail("start after a power cut: %v", err)
	}
	h.world, h.writes, h.reads = next, nil, 0
	h.witness.last = h.positions()
	h.rowsOnDisk()
	h.witness.follow(next)
	h.checkAcked("after a power cut")
	h.disturb(true)
}

// positions are where the partitions stand; what the node has found on disk
// beyond what was published was durable, only nobody had heard of it.
func (h *history) positions() map[partition.ID]uint64 {
	out := map[partition.ID]uint64{}
	for _, l := range h.world.Engine.Actors() {
		task := &look{}
		l.Submit(task)
		h.world.Settle()
		for id, r := range task.seen {
			out[id] = r.seq
			for p, what := range r.rows {
				if was, ok := h.witness.seen[p]; ok && was != what {
					h.fail("%v was published as %q, and is %q now", p, was, what)
				}
				h.witness.seen[p] = what
			}
		}
	}
	return out
}

// rowsOnDisk notes what the store has beyond what was published, as positions
// does for what is in memory.
func (h *history) rowsOnDisk() {
	rows, err := h.world.Store.Rows(h.t.Context())
	if err != nil {
		h.fail("%v", err)
	}
	for _, r := range rows {
		if at := (place{r.Partition, r.Seq}); h.witness.seen[at] == "" {
			h.witness.seen[at] = r.Map + "/" + r.Key.Key + "=" + string(r.State)
		}
	}
}

// checkAcked reads every key: what was acknowledged is there, or something
// later.
func (h *history) checkAcked(when string) {
	h.t.Helper()
	for key, o := range h.acked {
		state, ok := h.world.Read(h.t, "notes", key)
		if !ok || crdt.AcceptLWW(state, o.TS) > 0 {
			h.fail("%s: %s at %s is lost: %x", when, key, o.TS, state)
		}
	}
}

// heal lets everything come to an end and checks it.
func (h *history) heal() {
	h.world.OnSync(nil)
	h.disturb(false)
	for range 3 {
		h.world.Settle()
		h.world.Clock.Advance(time.Second)
	}
	h.collect()
	if len(h.writes) > 0 || h.reads > 0 {
		h.fail("%d writes and %d reads are never answered", len(h.writes), h.reads)
	}
	h.checkAcked("at the end")
	if err := h.checkpoint(); err != nil {
		h.fail("the last checkpoint: %v", err)
	}
	h.stats.checkpoints += int(h.world.Checkpointer.Stats().Checkpoints)
	mem := h.world.Engine.Memory()
	h.stats.evicted, h.stats.emptied, h.stats.loads = int(mem.Evicted), int(mem.Emptied), int(mem.Loads)
	h.checkStore()
	h.checkScans()
	if left := h.world.Log.Retained(); left != 0 {
		h.fail("%d bytes of log are left after the last checkpoint", left)
	}
	mark, err := h.world.Store.Mark(h.t.Context())
	if err != nil {
		h.fail("%v", err)
	}
	for id, seq := range h.positions() {
		if got := mark.Partitions[id].Seq; got != seq {
			h.fail("the last checkpoint reaches %d of partition %d, which stands at %d", got, id, seq)
		}
	}
}

// checkScans holds a scan, the tree and the leaves against single reads.
func (h *history) checkScans() {
	h.t.Helper()
	all := map[string]string{}
	h.scan(func(rows map[string]string) { maps.Copy(all, rows) })
	h.world.Settle()
	want := &merkle.Tree{}
	for _, key := range historyKeys {
		state, ok := h.world.Read(h.t, "notes", key)
		if got, scanned := all[key]; scanned != ok || got != state {
			h.fail("a scan shows %x of %s, a read %x", got, key, state)
		}
		if !ok {
			continue
		}
		want.Update(hash.Key(key), 0, crdt.LWWHashOf(key, state), 1)
		found := ""
		h.world.Engine.Leaf("notes", merkle.LeafOf(hash.Key(key)), func(rows []engine.Row, err error) {
			for _, r := range rows {
				if r.Key == key && found == "" {
					found = r.State
				} else if r.Key == key {
					h.fail("a leaf shows %s twice", key)
				}
			}
		})
		h.world.Settle()
		if found != state {
			h.fail("a leaf shows %x of %s, a read %x", found, key, state)
		}
	}
	h.world.Engine.Tree("notes", "", func(got *merkle.Tree, err error) {
		if err != nil || got.Root() != want.Root() {
			h.fail("the tree has root %08x, its records %08x; %v", got.Root(), want.Root(), err)
		}
	})
	h.world.Settle()
}

// checkpoint makes one and returns how it went.
func (h *history) checkpoint() error { return checkpoint(h.t, h.world) }

func checkpoint(t *testing.T, w *gridtest.World) error {
	t.Helper()
	answers := 0
	var outcome error
	w.Checkpointer.Request(func(err error) { outcome, answers = err, answers+1 })
	for range 3 {
		w.Settle()
		w.Clock.Advance(time.Second)
	}
	if answers != 1 {
		t.Fatalf("a checkpoint was answered %d times", answers)
	}
	return outcome
}

// look is a task that looks at the replicas of a lane.
type look struct {
	seen map[partition.ID]replicaView
	err  error
	done int
}

type replicaView struct {
	seq   uint64
	dirty int
	rows  map[place]string
}

func (*look) Writes() bool { return false }

func (l *look) Step(v *lane.View) {
	l.seen = map[partition.ID]replicaView{}
	m := v.Shared().Find("notes")
	v.Replicas(func(r *records.Replica) bool {
		view := replicaView{seq: r.Seq(), dirty: r.Dirty(), rows: map[place]string{}}
		if m != nil && r.Table(m) != nil {
			for _, key := range historyKeys {
				if e, ok := r.Table(m).Get(hash.Key(key), key); ok && !e.Hollow() {
					view.rows[place{r.ID, e.Seq()}] = "notes/" + key + "=" + e.State()
				}
			}
		}
		l.seen[r.ID] = view
		return true
	})
}

func (l *look) Release(err error) { l.err, l.done = err, l.done+1 }

// TestHistoriesKeepWhatWasAcknowledged runs random histories with failing syncs,
// failing checkpoints and power cuts. Whatever happens: what was acknowledged is
// there, each position is published once and in order, the store holds nothing
// that is not durable, and everything is answered once.
func TestHistoriesKeepWhatWasAcknowledged(t *testing.T) {
	histories(t, 0)
}

// TestHistoriesWithLittleMemory is the same with room for a tenth of the records,
// and with reads of the store that fail: what is not in memory is there all the
// same, in reads, scans and trees.
func TestHistoriesWithLittleMemory(t *testing.T) {
	histories(t, 3000)
}

func histories(t *testing.T, memory int) {
	t.Helper()
	total := struct{ acked, failed, cuts, checkpoints, evicted, emptied, loads int }{}
	for seed := range uint64(40) {
		h := newHistory(t, seed+1, memory)
		for range 1500 {
			h.act()
		}
		h.heal()
		total.acked += h.stats.acked
		total.failed += h.stats.failed
		total.cuts += h.stats.cuts
		total.checkpoints += h.stats.checkpoints
		total.evicted += h.stats.evicted
		total.emptied += h.stats.emptied
		total.loads += h.stats.loads
	}
	if total.acked == 0 || total.failed == 0 || total.cuts == 0 || total.checkpoints == 0 || memory > 0 && min(total.evicted, total.emptied, total.loads) == 0 {
		t.Errorf("the histories do too little: %+v", total)
	}
	t.Logf("%+v", total)
}
