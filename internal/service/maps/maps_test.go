package maps_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/gridtest"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/maps"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

type harness struct {
	t       *testing.T
	world   *gridtest.World
	service *maps.Service
	nextID  uint64
}

func newHarness(t *testing.T, opt gridtest.Options) *harness {
	t.Helper()
	w := gridtest.Open(t, opt)
	lim := service.Limits{KeyBytes: 16, ValueBytes: 64}
	return &harness{t: t, world: w, service: maps.New(w.Engine, w.Clock, prometheus.NewRegistry(), lim, tracker{}, maps.Options{})}
}

// reporting makes the service carry out what it cannot bring as far as asked.
func (h *harness) reporting() *harness {
	lim := service.Limits{KeyBytes: 16, ValueBytes: 64}
	h.service = maps.New(h.world.Engine, h.world.Clock, prometheus.NewRegistry(), lim, tracker{}, maps.Options{ReportUnreachable: true})
	return h
}

func (h *harness) join() *servicetest.Caller {
	h.nextID++
	return servicetest.NewCaller(h.nextID, 1000)
}

// handle gives the service a message as it arrives from the wire.
func (h *harness) handle(c *servicetest.Caller, m wire.Message) error {
	h.t.Helper()
	arrived, size := servicetest.Frame(h.t, m)
	return h.service.Handle(c.Caller, arrived, size)
}

func (h *harness) must(c *servicetest.Caller, m wire.Message) {
	h.t.Helper()
	if err := h.handle(c, m); err != nil {
		h.t.Fatalf("%s: %v", m.Type(), err)
	}
}

func put(id, key string, ts hlc.Timestamp) wire.ClientOp {
	return wire.ClientOp{
		ID: id, MapName: "notes", Key: key, OpType: "PUT",
		Record: wire.Given(wire.LWWRecord{Value: gridtest.Int(1), Timestamp: ts}),
	}
}

func batch(ops ...wire.ClientOp) *wire.OpBatch { return &wire.OpBatch{Ops: ops} }

// short says what was sent: the type, and what matters of it.
func short(messages []wire.Message) string {
	var out []string
	for _, m := range messages {
		switch m := m.(type) {
		case *wire.OpAck:
			words := []string{"ack", m.LastID, string(m.AchievedLevel)}
			for _, r := range m.Results {
				words = append(words, fmt.Sprintf("%s:%t:%s", r.OpID, r.Success, r.AchievedLevel))
			}
			out = append(out, strings.Join(words, " "))
		case *wire.OpRejected:
			name, _, _ := strings.Cut(m.Reason, ":")
			out = append(out, fmt.Sprintf("rejected %s %s", m.OpID, name))
		case *wire.ServerEvent:
			out = append(out, fmt.Sprintf("event %s %s %s", m.EventType, m.Key, m.Record.Value.Timestamp.Node))
		case *wire.Error:
			name, _ := value.Lookup(m.Details, value.ParsePath("name"))
			request, _ := value.Lookup(m.Details, value.ParsePath("request"))
			out = append(out, fmt.Sprintf("error %s %s", value.AppendCanonical(nil, name), value.AppendCanonical(nil, request)))
		default:
			out = append(out, m.Type().String())
		}
	}
	return strings.Join(out, ", ")
}

