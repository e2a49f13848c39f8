package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/session"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// expectTold fails the test unless p was told messages of these types.
func expectTold(t *testing.T, who string, p *heldPeer, want string) []wire.Message {
	t.Helper()
	got := p.told()
	if peer.Names(got) != want {
		t.Errorf("%s was told %s, expected %s", who, peer.Names(got), want)
	}
	return got
}

// requestedWrites are one operation of each kind, and a counter.
func requestedWrites() []wire.Message {
	return []wire.Message{
		peer.Batch(peer.Put("1", "lww", "k", map[string]any{"n": 1}, at(5)), peer.Remove("2", "lww", "gone", at(5))),
		peer.Batch(peer.Add("3", "or", "k", "t", 1, at(5)), peer.Drop("4", "or", "k", "u")),
		&wire.CounterSync{Name: "c", State: wire.CounterState{Positive: counts("a", 1)}},
	}
}

// TestNothingIsVisibleBeforeItsSync: while the disk has not taken a write, it is
// not acknowledged, no subscriber hears of it, and a read that would see it
// waits. Who asked for no more than "applied" hears that at once.
func TestNothingIsVisibleBeforeItsSync(t *testing.T) {
	h := holdNode(t, NodeOptions{})
	writer, subscriber, hasty := h.open(), h.open(), h.open()
	subscriber.send(&wire.QuerySub{QueryID: "q", MapName: "lww"}, &wire.SyncInit{MapName: "lww"},
		&wire.ORMapSyncInit{MapName: "or"}, &wire.CounterRequest{Name: "c"})
	if err := h.sync(); err != nil { // who synchronises an OR map is remembered first
		t.Fatal(err)
	}
	expectTold(t, "the subscriber", subscriber, "[QUERY_RESP SYNC_RESP_ROOT COUNTER_RESPONSE ORMAP_SYNC_RESP_ROOT]")

	writer.send(requestedWrites()...)
	weak := peer.Batch(peer.Put("9", "lww", "weak", 1, at(5)))
	weak.WriteConcern = wire.Applied
	hasty.send(weak)
	expectTold(t, "who asked for APPLIED", hasty, "[OP_ACK]")

	reads := map[string]wire.Message{
		"QUERY_RESP":           &wire.QuerySub{QueryID: "q", MapName: "lww"},
		"SYNC_RESP_ROOT":       &wire.SyncInit{MapName: "lww"},
		"SYNC_RESP_BUCKETS":    &wire.MerkleReqBucket{MapName: "lww"},
		"ORMAP_SYNC_RESP_ROOT": &wire.ORMapSyncInit{MapName: "or"},
		"ORMAP_DIFF_RESPONSE":  &wire.ORMapDiffRequest{MapName: "or", Keys: []string{"k"}},
		"COUNTER_RESPONSE":     &wire.CounterRequest{Name: "c"},
	}
	readers := map[string]*heldPeer{}
	for answer, ask := range reads {
		readers[answer] = h.open()
		readers[answer].send(ask)
	}
	expectTold(t, "the writer", writer, "[]")
	expectTold(t, "the subscriber", subscriber, "[]")
	for answer, r := range readers {
		expectTold(t, "who waits for "+answer, r, "[]")
	}

	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "the writer", writer, "[OP_ACK OP_ACK COUNTER_UPDATE]")
	if got := subscriber.told(); len(got) != 8 { // five events, two updates, a counter
		t.Errorf("the subscriber was told %s", peer.Names(got))
	}
	for answer, r := range readers {
		got := r.told()
		if len(got) == 0 || got[0].Type().String() != answer {
			t.Errorf("who waits for %s was told %s", answer, peer.Names(got))
		}
	}
}

