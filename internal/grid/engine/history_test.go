package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
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
	stats   struct{ acked, failed, cuts, checkpoints, reloads int }
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	h := &history{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), witness: newWitness(), acked: map[string]records.Op{},
		world: gridtest.Open(t, gridtest.Options{Checkpoint: engine.CheckpointOptions{LogBytes: 3 << 10, SliceRows: 2}}),
	}
	h.witness.follow(h.world)
	h.world.Store.OnApply(h.outcome)
	return h
}

func (h *history) outcome() gridtest.Outcome {
	return []gridtest.Outcome{gridtest.Works, gridtest.Works, gridtest.Refuses, gridtest.Pretends}[h.rng.IntN(4)]
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
	default:
		h.world.StepRandom(h.rng)
	}
	h.collect()
	h.checkStore()
}

// write writes a few keys in one batch.
func (h *history) write() {
	for range 1 + h.rng.IntN(3) {
		h.millis++
		o := gridtest.Put("notes", historyKeys[h.rng.IntN(len(historyKeys))], gridtest.Int(int(h.millis)), gridtest.At(h.millis, "x"))
		if h.rng.IntN(5) == 0 {
			o = gridtest.Put(o.Map, o.Key, nil, o.TS)
		}
		h.writes = append(h.writes, &write{o, h.world.Do(engine.Durable, o)})
	}
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
	h.world, h.writes = next, nil
	h.witness.last = h.positions()
	h.witness.follow(next)
	next.Store.OnApply(h.outcome)
	h.checkAcked("after a power cut")
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
	h.world.Store.OnApply(nil)
	for range 3 {
		h.world.Settle()
		h.world.Clock.Advance(time.Second)
	}
	h.collect()
	if len(h.writes) > 0 {
		h.fail("%d writes are never answered", len(h.writes))
	}
	h.checkAcked("at the end")
	if err := h.checkpoint(); err != nil {
		h.fail("the last checkpoint: %v", err)
	}
	h.stats.checkpoints += int(h.world.Checkpointer.Stats().Checkpoints)
	h.checkStore()
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
				if e, ok := r.Table(m).Get(hash.Key(key), key); ok {
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
	total := struct{ acked, failed, cuts, checkpoints int }{}
	for seed := range uint64(40) {
		h := newHistory(t, seed+1)
		for range 1500 {
			h.act()
		}
		h.heal()
		total.acked += h.stats.acked
		total.failed += h.stats.failed
		total.cuts += h.stats.cuts
		total.checkpoints += h.stats.checkpoints
	}
	if total.acked == 0 || total.failed == 0 || total.cuts == 0 || total.checkpoints == 0 {
		t.Errorf("the histories do too little: %+v", total)
	}
	t.Logf("%+v", total)
}
