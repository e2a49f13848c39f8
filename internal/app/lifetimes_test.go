package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// stamp is a timestamp of the standing clock.
func (h *heldNode) stamp(node string) hlc.Timestamp {
	return hlc.Timestamp{Millis: h.now.t.UnixMilli(), Node: node}
}

// all lets everything happen that is under way.
func (h *heldNode) all() {
	h.t.Helper()
	for range 3 {
		if err := h.sync(); err != nil {
			h.t.Fatal(err)
		}
	}
}

// later lets time pass and everything happen, a checkpoint among it.
func (h *heldNode) later(d time.Duration) {
	h.t.Helper()
	h.node.Checkpointer.Request(func(error) {})
	h.all()
	h.pass(d)
	h.all()
}

// ask sends messages and returns what is said to that.
func (p *heldPeer) ask(messages ...wire.Message) []wire.Message {
	p.h.t.Helper()
	for _, m := range messages {
		for p.try(m) {
			p.h.all() // a device is remembered before it writes to sets
		}
		p.h.all()
	}
	return p.told()
}

// texts writes messages down, one a line.
func texts(messages []wire.Message) string {
	var out []string
	for _, m := range messages {
		switch m := m.(type) {
		case *wire.QueryUpdate:
			out = append(out, fmt.Sprintf("%s %s %s", m.Type(), m.ChangeType, m.Key))
		case *wire.ServerEvent:
			out = append(out, fmt.Sprintf("%s %s %s %s%s", m.Type(), m.EventType, m.Key, m.Record.Value.Timestamp, m.ORTag))
		default:
			out = append(out, m.Type().String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func withTTL(o wire.ClientOp, ms int64) wire.ClientOp {
	if o.Record.State == wire.Present {
		o.Record.Value.TTL = ms
	} else {
		o.ORRecord.Value.TTL = wire.Some(ms)
	}
	return o
}

// TestRecordsEndByTimeAlone: a record whose ttl is over leaves live windows, and
// those who replicate its map are told of its tombstone or of its tag's removal,
// the writer among them, as those are whose query it has matched.
func TestRecordsEndByTimeAlone(t *testing.T) {
	h := holdNode(t, NodeOptions{})
	w, follower, asker := h.open(), h.open(), h.open()
	w.ask(&wire.SyncInit{MapName: "m"}, &wire.ORMapSyncInit{MapName: "o"})
	follower.ask(&wire.SyncInit{MapName: "m"}, &wire.ORMapSyncInit{MapName: "o"})
	asker.ask(&wire.QuerySub{QueryID: "q", MapName: "m", Query: wire.Query{
		Predicate: peer.Value(map[string]any{"op": "eq", "attribute": "n", "value": 1}),
	}})
	ts := h.stamp("w")
	w.ask(peer.Batch(
		withTTL(peer.Put("1", "m", "k", map[string]any{"n": 1}, ts), 50), withTTL(peer.Add("2", "o", "k", ts.String(), 1, ts), 50),
		withTTL(peer.Put("3", "m", "stays", map[string]any{"n": 1}, ts), 5000),
	))
	follower.told()
	if got := texts(asker.told()); !strings.Contains(got, "ENTER k") {
		t.Fatalf("the query is told %s", got)
	}
	h.later(50 * time.Millisecond)
	if got := texts(slices.Concat(w.told(), follower.told(), asker.told())); got != "" {
		t.Fatalf("in the last millisecond: %s", got)
	}
	h.later(time.Millisecond)
	over := hlc.Timestamp{Millis: ts.Millis, Node: "w-expired"}
	gone := fmt.Sprintf("SERVER_EVENT OR_REMOVE k 0:0:%s\nSERVER_EVENT REMOVE k %s", ts, over)
	for who, p := range map[string]*heldPeer{"the writer": w, "a follower": follower} {
		if got := texts(p.told()); got != gone {
			t.Errorf("%s is told\n%s, want\n%s", who, got, gone)
		}
	}
	if got, want := texts(asker.told()), fmt.Sprintf("QUERY_UPDATE LEAVE k\nSERVER_EVENT REMOVE k %s", over); got != want {
		t.Errorf("the query is told\n%s, want\n%s", got, want)
	}
	// The end is a change of the record, and no write: what was later wins still.
	late := hlc.Timestamp{Millis: ts.Millis + 1, Node: "late"}
	w.ask(peer.Batch(peer.Put("4", "m", "k", map[string]any{"n": 1}, late)))
	if got := texts(asker.told()); !strings.Contains(got, "ENTER k") {
		t.Errorf("a write before the end of the record that it replaces: %s", got)
	}
}

// TestMapsHaveLifetimes: records of a map end without a ttl of their own.
func TestMapsHaveLifetimes(t *testing.T) {
	h := holdNode(t, NodeOptions{Engine: engine.Options{Lifetimes: records.Lifetimes{
		TTL: []records.MapSpan{{Map: "short-*", Span: time.Second}}, MaxIdle: []records.MapSpan{{Map: "idle", Span: time.Second}},
	}}})
	w := h.open()
	w.ask(&wire.SyncInit{MapName: "short-1"}, &wire.SyncInit{MapName: "idle"}, &wire.SyncInit{MapName: "other"})
	old := hlc.Timestamp{Millis: h.now.t.UnixMilli() - 600, Node: "w"}
	w.ask(peer.Batch(peer.Put("1", "short-1", "s", 1, old), peer.Put("2", "idle", "i", 1, old), peer.Put("3", "other", "o", 1, old)))
	h.later(500 * time.Millisecond)
	if got := texts(w.told()); !strings.HasPrefix(got, "SERVER_EVENT REMOVE s") || strings.Contains(got, "\n") {
		t.Errorf("after the ttl: %q", got)
	}
	h.later(600 * time.Millisecond)
	if got := texts(w.told()); !strings.HasPrefix(got, "SERVER_EVENT REMOVE i") || strings.Contains(got, "\n") {
		t.Errorf("after the idle time: %q", got)
	}
	h.later(time.Hour)
	if got := texts(w.told()); got != "" {
		t.Errorf("ended: %q", got)
	}
}

// TestStaleWritesAreRefused is STALE-REFUSED at the door: by name, by itself, and
// acknowledged past.
func TestStaleWritesAreRefused(t *testing.T) {
	h := holdNode(t, NodeOptions{Engine: engine.Options{Lifetimes: records.Lifetimes{Tombstones: time.Minute}}})
	w := h.open()
	ts := h.stamp("w")
	add := peer.Add("3", "o", "k", ts.String(), 1, ts)
	w.ask(peer.Batch(
		peer.Put("1", "m", "k", 1, ts), peer.Remove("2", "m", "k", hlc.Timestamp{Millis: ts.Millis + 1, Node: "w"}),
		add, peer.Drop("4", "o", "k", ts.String()),
	))
	h.later(2 * time.Minute)
	w = h.open()
	refused, acked := 0, ""
	for _, m := range w.ask(peer.Batch(
		peer.Put("5", "m", "k", 1, ts), add, peer.Drop("6", "o", "k", ts.String()), peer.Put("7", "m", "k", 2, h.stamp("w")),
	)) {
		switch m := m.(type) {
		case *wire.OpRejected:
			refused++
			if m.Code != 409 || !strings.HasPrefix(m.Reason, "STALE_WRITE") {
				t.Errorf("refused with %d %s", m.Code, m.Reason)
			}
		case *wire.OpAck:
			acked = m.LastID
		}
	}
	if refused != 3 || acked != "7" {
		t.Errorf("%d refused, acknowledged up to %q", refused, acked)
	}
}

// TestARestampedWriteThatIsForgottenIsRefused: it was stored, then another client
// removed it, and now nothing is left of either. A writer that was told its
// record again would be the only one to show it.
func TestARestampedWriteThatIsForgottenIsRefused(t *testing.T) {
	h := holdNode(t, NodeOptions{Engine: engine.Options{Lifetimes: records.Lifetimes{Tombstones: time.Minute}}})
	w := h.open()
	early := peer.Put("1", "m", "k", 1, hlc.Timestamp{Millis: h.now.t.Add(time.Hour).UnixMilli(), Node: "w"})
	if got := texts(w.ask(peer.Batch(early))); !strings.Contains(got, "SERVER_EVENT PUT k") {
		t.Fatalf("the writer is told %s", got)
	}
	h.pass(time.Second)
	h.open().ask(peer.Batch(peer.Remove("1", "m", "k", h.stamp("other"))))
	h.later(2 * time.Minute)
	var refused *wire.OpRejected
	for _, m := range h.open().ask(peer.Batch(early)) {
		switch m := m.(type) {
		case *wire.OpRejected:
			refused = m
		case *wire.ServerEvent:
			t.Errorf("the writer is told %+v", m)
		}
	}
	if refused == nil || refused.Code != 409 || !strings.HasPrefix(refused.Reason, "STALE_WRITE") {
		t.Errorf("refused: %+v", refused)
	}
}