// TestFailedSyncAnswersNothing: when the disk fails, what was under way is
// neither acknowledged nor shown. The writer is told to come back with 1013, and
// when it does its operations are new.
func TestFailedSyncAnswersNothing(t *testing.T) {
	h := holdNode(t, NodeOptions{})
	subscriber, before := h.open(), h.open()
	subscriber.send(&wire.QuerySub{QueryID: "q", MapName: "lww", Fields: []string{"n"}})
	before.send(&wire.ORMapSyncInit{MapName: "or"}, peer.Batch(peer.Put("1", "lww", "before", map[string]any{"n": 0}, at(5))))
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "the writer before", before, "[OP_ACK ORMAP_SYNC_RESP_ROOT]")
	expectTold(t, "the subscriber", subscriber, "[QUERY_RESP QUERY_UPDATE]")

	h.failSync = true
	writer := h.open()
	writer.send(requestedWrites()...)
	if err := h.sync(); err == nil {
		t.Fatal("the disk did not fail")
	}
	for _, m := range expectTold(t, "the writer", writer, "[ERROR]") {
		e, _ := m.(*wire.Error)
		if e.Code != 503 || details(e)["name"] != "UNAVAILABLE" || !strings.Contains(e.Message, "again") {
			t.Errorf("the writer was told %+v", e)
		}
	}
	if why := writer.why(); why == nil || why.Code != wire.CloseTryAgainLater {
		t.Errorf("the writer's session ends with %v", why)
	}
	expectTold(t, "the subscriber", subscriber, "[]")
	if err := h.log.Recover(); err != nil {
		t.Fatal(err)
	}
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "the subscriber", subscriber, "[]")

	again := h.open()
	again.send(requestedWrites()...)
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "the writer that came back", again, "[OP_ACK OP_ACK COUNTER_UPDATE]")
	expectTold(t, "the subscriber", subscriber, "[QUERY_UPDATE]")
}

// TestWriteThatTakesTooLong: its writer is told with 408 when the time it gave is
// over, five seconds if it gave none; the write stays under way and is
// acknowledged when it is durable.
func TestWriteThatTakesTooLong(t *testing.T) {
	tests := []struct {
		name    string
		message wire.Message
		after   time.Duration
	}{
		{"no time is given", peer.Batch(peer.Put("1", "m", "k", 1, at(5))), 5 * time.Second},
		{"the batch gives a time", &wire.OpBatch{Timeout: 200, Ops: peer.Batch(peer.Put("1", "m", "k", 1, at(5))).Ops}, 200 * time.Millisecond},
		{"the operation gives a time", peer.Batch(withTimeout(peer.Put("1", "m", "k", 1, at(5)), 300)), 300 * time.Millisecond},
		{"the shortest time counts", &wire.OpBatch{Timeout: 900, Ops: []wire.ClientOp{
			withTimeout(peer.Put("0", "m", "k", 1, at(5)), 700), withTimeout(peer.Put("1", "m", "k", 1, at(5)), 800),
		}}, 700 * time.Millisecond},
		{"a single operation", &wire.ClientOpMessage{ClientOp: withTimeout(peer.Put("1", "m", "k", 1, at(5)), 400)}, 400 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := holdNode(t, NodeOptions{})
			p := h.open()
			p.send(tt.message)
			h.pass(tt.after - time.Millisecond)
			expectTold(t, "the writer in time", p, "[]")
			h.pass(time.Millisecond)
			for _, m := range expectTold(t, "the writer", p, "[ERROR]") {
				e, _ := m.(*wire.Error)
				if e.Code != 408 || details(e)["name"] != "TIMEOUT" || details(e)["request"] != "1" {
					t.Errorf("told %+v with %v", e, details(e))
				}
			}
			h.pass(30 * time.Second)
			expectTold(t, "the writer later", p, "[]")
			if err := h.sync(); err != nil {
				t.Fatal(err)
			}
			expectTold(t, "the writer at last", p, "[OP_ACK]")
		})
	}
}

func withTimeout(op wire.ClientOp, millis int64) wire.ClientOp {
	op.Timeout = millis
	return op
}

// TestFullWindowIsBusy: beyond the frames that may be unacknowledged nothing is
// taken from a session, whatever becomes of others.
func TestFullWindowIsBusy(t *testing.T) {
	h := holdNode(t, NodeOptions{Session: session.Options{InFlight: 2}})
	p, other := h.open(), h.open()
	frame := func(id int) wire.Message { return peer.Batch(peer.Put(fmt.Sprint(id), "m", fmt.Sprint(id), id, at(5))) }
	p.send(frame(1), frame(2))
	if !p.try(frame(3)) {
		t.Fatal("a third frame is taken")
	}
	p.send(&wire.Ping{Timestamp: 1}) // messages that are not written are
	expectTold(t, "the writer", p, "[PONG]")
	other.send(frame(4))
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "the writer", p, "[OP_ACK OP_ACK]")
	expectTold(t, "the other", other, "[OP_ACK]")
	p.send(frame(3))
}

