package topgun_test

import (
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// TestEqualSetsAreConfirmed: the least covering epoch of all OR maps, when all
// are equal to the server's, once, also when the server sends a root unasked.
func TestEqualSetsAreConfirmed(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet()
	topgun.ORMapOf[string](c, "a")
	topgun.ORMapOf[string](c, "b")
	root := func(name string, hash uint32, epoch int64) {
		conn.send(&wire.ORMapSyncRespRoot{MapName: name, RootHash: hash, CoveringEpoch: epoch, Timestamp: hlc.Timestamp{Millis: epoch}})
	}
	want[*wire.ORMapSyncInit](conn)
	want[*wire.ORMapSyncInit](conn)
	root("a", 0, 70)
	root("b", 0, 50)
	if got := want[*wire.ClientApplyAck](conn); got.Cursor != 50 {
		t.Errorf("it confirms %d, want 50", got.Cursor)
	}
	root("b", 0, 60)
	if got := want[*wire.ClientApplyAck](conn); got.Cursor != 60 {
		t.Errorf("it confirms %d, want 60", got.Cursor)
	}
	// A root that differs is not confirmed but asked about.
	root("b", 7, 90)
	if again := want[*wire.ORMapSyncInit](conn); again.MapName != "b" || again.ClaimedEpoch != 60 {
		t.Errorf("it asks with %+v", again)
	}
}

// TestAReplicaThatNeverCaughtUpSaysSo: it may hold what was deleted long ago.
func TestAReplicaThatNeverCaughtUpSaysSo(t *testing.T) {
	s := startScript(t)
	c, conn := s.meet(topgun.WithBackoff(time.Millisecond, time.Millisecond))
	marks := s.mark(c, conn)
	m := topgun.MapOf[string](c, "m")
	if first := want[*wire.SyncInit](conn); first.LastSyncTimestamp != 0 {
		t.Errorf("an empty one begins with %d", first.LastSyncTimestamp)
	}
	must(m.Set("k", "v"))(t)
	want[*wire.OpBatch](conn)
	conn.send(&wire.SyncRespRoot{MapName: "m", RootHash: 1, Timestamp: hlc.Timestamp{Millis: 5000}})
	want[*wire.MerkleReqBucket](conn)
	again := func() *wire.SyncInit {
		t.Helper()
		marks.await()
		conn.hangUp()
		conn = s.accept()
		conn.welcome()
		marks.conn = conn
		for {
			if m, ok := conn.next().(*wire.SyncInit); ok {
				return m
			}
		}
	}
	if init := again(); init.LastSyncTimestamp != 1 {
		t.Errorf("after a walk that broke off it begins with %d", init.LastSyncTimestamp)
	}
	conn.send(&wire.SyncRespRoot{MapName: "m", RootHash: m.Root(), Timestamp: hlc.Timestamp{Millis: 7000}})
	if init := again(); init.LastSyncTimestamp != 7000 {
		t.Errorf("after it was equal it begins with %d", init.LastSyncTimestamp)
	}
}
