package topgun_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// marks makes it known when everything that a script has sent has arrived.
type marks struct {
	sub  *topgun.Subscription[topgun.Message[any]]
	conn *scripted
}

func (s *script) mark(c *topgun.Client, conn *scripted) *marks {
	s.t.Helper()
	sub := must(topgun.TopicOf[any](c, "mark").Subscribe(background(s.t)))(s.t)
	want[*wire.TopicSub](conn)
	return &marks{sub, conn}
}

func (m *marks) await() {
	m.conn.t.Helper()
	m.conn.send(&wire.TopicMessage{Topic: "mark"})
	must(m.sub.Next())(m.conn.t)
}

func TestOnlyWhatWasSentCanBeAcknowledged(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.MapOf[string](c, "m")
	want[*wire.SyncInit](conn)
	// More than fits between client and server while nobody reads.
	const ops = 24
	large := strings.Repeat("x", 1<<20-10)
	for range ops {
		must(m.Set("k", large))(t)
	}
	if err := topgun.TopicOf[int](c, "t").Publish(1); err != nil {
		t.Fatal(err)
	}
	if got := ids(want[*wire.OpBatch](conn)); got != "[1]" {
		t.Fatalf("got %s", got)
	}
	marker := must(m.Subscribe(background(t)))(t)
	conn.send(&wire.OpAck{LastID: "1000000", AchievedLevel: wire.Persisted})
	conn.send(event("other", lww("x", 1)))
	must(marker.Next())(t)
	left := c.Pending()
	if left == 0 || left == ops {
		t.Fatalf("%d operations wait", left)
	}
	conn.hangUp()

	// The rest comes again, each within what a server accepts, and then the
	// message that was published behind it.
	conn = s.accept()
	conn.welcome()
	for range left {
		if b := want[*wire.OpBatch](conn); len(b.Ops) != 1 {
			t.Fatalf("got %s", ids(b))
		}
	}
	want[*wire.TopicPub](conn)
	want[*wire.SyncInit](conn)
}

func orEvent(kind wire.EventType, rec wire.ORRecord) *wire.ServerEvent {
	e := &wire.ServerEvent{Event: wire.Event{MapName: "m", EventType: kind, Key: "k"}}
	if kind == wire.EventORAdd {
		e.ORRecord = wire.Some(rec)
	} else {
		e.ORTag = rec.Tag
	}
	return e
}

func TestARemovedTagDoesNotComeBack(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	marks := s.mark(c, conn)
	m := topgun.ORMapOf[int](c, "m")
	want[*wire.ORMapSyncInit](conn)
	rec := wire.ORRecord{Value: value.AppendInt(nil, 7), Tag: "1000:0:other", Timestamp: hlc.Timestamp{Millis: 1000, Node: "other"}}
	for _, kind := range []wire.EventType{wire.EventORAdd, wire.EventORRemove, wire.EventORAdd} {
		conn.send(orEvent(kind, rec))
	}
	marks.await()
	if got := must(m.Get("k"))(t); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	conn.send(&wire.GCPrune{OlderThan: hlc.Timestamp{Millis: 2000}})
	conn.send(orEvent(wire.EventORAdd, rec))
	marks.await()
	if got := must(m.Get("k"))(t); len(got) != 1 {
		t.Errorf("after the tombstone was dropped: %v", got)
	}
}

// TestTheServerIsGivenWhatItLacks lets the server have forgotten a set, as one
// without storage does.
func TestTheServerIsGivenWhatItLacks(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	m := topgun.ORMapOf[int](c, "m")
	want[*wire.ORMapSyncInit](conn)
	must(m.Add("k", 1))(t)
	must(m.Add("k", 2))(t)
	must(m.Remove("k", 1))(t)
	for sent := 0; sent < 3; {
		sent += len(want[*wire.OpBatch](conn).Ops)
	}
	conn.send(&wire.OpAck{LastID: "3", AchievedLevel: wire.Applied})
	path := merkle.LeafPath(merkle.LeafOf(hash.Key("k")))
	check := func(p *wire.ORMapPushDiff) {
		t.Helper()
		if len(p.Entries) != 1 || p.Entries[0].Key != "k" || len(p.Entries[0].Records) != 1 || len(p.Entries[0].Tombstones) != 1 {
			t.Errorf("pushed %+v", p)
		}
	}
	// The walk ends at a node of depth 2 that lacks the leaf.
	conn.send(&wire.ORMapSyncRespRoot{MapName: "m"})
	for depth := range 3 {
		if got := want[*wire.ORMapMerkleReqBucket](conn); got.Path != path[:depth] {
			t.Fatalf("asked for %q", got.Path)
		}
		b := &wire.ORMapSyncRespBuckets{MapName: "m", Path: path[:depth]}
		if depth < 2 {
			for digit := range 16 {
				b.Buckets.Set(digit, 0)
			}
		}
		conn.send(b)
	}
	check(want[*wire.ORMapPushDiff](conn))

	// The walk of the next round ends at a leaf without the key.
	if got := want[*wire.ORMapSyncInit](conn); got.RootHash != m.Root() || got.BucketHashes.Len() != 1 {
		t.Errorf("it begins with %+v", got)
	}
	conn.send(&wire.ORMapSyncRespRoot{MapName: "m"})
	for depth := range 3 {
		want[*wire.ORMapMerkleReqBucket](conn)
		b := &wire.ORMapSyncRespBuckets{MapName: "m", Path: path[:depth]}
		for digit := range 16 {
			b.Buckets.Set(digit, 0)
		}
		conn.send(b)
	}
	want[*wire.ORMapMerkleReqBucket](conn)
	conn.send(&wire.ORMapSyncRespLeaf{MapName: "m", Path: path})
	check(want[*wire.ORMapPushDiff](conn))
	want[*wire.ORMapSyncInit](conn)
}