// TestFullNodeIsBusy: beyond the operations that a node may have under way, no
// session's are taken, until half of them are done.
func TestFullNodeIsBusy(t *testing.T) {
	h := holdNode(t, NodeOptions{Engine: engine.Options{MaxOps: 4}})
	a, b := h.open(), h.open()
	frame := peer.Batch(peer.Put("1", "m", "a", 1, at(5)), peer.Put("2", "m", "b", 1, at(5)))
	a.send(frame, frame)
	for _, m := range []wire.Message{frame, &wire.CounterSync{Name: "c"}} {
		if !b.try(m) {
			t.Errorf("%s is taken by a node that is full", m.Type())
		}
	}
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	b.send(peer.Batch(peer.Put("3", "m", "c", 1, at(5))))
	big := &wire.OpBatch{} // more than there is room for, ever: it is taken alone
	for i := range 10 {
		big.Ops = append(big.Ops, peer.Put(fmt.Sprint(i), "m", "k", i, at(int64(i+1))))
	}
	if !b.try(big) {
		t.Error("a frame beyond the bound is taken beside others")
	}
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	b.send(big)
}

// TestFullLogIsBusy: while the change log is longer than it may be, writers wait
// for a checkpoint; readers do not.
func TestFullLogIsBusy(t *testing.T) {
	h := holdNode(t, NodeOptions{Engine: engine.Options{MaxLogBytes: 64}})
	checkpointer := h.node.Checkpointer
	rest := h.actors[:0:0]
	for _, a := range h.actors {
		if a != checkpointer {
			rest = append(rest, a)
		}
	}
	all := h.actors
	h.actors = rest // no checkpoint for now
	p := h.open()
	p.send(peer.Batch(peer.Put("1", "m", "k", strings.Repeat("x", 100), at(5))))
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	second := peer.Batch(peer.Put("2", "m", "k", 2, at(6)))
	if !p.try(second) {
		t.Fatal("a write is taken while the log is full")
	}
	expectTold(t, "the writer", p, "[OP_ACK]")
	p.send(&wire.QuerySub{QueryID: "q", MapName: "m"})
	expectTold(t, "the writer, who reads", p, "[QUERY_RESP]")
	h.actors = all
	checkpointer.Request(func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	h.settle()
	p.send(second)
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	if got := peer.Names(p.told()); !strings.Contains(got, "OP_ACK") {
		t.Errorf("the writer was told %s", got)
	}
}

// TestAcknowledgementCoversWhatIsBefore: operations that are refused, weak and
// strong in one session are acknowledged in their order, none before those that
// came earlier.
func TestAcknowledgementCoversWhatIsBefore(t *testing.T) {
	h := holdNode(t, NodeOptions{})
	p := h.open()
	weak := peer.Batch(peer.Put("2", "m", "weak", 1, at(5)))
	weak.WriteConcern = wire.Memory
	p.send(peer.Batch(peer.Put("1", "m", "strong", 1, at(5))), weak, peer.Batch(peer.Put("3", "a:b", "refused", 1, at(5))))
	expectTold(t, "the writer", p, "[]")
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	for i, m := range expectTold(t, "the writer", p, "[OP_ACK OP_ACK OP_REJECTED OP_ACK]") {
		if ack, ok := m.(*wire.OpAck); ok && ack.LastID != fmt.Sprint(min(i+1, 3)) {
			t.Errorf("answer %d acknowledges %s", i, ack.LastID)
		}
	}
}

// TestRestampsThatCannotBeRemembered: a clock that is far ahead cannot make the
// server's memory grow without bound. Beyond it the writer is sent away to come
// back, and is served when the memory has expired.
func TestRestampsThatCannotBeRemembered(t *testing.T) {
	h := holdNode(t, NodeOptions{})
	ahead := h.now.t.Add(time.Hour).UnixMilli()
	const remembered = 4096 // for each partition
	p := h.open()
	for i := range remembered {
		p.send(peer.Batch(peer.Put("1", "m", "k", i, at(ahead+int64(i)))))
		if i%16 == 15 {
			if err := h.sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := p.told(); len(got) != 2*remembered { // an event and an acknowledgement each
		t.Fatalf("the writer was told %d messages", len(got))
	}
	more := peer.Batch(peer.Put("2", "m", "k", "more", at(ahead+remembered)))
	refused := h.open()
	refused.send(more)
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "one too many", refused, "[ERROR]")
	if why := refused.why(); why == nil || why.Code != wire.CloseTryAgainLater {
		t.Errorf("the session ends with %v", why)
	}
	other := h.open() // right clocks are not concerned
	other.send(peer.Batch(peer.Put("1", "m", "k", "right", at(h.now.t.UnixMilli()+1))))
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "a right clock", other, "[OP_ACK]")

	h.pass(time.Hour + 2*time.Minute)
	again := h.open()
	again.send(peer.Batch(peer.Put("2", "m", "k", "more", at(h.now.t.Add(time.Hour).UnixMilli()))))
	if err := h.sync(); err != nil {
		t.Fatal(err)
	}
	expectTold(t, "the writer when the memory has expired", again, "[SERVER_EVENT OP_ACK]")
}
