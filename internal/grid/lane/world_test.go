package lane_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/grid/feed"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// errScript is what a scripted log or loader fails with.
var errScript = errors.New("scripted failure")

// scriptedLog is a log that syncs and fails when the test says so.
type scriptedLog struct {
	w       *world
	gen     uint64
	ends    []log.LSN // durable at the end of each generation before
	frames  []frame   // in the log now: durable ones and those on their way
	end     log.LSN
	durable log.LSN
	healthy bool
	refuse  error // the next append is refused
	full    bool  // appends are refused for now
}

type frame struct {
	lsn     log.LSN
	payload []byte
}

func (l *scriptedLog) Append(gen uint64, payloads ...[]byte) (log.LSN, error) {
	switch {
	case gen != l.gen:
		return 0, log.ErrStale
	case !l.healthy:
		return 0, log.ErrUnavailable
	case l.refuse != nil:
		err := l.refuse
		l.refuse = nil
		return 0, err
	case l.full:
		return 0, log.ErrFull
	}
	for _, p := range payloads {
		l.end += 10
		l.frames = append(l.frames, frame{l.end, append([]byte(nil), p...)})
	}
	l.w.say("append")
	return l.end, nil
}

func (l *scriptedLog) Generation() uint64 { return l.gen }
func (l *scriptedLog) Durable() log.LSN   { return l.durable }
func (l *scriptedLog) End() log.LSN       { return l.end }
func (l *scriptedLog) Healthy() bool      { return l.healthy }

func (l *scriptedLog) DurableAt(gen uint64) log.LSN {
	if gen == l.gen {
		return l.durable
	}
	return l.ends[gen-1]
}

// sync makes the next n frames durable.
func (l *scriptedLog) sync(n int) {
	for _, f := range l.frames {
		if f.lsn > l.durable && n > 0 {
			l.durable = f.lsn
			n--
		}
	}
}

// fail loses what is not durable.
func (l *scriptedLog) fail() {
	kept := l.frames[:0]
	for _, f := range l.frames {
		if f.lsn <= l.durable {
			kept = append(kept, f)
		}
	}
	l.frames = kept
	l.ends = append(l.ends, l.durable)
	l.gen++
	l.healthy = false
}

func (l *scriptedLog) recover() { l.healthy = true }

// Load replays what is durable.
func (l *scriptedLog) Load(replicas []*records.Replica) error {
	if l.w.loadErr != nil {
		return l.w.loadErr
	}
	var ids []partition.ID
	for _, r := range replicas {
		ids = append(ids, r.ID)
	}
	l.w.loaded = append(l.w.loaded, ids)
	for _, f := range l.frames {
		if f.lsn > l.durable {
			l.w.t.Errorf("partitions are loaded while the frame at %d is on its way", f.lsn)
			continue
		}
		err := change.ReadBatch(f.payload, func(c *change.Record) error {
			for _, r := range replicas {
				if r.ID == c.Pos.Partition {
					return r.InstallRecord(c)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// world is a lane that owns every partition, over a scripted log. It writes down
// what becomes of everything, in order.
type world struct {
	t     *testing.T
	clock *gridtest.Clock
	log   *scriptedLog
	lane  *lane.Lane
	inbox *feed.Inbox
	said  []string

	// published is what a follower that applies the changes holds; nil if nobody
	// looks.
	published map[string]string

	loaded  [][]partition.ID
	loadErr error
	millis  int64
}

func newWorld(t *testing.T, opt lane.Options) *world {
	t.Helper()
	w := &world{t: t, clock: gridtest.NewClock()}
	w.log = &scriptedLog{w: w, gen: 1, healthy: true}
	fd := &feed.Feed{}
	w.inbox = fd.Follow(1<<20, actor.NewBell())
	shared := records.NewShared(&records.Kinds{}, records.NewKeeping(records.Lifetimes{}), records.Memory{})
	var own []*records.Replica
	for id := range partition.Count {
		own = append(own, records.NewReplica(partition.ID(id), shared))
	}
	w.lane = lane.New(lane.NewClock("server", w.clock), w.log, w.log, fd, shared, own, opt)
	return w
}

// say writes something down, behind what was published before it.
func (w *world) say(format string, args ...any) {
	w.drain()
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

// drain writes down what was published.
func (w *world) drain() {
	for _, it := range w.inbox.Take() {
		for _, c := range it.Changes {
			if w.published != nil {
				w.published[c.Key] = text(c.After)
			}
			w.said = append(w.said, "publish "+c.Key+"="+text(c.After))
		}
	}
}

// heard returns what was written down since the last call.
func (w *world) heard() []string {
	w.drain()
	said := w.said
	w.said = nil
	return said
}

// run steps the lane until it has nothing to do.
func (w *world) run() {
	for w.lane.Step() {
	}
}

// task is a write of one key, or a read of one.
type task struct {
	w     *world
	name  string
	write bool
	key   string
	value int

	steps, releases int
	saw             string
	err             error
	result          records.Result
	then            func(err error)
}

func (k *task) Writes() bool { return k.write }

func (k *task) Step(v *lane.View) {
	k.steps++
	if k.write {
		k.w.millis++
		op := gridtest.Put("m", k.key, gridtest.Int(k.value), gridtest.At(k.w.millis, "x"))
		k.result = v.Do(&op)
		return
	}
	k.saw = "nothing"
	m := v.Shared().Find("m")
	if m == nil {
		return
	}
	h := hash.Key(k.key)
	if t := v.Replica(partition.Of(h)).Table(m); t != nil {
		if e, ok := t.Get(h, k.key); ok {
			k.saw = text(e.State())
		}
	}
}

func (k *task) Release(err error) {
	k.releases++
	k.err = err
	switch {
	case err != nil:
		k.w.say("fail %s", k.name)
	case k.write:
		k.w.say("done %s", k.name)
	default:
		k.w.say("done %s: %s", k.name, k.saw)
	}
	if k.then != nil {
		k.then(err)
	}
}

func (w *world) submit(k *task) *task {
	w.t.Helper()
	k.w = w
	if !w.lane.Submit(k) {
		w.t.Fatalf("%s finds no room", k.name)
	}
	return k
}

// write submits a write of a key.
func (w *world) write(key string, n int) *task {
	w.t.Helper()
	return w.submit(&task{name: fmt.Sprint(key, "=", n), write: true, key: key, value: n})
}

// read submits a read of a key.
func (w *world) read(key string) *task {
	w.t.Helper()
	return w.submit(&task{name: "read " + key, key: key})
}

// durable is what replaying the log gives: all values of each key, in order.
func (w *world) durable(t interface{ Fatalf(string, ...any) }) map[string][]string {
	out := map[string][]string{}
	for _, f := range w.log.frames {
		if f.lsn > w.log.durable {
			continue
		}
		err := change.ReadBatch(f.payload, func(c *change.Record) error {
			out[c.Key] = append(out[c.Key], text(c.After))
			return nil
		})
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	return out
}