// TestWhatABatchIsAnswered is the table of OP_BATCH and CLIENT_OP: what is
// carried out, what is refused by name, at which level, and what is said of it.
func TestWhatABatchIsAnswered(t *testing.T) {
	at := func(n int64) hlc.Timestamp { return gridtest.At(n, "x") }
	with := func(op wire.ClientOp, change func(*wire.ClientOp)) wire.ClientOp {
		change(&op)
		return op
	}
	concern := func(op wire.ClientOp, w wire.WriteConcern) wire.ClientOp {
		op.WriteConcern = w
		return op
	}
	large := with(put("1", "k", at(1)), func(op *wire.ClientOp) {
		op.Record.Value.Value = value.AppendStr(nil, strings.Repeat("v", 70))
	})
	other := with(put("2", "k", at(1)), func(op *wire.ClientOp) { op.MapName = "m:n" })
	reserved := with(put("3", "k", at(1)), func(op *wire.ClientOp) { op.MapName = "__topgun_x" })
	longKey := put("4", strings.Repeat("k", 17), at(1))
	add := wire.ClientOp{
		ID: "5", MapName: "notes", Key: "k", OpType: "OR_ADD",
		ORRecord: wire.Some(wire.ORRecord{Value: gridtest.Int(1), Timestamp: at(1), Tag: "t"}),
	}
	for _, c := range []struct {
		name    string
		null    bool
		message wire.Message
		want    string
	}{
		{"one write", false, batch(put("1", "k", at(1))), "ack 1 PERSISTED"},
		{"one write alone", false, &wire.ClientOpMessage{ClientOp: put("1", "k", at(1))}, "ack 1 PERSISTED"},
		{"several", false, batch(put("1", "k", at(1)), put("2", "l", at(1))), "ack 2 PERSISTED"},
		{"without an id at the end", false, batch(put("1", "k", at(1)), put("", "l", at(1))), "ack 1 PERSISTED"},
		{"without any id", false, batch(put("", "k", at(1))), ""},
		{"without storage", true, batch(put("1", "k", at(1))), "ack 1 APPLIED"},
		{"applied is enough", false, &wire.OpBatch{Ops: []wire.ClientOp{put("1", "k", at(1))}, WriteConcern: wire.Applied}, "ack 1 APPLIED 1:true:APPLIED"},
		{"the strongest counts", false, batch(concern(put("1", "k", at(1)), wire.Applied), concern(put("2", "l", at(1)), wire.Persisted)), "ack 2 PERSISTED 1:true:PERSISTED 2:true:PERSISTED"},
		{"an operation overrides its batch", false, &wire.OpBatch{Ops: []wire.ClientOp{concern(put("1", "k", at(1)), wire.Applied)}, WriteConcern: wire.Persisted}, "ack 1 APPLIED 1:true:APPLIED"},
		{"persisted without storage", true, batch(concern(put("1", "k", at(1)), wire.Persisted)), "rejected 1 WRITE_CONCERN_UNAVAILABLE, ack 1 APPLIED 1:false:FIRE_AND_FORGET"},
		{"replicated, by a node that is alone", false, batch(concern(put("1", "k", at(1)), wire.Replicated), put("2", "l", at(1))), "rejected 1 WRITE_CONCERN_UNAVAILABLE, ack 2 PERSISTED 1:false:FIRE_AND_FORGET 2:true:PERSISTED"},
		{"a value that is too large", false, batch(large), "rejected 1 TOO_LARGE, ack 1 PERSISTED 1:false:FIRE_AND_FORGET"},
		{"four that are refused and one that is not", false, batch(large, other, reserved, longKey, put("5", "k", at(1))), "rejected 1 TOO_LARGE, rejected 2 INVALID_NAME, rejected 3 RESERVED_MAP, rejected 4 TOO_LARGE, ack 5 PERSISTED 1:false:FIRE_AND_FORGET 2:false:FIRE_AND_FORGET 3:false:FIRE_AND_FORGET 4:false:FIRE_AND_FORGET"},
		{"another kind of map", false, batch(put("4", "k", at(1)), add), "rejected 5 MAP_TYPE_MISMATCH, ack 5 PERSISTED 5:false:FIRE_AND_FORGET"},
		{"a timestamp too far ahead", false, batch(put("1", "k", at(3600_000))), "event PUT k server, ack 1 PERSISTED"},
		{"no operations", false, batch(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, gridtest.Options{Null: c.null})
			p := h.join()
			h.must(p, c.message)
			h.world.Settle()
			if got := short(p.Take(t)); got != c.want {
				t.Errorf("answered\n%s\nwant\n%s", got, c.want)
			}
			if ops, bytes := h.world.Engine.Credit.Used(); ops != 0 || bytes != 0 {
				t.Errorf("%d operations of %d bytes count as under way", ops, bytes)
			}
		})
	}
}

// TestAcknowledgedIsOnDisk is ACK-DURABLE: who asks for nothing hears nothing
// before the sync; who asks for less hears at once.
func TestAcknowledgedIsOnDisk(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	p, quick := h.join(), h.join()
	h.must(p, batch(put("1", "k", gridtest.At(1, "x"))))
	h.must(quick, &wire.OpBatch{Ops: []wire.ClientOp{put("1", "l", gridtest.At(1, "y"))}, WriteConcern: wire.Applied})
	h.world.StepActors()
	if got := short(p.Take(t)); got != "" {
		t.Fatalf("before the sync: %s", got)
	}
	if got := short(quick.Take(t)); got != "ack 1 APPLIED 1:true:APPLIED" {
		t.Errorf("who asks for less: %s", got)
	}
	h.world.Settle()
	if got := short(p.Take(t)); got != "ack 1 PERSISTED" {
		t.Errorf("after it: %s", got)
	}
}

