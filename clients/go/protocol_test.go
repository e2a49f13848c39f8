package topgun_test

import (
	"errors"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

func TestOperationsAreSentInOrderAndOnceOnAConnection(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)

	w1 := must(m.Set("a", 1))(t)
	if got := ids(want[*wire.OpBatch](conn)); got != "[1]" {
		t.Fatalf("first %s", got)
	}
	w2 := must(m.Set("b", 2))(t)
	if got := ids(want[*wire.OpBatch](conn)); got != "[2]" {
		t.Fatalf("then %s: what was sent is not sent again", got)
	}
	w3 := must(m.Remove("a"))(t)
	batch := want[*wire.OpBatch](conn)
	if op := batch.Ops[0]; ids(batch) != "[3]" || op.OpType != "REMOVE" || !op.Record.Value.Tombstone() || op.Record.Value.Timestamp.IsZero() {
		t.Fatalf("then %+v", batch)
	}

	// A cumulative acknowledgement; the third operation stays.
	conn.send(&wire.OpAck{LastID: "2", AchievedLevel: wire.Persisted})
	for _, w := range []*topgun.Write{w1, w2} {
		if level := written(t, w, nil); level != topgun.Persisted {
			t.Errorf("level %v", level)
		}
	}
	if c.Pending() != 1 {
		t.Errorf("%d operations wait, want 1", c.Pending())
	}
	conn.hangUp()

	conn = s.accept()
	if hello := conn.welcome(); hello.DeviceToken != "d.secret" {
		t.Errorf("the device says %q", hello.DeviceToken)
	}
	must(m.Set("c", 3))(t)
	batch = want[*wire.OpBatch](conn)
	if got := batch.Ops[0].ID; got != "3" {
		t.Fatalf("after the reconnect first %s, want the operation without an answer", got)
	}
	conn.send(&wire.OpAck{LastID: "3", AchievedLevel: wire.Applied})
	if level := written(t, w3, nil); level != topgun.Applied {
		t.Errorf("level %v", level)
	}
}

func TestAnAcknowledgementCoversOnlyWhatWasSent(t *testing.T) {
	s := startScript(t)
	reports := make(chan error, 10)
	c, conn := s.meet(topgun.WithErrorHandler(func(err error) { reports <- err }))
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	w := must(m.Set("a", 1))(t)
	want[*wire.OpBatch](conn)
	conn.send(&wire.OpAck{LastID: "unknown"})
	var bad *topgun.ServerError
	if err := <-reports; !errors.As(err, &bad) || bad.Type != "OP_ACK" {
		t.Errorf("the handler is told %v", err)
	}
	if c.Pending() != 1 {
		t.Fatal("an acknowledgement without a number took the operation away")
	}
	conn.send(&wire.OpAck{LastID: "1000000", AchievedLevel: wire.Persisted})
	written(t, w, nil)
	w = must(m.Set("a", 2))(t)
	if got := ids(want[*wire.OpBatch](conn)); got != "[2]" {
		t.Fatalf("got %s", got)
	}
	select {
	case <-w.Done():
		t.Error("the next operation was taken for acknowledged")
	default:
	}
}

func TestOperationsComeAgainAfterAnError(t *testing.T) {
	s := startScript(t)
	reports := make(chan error, 10)
	c, conn := s.meet(topgun.WithErrorHandler(func(err error) { reports <- err }))
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	w := must(m.Set("a", 1))(t)
	want[*wire.OpBatch](conn)
	conn.send(wire.NewError(wire.CodeUnavailable, "the disk is full", wire.TypeOpBatch, "1"))
	var e *topgun.ServerError
	if err := <-reports; !errors.As(err, &e) || e.Code != 503 || e.Name != "UNAVAILABLE" || e.Type != "OP_BATCH" || e.Request != "1" || e.Message != "the disk is full" {
		t.Errorf("the handler is told %#v", err)
	}
	conn.hangUp()
	if err := <-reports; !errors.Is(err, topgun.ErrDisconnected) {
		t.Errorf("the handler is told %v", err)
	}

	conn = s.accept()
	conn.welcome()
	if got := ids(want[*wire.OpBatch](conn)); got != "[1]" {
		t.Fatalf("got %s", got)
	}
	// Told to slow down, the client comes back by itself.
	conn.send(wire.NewError(wire.CodeOverloaded, "", wire.TypeOpBatch, "1"))
	conn = s.accept()
	conn.welcome()
	if got := ids(want[*wire.OpBatch](conn)); got != "[1]" {
		t.Fatalf("got %s", got)
	}
	conn.send(&wire.OpAck{LastID: "1", AchievedLevel: wire.Persisted})
	written(t, w, nil)
}