func TestSyncWaitsForARoundOfItsOwn(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	marks := s.mark(c, conn)
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	done := make(chan error, 1)
	go func() { done <- m.Sync(background(t)) }()
	for m.Waiting() == 0 {
		runtime.Gosched()
	}
	// The round under way may not show what was there when Sync was called.
	conn.send(&wire.SyncRespRoot{MapName: "m"})
	marks.await()
	if m.Waiting() == 0 {
		t.Fatal("Sync returns after the round before it")
	}
	want[*wire.SyncInit](conn)
	conn.send(&wire.SyncRespRoot{MapName: "m", Timestamp: hlc.Timestamp{Millis: 1 << 45, Node: "server"}})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// The server's time is not before what is written next.
	must(m.Set("k", 1))(t)
	if ts := want[*wire.OpBatch](conn).Ops[0].Record.Value.Timestamp; ts.Millis < 1<<45 {
		t.Errorf("written at %v", ts)
	}
}

func TestRoundsThatDoNotEndInAgreementSlowDown(t *testing.T) {
	s := startScript(t)
	clk := newManualClock()
	c, conn := s.meet(topgun.WithClock(clk))
	marks := s.mark(c, conn)
	topgun.MapOf[int](c, "m")
	differ := func() {
		t.Helper()
		want[*wire.SyncInit](conn)
		conn.send(&wire.SyncRespRoot{MapName: "m", RootHash: 1})
		want[*wire.MerkleReqBucket](conn)
		conn.send(&wire.SyncRespBuckets{MapName: "m"})
	}
	for range 3 {
		differ()
	}
	clk.upon(differ)
	if err := topgun.TopicOf[int](c, "t").Publish(1); err != nil {
		t.Fatal(err)
	}
	want[*wire.TopicPub](conn) // and no round
	clk.advance(20 * time.Millisecond)
	clk.upon(differ)

	// A round without an answer is begun anew.
	clk.advance(40 * time.Millisecond)
	want[*wire.SyncInit](conn)
	for range 3 {
		clk.awaitTimer()
		clk.advance(5 * time.Second)
		want[*wire.Ping](conn)
		marks.await()
	}
	want[*wire.SyncInit](conn)
}

func TestAQueryIsAskedAgainWhenTheServerCouldNotKeepUp(t *testing.T) {
	s := startScript(t)
	clk := newManualClock()
	c, conn := s.meet(topgun.WithClock(clk))
	m := topgun.MapOf[int](c, "m")
	want[*wire.SyncInit](conn)
	live := must(m.Query(background(t), topgun.Query{}))(t)
	id := want[*wire.QuerySub](conn).QueryID
	clk.upon(func() {
		conn.send(&wire.QueryResp{QueryID: id, Code: wire.CodeSnapshotOverflow.Name(), Error: "too much"})
	})
	clk.advance(time.Second)
	if again := want[*wire.QuerySub](conn).QueryID; again != id {
		t.Errorf("asked as %s", again)
	}
	conn.send(&wire.QueryUpdate{QueryID: id, Key: "early", ChangeType: wire.ChangeEnter, Value: value.AppendInt(nil, 1)})
	conn.send(&wire.QueryResp{QueryID: id, Results: []wire.QueryRow{{Key: "a", Value: value.AppendInt(nil, 1)}}})
	if r := must(live.Next())(t); len(r.Rows) != 1 || r.Rows[0].Key != "a" {
		t.Errorf("got %+v", r)
	}
	live.Close()
	if got := want[*wire.QueryUnsub](conn).QueryID; got != id {
		t.Errorf("ended %s", got)
	}
}