// TestAnAcknowledgementCoversEverythingBeforeIt: one that asked for less waits
// for the one before it; behind a failed one there is none.
func TestAnAcknowledgementCoversEverythingBeforeIt(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	p := h.join()
	h.must(p, batch(put("1", "k", gridtest.At(1, "x"))))
	h.must(p, &wire.OpBatch{Ops: []wire.ClientOp{put("2", "l", gridtest.At(1, "x"))}, WriteConcern: wire.Applied})
	h.world.StepActors()
	if got := short(p.Take(t)); got != "" {
		t.Fatalf("before the first is durable: %s", got)
	}
	h.world.Settle()
	if got := short(p.Take(t)); got != "ack 1 PERSISTED, ack 2 APPLIED 2:true:APPLIED" {
		t.Errorf("after it: %s", got)
	}

	h.must(p, batch(put("3", "k", gridtest.At(2, "x"))))
	h.world.StepActors()
	h.world.FailSyncs(1)
	h.must(p, &wire.OpBatch{Ops: []wire.ClientOp{put("4", "l", gridtest.At(2, "x"))}, WriteConcern: wire.Applied})
	h.world.Settle()
	if got := short(p.Take(t)); got != `error UNAVAILABLE 3` {
		t.Errorf("behind a failed sync: %s", got)
	}
	if why := p.Closed(); why == nil || why.Code != wire.CloseTryAgainLater {
		t.Errorf("closed with %v", why)
	}
	again := h.join()
	h.must(again, batch(put("3", "k", gridtest.At(2, "x")), put("4", "l", gridtest.At(2, "x"))))
	h.world.Settle()
	if got := short(again.Take(t)); got != "ack 4 PERSISTED" {
		t.Errorf("delivered again: %s", got)
	}
}

// TestARestampedWriterIsToldBoth: the record that its write was stored as, and
// what has replaced it since; delivered again, the same.
func TestARestampedWriterIsToldBoth(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	p, other := h.join(), h.join()
	early := batch(put("1", "k", gridtest.At(3600_000, "x")))
	h.must(p, early)
	h.world.Settle()
	first := p.Take(t)
	if got := short(first); got != "event PUT k server, ack 1 PERSISTED" {
		t.Fatalf("at first: %s", got)
	}
	h.must(other, batch(put("1", "k", gridtest.At(50_000, "y"))))
	h.world.Settle()
	h.must(p, early)
	h.world.Settle()
	again := p.Take(t)
	if got := short(again); got != "event PUT k server, event PUT k y, ack 1 PERSISTED" {
		t.Fatalf("delivered again: %s", got)
	}
	was, is := first[0].(*wire.ServerEvent).Record.Value.Timestamp, again[0].(*wire.ServerEvent).Record.Value.Timestamp
	if was != is {
		t.Errorf("told %s at first, and %s when delivered again", was, is)
	}
}

// TestALateBatchIsToldAndAcknowledged: once, when its time is up, by its last id;
// its acknowledgement comes all the same.
func TestALateBatchIsToldAndAcknowledged(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout int64
		quiet   time.Duration
	}{
		{"five seconds, if it asks for nothing", 0, 5 * time.Second},
		{"as long as it asks for", 200, 200 * time.Millisecond},
		{"an hour, if it asks for more", 1 << 62, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, gridtest.Options{})
			p := h.join()
			m := batch(put("1", "k", gridtest.At(1, "x")), put("2", "l", gridtest.At(1, "x")))
			m.Timeout = c.timeout
			h.must(p, m)
			h.world.Clock.Advance(c.quiet - time.Millisecond)
			h.service.Sweep()
			if got := short(p.Take(t)); got != "" {
				t.Fatalf("too soon: %s", got)
			}
			h.world.Clock.Advance(time.Millisecond)
			h.service.Sweep()
			h.service.Sweep()
			if got := short(p.Take(t)); got != "error TIMEOUT 2" {
				t.Errorf("when the time is up: %s", got)
			}
			h.world.Settle()
			if got := short(p.Take(t)); got != "ack 2 PERSISTED" {
				t.Errorf("when it is durable: %s", got)
			}
			h.must(p, batch(put("3", "k", gridtest.At(2, "x"))))
			h.world.Settle()
			h.world.Clock.Advance(2 * time.Hour)
			h.service.Sweep()
			if got := short(p.Take(t)); got != "ack 3 PERSISTED" {
				t.Errorf("a batch in time: %s", got)
			}
		})
	}
}