func TestARefusedOperationDoesNotComeBack(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	w1 := must(m.Set("a", 1))(t)
	want[*wire.OpBatch](conn)
	w2 := must(m.Set("b", 2))(t)
	want[*wire.OpBatch](conn)
	conn.send(wire.NewOpRejected("1", wire.CodeForbidden, "not yours"))
	_, err := w1.Wait(within(t))
	var no *topgun.RejectedError
	if !errors.As(err, &no) || no.Op != "1" || no.Name != "FORBIDDEN" || no.Code != 403 {
		t.Fatalf("got %v", err)
	}
	conn.hangUp() // before the acknowledgement
	conn = s.accept()
	conn.welcome()
	if got := ids(want[*wire.OpBatch](conn)); got != "[2]" {
		t.Fatalf("got %s", got)
	}
	conn.send(&wire.OpAck{LastID: "2", Results: []wire.OpResult{{OpID: "2", AchievedLevel: wire.FireAndForget, Error: "no"}}})
	if _, err := w2.Wait(within(t)); !errors.Is(err, topgun.ErrRejected) {
		t.Errorf("got %v", err)
	}
}

func TestAResultGivesTheLevelOfItsOperation(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	w := must(m.Set("a", 1, topgun.WithConcern(topgun.Applied)))(t)
	if op := want[*wire.OpBatch](conn).Ops[0]; op.WriteConcern != wire.Applied {
		t.Errorf("asked for %q", op.WriteConcern)
	}
	conn.send(&wire.OpAck{LastID: "1", AchievedLevel: wire.Persisted, Results: []wire.OpResult{{OpID: "1", Success: true, AchievedLevel: wire.Applied}}})
	if level := written(t, w, nil); level != topgun.Applied {
		t.Errorf("level %v", level)
	}
}

func lww(v any, millis int64) wire.LWWRecord {
	raw, err := value.FromAny(v)
	if err != nil {
		panic(err)
	}
	if v == nil {
		raw = nil
	}
	return wire.LWWRecord{Value: raw, Timestamp: hlc.Timestamp{Millis: millis, Node: "other"}}
}

func event(key string, rec wire.LWWRecord) *wire.ServerEvent {
	return &wire.ServerEvent{Event: wire.Event{MapName: "m", EventType: wire.EventPut, Key: key, Record: wire.Some(rec)}}
}

func TestEventsMerge(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[any](c, "m")
	changes := must(m.Subscribe(background(t)))(t)
	want[*wire.SyncInit](conn)
	next := func() topgun.Change[any] {
		t.Helper()
		return must(changes.Next())(t)
	}
	conn.send(event("a", lww("new", 2000)))
	if got := next(); got.Value != "new" {
		t.Fatalf("got %+v", got)
	}
	conn.send(event("a", lww("older", 1000))) // loses
	conn.send(event("b", lww("b", 1)))
	if got := next(); got.Key != "b" {
		t.Fatalf("an older record was taken: %+v", got)
	}
	// What events say about maps that are not open, or without a record, is left out.
	conn.send(&wire.ServerEvent{Event: wire.Event{MapName: "other", EventType: wire.EventPut, Key: "a", Record: wire.Some(lww(1, 1))}})
	conn.send(&wire.ServerEvent{Event: wire.Event{MapName: "m", EventType: wire.EventRemove, Key: "a"}})
	batch := &wire.ServerBatchEvent{Events: []wire.Event{event("c", lww("c", 1)).Event}}
	inner := wire.Append(nil, event("d", lww("d", 1)))
	conn.send(must(wire.Decode(wire.AppendBatch(nil, wire.Append(nil, batch), inner), wire.Limits{}))(t))
	for _, key := range []string{"c", "d"} {
		if got := next(); got.Key != key {
			t.Fatalf("got %+v", got)
		}
	}
	tomb := event("a", lww(nil, 3000))
	tomb.EventType = wire.EventRemove
	conn.send(tomb)
	if got := next(); got.Key != "a" || !got.Removed {
		t.Fatalf("got %+v", got)
	}
	// The tombstone is remembered, until the server says that it has forgotten it.
	conn.send(event("a", lww("resurrected", 2500)))
	conn.send(&wire.GCPrune{OlderThan: hlc.Timestamp{Millis: 4000}})
	if got := next(); got.Key != "a" || !got.Removed {
		t.Fatalf("got %+v", got)
	}
	conn.send(event("a", lww("again", 2500)))
	if got := next(); got.Value != "again" {
		t.Fatalf("got %+v", got)
	}
}

func TestARestampedWriteIsAdopted(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	marks := s.mark(c, conn)
	m := topgun.MapOf[string](c, "m")
	want[*wire.SyncInit](conn)
	conn.send(&wire.SyncRespRoot{MapName: "m"}) // of an empty map
	marks.await()
	w := must(m.Set("k", "mine"))(t)
	mine := want[*wire.OpBatch](conn).Ops[0].Record.Value
	root := m.Root()
	stored := mine
	stored.Timestamp = hlc.Timestamp{Millis: mine.Timestamp.Millis - 3_600_000, Node: "server"}
	conn.send(event("k", stored))
	conn.send(&wire.OpAck{LastID: "1", AchievedLevel: wire.Persisted})
	written(t, w, nil)
	if m.Root() == root {
		t.Error("the server's timestamp was not adopted")
	}
	// It may also be somebody else's equal write, so the map is compared.
	want[*wire.SyncInit](conn)
	conn.send(&wire.SyncRespRoot{MapName: "m", RootHash: m.Root()})
	stored.Timestamp.Millis--
	conn.send(event("k", stored))
	want[*wire.SyncInit](conn)
}

// refuse rejects an operation and acknowledges past it.
func (c *scripted) refuse(id, reason string) {
	c.t.Helper()
	c.send(&wire.OpRejected{OpID: id, Reason: reason, Code: 409})
	c.send(&wire.OpAck{LastID: id, AchievedLevel: wire.Persisted})
}

// before is a record as the server stored it whose timestamp it did not believe.
func before(r wire.LWWRecord) wire.LWWRecord {
	r.Timestamp = hlc.Timestamp{Millis: r.Timestamp.Millis - 3_600_000, Node: "server"}
	return r
}

// TestARestampedWriteIsTakenBack: refused when it is delivered again, because
// what it became was removed and that is forgotten, it leaves nothing.
func TestARestampedWriteIsTakenBack(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[string](c, "m")
	want[*wire.SyncInit](conn)
	conn.send(event("k", lww("theirs", 1000)))
	w := must(m.Set("k", "mine"))(t)
	conn.send(event("k", before(want[*wire.OpBatch](conn).Ops[0].Record.Value)))
	conn.hangUp()
	conn = s.accept()
	conn.welcome()
	want[*wire.OpBatch](conn)
	want[*wire.SyncInit](conn)
	conn.refuse("1", "STALE_WRITE: too old")
	if _, err := w.Wait(within(t)); !errors.Is(err, topgun.ErrRejected) {
		t.Errorf("the write ends with %v", err)
	}
	if v, err := m.Get("k"); !errors.Is(err, topgun.ErrNotFound) {
		t.Errorf("left is %q, %v", v, err)
	}
}

// TestWhatIsOnTopOfARestampedWriteFallsBackToIt as the server stored it: a later
// record of somebody else wins against it.
func TestWhatIsOnTopOfARestampedWriteFallsBackToIt(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[string](c, "m")
	want[*wire.SyncInit](conn)
	must(m.Set("k", "lower"))(t)
	mine := want[*wire.OpBatch](conn).Ops[0].Record.Value
	upper := must(m.Set("k", "upper"))(t)
	want[*wire.OpBatch](conn)
	conn.send(event("k", before(mine)))
	conn.refuse("2", "FORBIDDEN: no")
	if _, err := upper.Wait(within(t)); !errors.Is(err, topgun.ErrRejected) {
		t.Errorf("the write ends with %v", err)
	}
	if got := must(m.Get("k"))(t); got != "lower" {
		t.Errorf("the key falls back to %q", got)
	}
	changes := must(m.Subscribe(background(t)))(t)
	between := lww("theirs", mine.Timestamp.Millis-1000)
	conn.send(event("k", between))
	if got := must(changes.Next())(t); got.Value != "theirs" {
		t.Errorf("then it is %q", got.Value)
	}
}

// TestAStaleRemovalBringsNothingBack: what was there before is older still.
func TestAStaleRemovalBringsNothingBack(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m, sets := topgun.MapOf[string](c, "m"), topgun.ORMapOf[string](c, "sets")
	want[*wire.SyncInit](conn)
	want[*wire.ORMapSyncInit](conn)
	told, added := must(m.Subscribe(background(t)))(t), must(sets.Subscribe(background(t)))(t)
	conn.send(event("k", lww("theirs", 1000)))
	tagged := wire.ORRecord{Value: lww("theirs", 0).Value, Timestamp: hlc.Timestamp{Millis: 1000, Node: "other"}, Tag: "1000:0:other"}
	conn.send(&wire.ServerEvent{Event: wire.Event{MapName: "sets", EventType: wire.EventORAdd, Key: "k", ORRecord: wire.Some(tagged)}})
	must(told.Next())(t)
	must(added.Next())(t)
	first, second := must(m.Remove("k"))(t), must(sets.Remove("k", "theirs"))(t)
	for sent := 0; sent < 2; {
		sent += len(want[*wire.OpBatch](conn).Ops)
	}
	conn.refuse("1", "STALE_WRITE: too old")
	conn.refuse("2", "STALE_WRITE: too old")
	for _, w := range []*topgun.Write{first, second} {
		if _, err := w.Wait(within(t)); !errors.Is(err, topgun.ErrRejected) {
			t.Errorf("the write ends with %v", err)
		}
	}
	if v, err := m.Get("k"); !errors.Is(err, topgun.ErrNotFound) {
		t.Errorf("left in the map is %q, %v", v, err)
	}
	if got := must(sets.Get("k"))(t); len(got) != 0 {
		t.Errorf("left in the set is %v", got)
	}
}