// TestABusyServerHasDoneNothing: without room for operations, or for answers, a
// batch is turned away whole, and the session is told when to come again.
func TestABusyServerHasDoneNothing(t *testing.T) {
	h := newHarness(t, gridtest.Options{Engine: engine.Options{Lanes: 1, MaxOps: 2}})
	p := h.join()
	h.must(p, batch(put("1", "k", gridtest.At(1, "x")), put("2", "l", gridtest.At(1, "x"))))
	if err := h.handle(p, batch(put("3", "m", gridtest.At(1, "x")))); !errors.Is(err, service.ErrBusy) {
		t.Fatalf("without room for operations: %v", err)
	}
	if p.Woken() != 0 {
		t.Error("told to come again at once")
	}
	h.world.Settle()
	if p.Woken() != 1 {
		t.Errorf("told to come again %d times", p.Woken())
	}
	if _, ok := h.world.Read(t, "notes", "m"); ok {
		t.Error("a batch that was turned away has done something")
	}
	h.must(p, batch(put("3", "m", gridtest.At(1, "x"))))
	h.world.Settle()
	if got := short(p.Take(t)); got != "ack 2 PERSISTED, ack 3 PERSISTED" {
		t.Errorf("in the end: %s", got)
	}

	one := servicetest.NewCaller(99, 1)
	h.must(one, batch(put("1", "k", gridtest.At(2, "x"))))
	if err := h.handle(one, batch(put("2", "k", gridtest.At(3, "x")))); !errors.Is(err, service.ErrBusy) {
		t.Fatalf("without room for answers: %v", err)
	}
	if ops, _ := h.world.Engine.Credit.Used(); ops != 1 {
		t.Errorf("%d operations count as under way", ops)
	}
	h.world.Settle()
	if one.Woken() != 1 {
		t.Errorf("told to come again %d times", one.Woken())
	}
}

// TestAnOperationThatIsWrongInItself is refused by its id, with the words of the
// decoder, and the others of its frame go on.
func TestAnOperationThatIsWrongInItself(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	p := h.join()
	good := put("2", "k", gridtest.At(1, "x"))
	bad := wire.ClientOp{ID: "1", MapName: "notes", Key: "k", OpType: "OR_ADD"}
	h.must(p, batch(bad, good))
	h.world.Settle()
	if got := short(p.Take(t)); got != "rejected 1 INVALID_FIELD, ack 2 PERSISTED 1:false:FIRE_AND_FORGET" {
		t.Errorf("%s", got)
	}
	if _, ok := h.world.Read(t, "notes", "k"); !ok {
		t.Error("the good one is not there")
	}
}

// TestEveryKindOfOperation reaches the grid as what it is.
func TestEveryKindOfOperation(t *testing.T) {
	h := newHarness(t, gridtest.Options{})
	p := h.join()
	at := gridtest.At(1, "x")
	or := func(id, kind, tag string) wire.ClientOp {
		op := wire.ClientOp{ID: id, MapName: "tags", Key: "k", OpType: kind}
		if kind == "OR_ADD" {
			op.ORRecord = wire.Some(wire.ORRecord{Value: gridtest.Int(1), Timestamp: at, Tag: tag})
		} else {
			op.ORTag = wire.Some(tag)
		}
		return op
	}
	remove := wire.ClientOp{
		ID: "2", MapName: "notes", Key: "k", OpType: "REMOVE",
		Record: wire.Given(wire.LWWRecord{Timestamp: gridtest.At(2, "x")}),
	}
	h.must(p, batch(put("1", "k", at), remove, or("3", "OR_ADD", "a"), or("4", "OR_ADD", "b"), or("5", "OR_REMOVE", "a")))
	h.world.Settle()
	if got := short(p.Take(t)); got != "ack 5 PERSISTED" {
		t.Fatalf("%s", got)
	}
	s := contents(t, h, "tags", "k")
	if s.live != "b" || s.dead != "a" {
		t.Errorf("the set holds %q, and of %q that it was removed", s.live, s.dead)
	}
	if l := contents(t, h, "notes", "k"); !l.tombstone || l.ts != gridtest.At(2, "x") {
		t.Errorf("the map holds %+v", l)
	}
}

// tracker remembers everybody.
type tracker struct{}

func (tracker) Track(*service.Caller) bool { return true }