func TestAResetWipesTheMapButNotWhatWaits(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[string](c, "m")
	changes := must(m.Subscribe(background(t)))(t)
	want[*wire.SyncInit](conn)
	conn.send(event("theirs", lww("x", 1000)))
	must(changes.Next())(t)
	must(m.Set("mine", "y"))(t)
	want[*wire.OpBatch](conn)
	must(changes.Next())(t)
	conn.send(&wire.SyncRespRoot{MapName: "m", RootHash: 1, Timestamp: hlc.Timestamp{Millis: 5000}})
	want[*wire.MerkleReqBucket](conn)
	conn.send(&wire.SyncResetRequired{MapName: "m", Reason: "gone too long"})
	if again := want[*wire.SyncInit](conn); again.LastSyncTimestamp != 0 {
		t.Errorf("it begins again with %d", again.LastSyncTimestamp)
	}
	if got := must(m.Entries())(t); len(got) != 1 || got["mine"] != "y" {
		t.Errorf("left is %v", got)
	}
}

func TestAFullResyncDropsWhatIsTooOldByName(t *testing.T) {
	s := startScript(t)
	clk := newManualClock()
	c, conn := s.meet(topgun.WithClock(clk))
	m := topgun.ORMapOf[string](c, "m")
	want[*wire.ORMapSyncInit](conn)
	old := must(m.Add("k", "old"))(t)
	want[*wire.OpBatch](conn)
	boundary := clk.Now().Add(time.Second)
	clk.advance(2 * time.Second)
	must(m.Add("k", "new"))(t)
	want[*wire.OpBatch](conn)
	conn.send(&wire.ORMapSyncRespRoot{MapName: "m", FullResync: true, Timestamp: hlc.Timestamp{Millis: boundary.UnixMilli()}})
	want[*wire.ORMapMerkleReqBucket](conn)
	if _, err := old.Wait(within(t)); !errors.Is(err, topgun.ErrRejected) {
		t.Errorf("the old operation ends with %v", err)
	}
	if got := must(m.Get("k"))(t); len(got) != 1 || got[0] != "new" {
		t.Errorf("left is %v", got)
	}
	if c.Pending() != 1 {
		t.Errorf("%d operations wait", c.Pending())
	}
}

func TestHeartbeat(t *testing.T) {
	s := startScript(t)
	clk := newManualClock()
	reports := make(chan error, 10)
	c, conn := s.meet(topgun.WithClock(clk), topgun.WithErrorHandler(func(err error) { reports <- err }))
	marks := must(topgun.TopicOf[any](c, "mark").Subscribe(background(t)))(t)
	awaitState(t, c, topgun.Connected)
	want[*wire.TopicSub](conn)
	for range 10 {
		clk.awaitTimer()
		clk.advance(5 * time.Second)
		ping := want[*wire.Ping](conn)
		if ping.Timestamp != float64(clk.Now().UnixMilli()) {
			t.Fatalf("it says %v", ping.Timestamp)
		}
		conn.send(&wire.Pong{Timestamp: ping.Timestamp})
		conn.send(&wire.TopicMessage{Topic: "mark"}) // arrives behind the answer
		must(marks.Next())(t)
	}
	for range 2 {
		clk.awaitTimer()
		clk.advance(5 * time.Second)
		want[*wire.Ping](conn)
	}
	clk.awaitTimer()
	clk.advance(5 * time.Second)
	if err := <-reports; !errors.Is(err, topgun.ErrHeartbeat) || !errors.Is(err, topgun.ErrDisconnected) {
		t.Fatalf("the handler is told %v", err)
	}
	awaitState(t, c, topgun.Disconnected)
	clk.awaitTimer()
	clk.advance(time.Minute)
	s.accept().welcome()
	awaitState(t, c, topgun.Connected)
}