// TestConcernsThatCannotBeReachedAreReported, if the node is told to: the
// operation is carried out as far as it can be, and its result says so and why.
// An operation that is refused for another reason is refused.
func TestConcernsThatCannotBeReachedAreReported(t *testing.T) {
	concern := func(op wire.ClientOp, w wire.WriteConcern) wire.ClientOp {
		op.WriteConcern = w
		return op
	}
	at := gridtest.At(1, "x")
	large := concern(put("2", "l", at), wire.Replicated)
	large.Record.Value.Value = value.AppendStr(nil, strings.Repeat("v", 70))
	for _, c := range []struct {
		name    string
		null    bool
		message wire.Message
		want    string
	}{
		{"replicated", false, batch(concern(put("1", "k", at), wire.Replicated), put("2", "l", at)), "ack 2 PERSISTED 1:false:PERSISTED 2:true:PERSISTED"},
		{"replicated, nothing is kept", true, batch(put("1", "l", at), concern(put("2", "k", at), wire.Replicated)), "ack 2 APPLIED 1:true:APPLIED 2:false:APPLIED"},
		{"persisted, nothing is kept", true, &wire.OpBatch{Ops: []wire.ClientOp{put("1", "k", at)}, WriteConcern: wire.Persisted}, "ack 1 APPLIED 1:false:APPLIED"},
		{"too large as well", false, batch(concern(put("1", "k", at), wire.Replicated), large), "rejected 2 TOO_LARGE, ack 2 PERSISTED 1:false:PERSISTED 2:false:FIRE_AND_FORGET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, gridtest.Options{Null: c.null}).reporting()
			p := h.join()
			h.must(p, c.message)
			h.world.StepActors()
			if got := short(p.Take(t)); !c.null && got != "" || c.null && got != c.want {
				t.Errorf("before anything is on disk: %s", got)
			}
			h.must(p, c.message) // again, in the memory of the first
			h.world.Settle()
			want := c.want
			if !c.null {
				want += ", " + c.want
			}
			if got := short(p.Take(t)); got != want {
				t.Errorf("answered\n%s\nwant\n%s", got, want)
			}
			if _, ok := h.world.Read(t, "notes", "k"); !ok {
				t.Error("the operation was not carried out")
			}
		})
	}
}

// TestAFullLogBesideAFailingStoreIsNoMatterOfWaiting: writes are refused for now,
// by name, and the session ends, so that nothing behind them is acknowledged.
func TestAFullLogBesideAFailingStoreIsNoMatterOfWaiting(t *testing.T) {
	h := newHarness(t, gridtest.Options{Engine: engine.Options{MaxLogBytes: 64}, Checkpoint: engine.CheckpointOptions{LogBytes: 32}})
	h.world.Store.OnApply(func() gridtest.Outcome { return gridtest.Refuses })
	p := h.join()
	h.must(p, batch(put("1", "k", gridtest.At(1, "x"))))
	h.world.Settle()
	if got := short(p.Take(t)); got != "ack 1 PERSISTED" {
		t.Fatalf("the first: %s", got)
	}
	h.must(p, batch(put("2", "k", gridtest.At(2, "x"))))
	if got := short(p.Take(t)); got != "error UNAVAILABLE 2" {
		t.Errorf("the second: %s", got)
	}
	if why := p.Closed(); why == nil || why.Code != wire.CloseTryAgainLater {
		t.Errorf("closed with %v", why)
	}
	h.world.Store.OnApply(nil)
	h.world.Clock.Advance(time.Second)
	h.world.Settle()
	again := h.join()
	h.must(again, batch(put("2", "k", gridtest.At(2, "x"))))
	h.world.Settle()
	if got := short(again.Take(t)); got != "ack 2 PERSISTED" {
		t.Errorf("when the store works again: %s", got)
	}
}

// TestOperationsOfTheSameID: each is told its own reason, and one without an id
// too.
func TestOperationsOfTheSameID(t *testing.T) {
	for _, id := range []string{"1", ""} {
		h := newHarness(t, gridtest.Options{})
		p := h.join()
		large, other, ok := put(id, "k", gridtest.At(1, "x")), put(id, "k", gridtest.At(1, "x")), put("2", "k", gridtest.At(1, "x"))
		large.Record.Value.Value = value.AppendStr(nil, strings.Repeat("v", 70))
		other.MapName = "m:n"
		h.must(p, batch(large, other, ok))
		h.world.Settle()
		var reasons []string
		for _, m := range p.Take(t) {
			if ack, ok := m.(*wire.OpAck); ok {
				for _, r := range ack.Results {
					reasons = append(reasons, r.Error)
				}
			}
		}
		if len(reasons) != 2 || !strings.Contains(reasons[0], "value") || !strings.Contains(reasons[1], "colon") {
			t.Errorf("the results of two operations with the id %q: %q", id, reasons)
		}
	}
}
