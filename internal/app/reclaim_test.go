package app

import (
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/session"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// tagsMap is the OR map of these tests; they use one key of it.
const tagsMap = "tags"

// holdPatient makes a node whose sessions may be silent for long.
func holdPatient(t *testing.T) *heldNode {
	t.Helper()
	return holdNode(t, NodeOptions{
		Engine:  engine.Options{Lifetimes: records.Lifetimes{Tombstones: 30 * 24 * time.Hour}},
		Session: session.Options{IdleTimeout: 1000 * 24 * time.Hour},
	})
}

// as opens a session of a device; an empty token makes one.
func (h *heldNode) as(token *string) *heldPeer {
	h.t.Helper()
	p := h.open()
	for _, m := range p.ask(&wire.DeviceHello{DeviceToken: *token}) {
		if ack, ok := m.(*wire.DeviceAck); ok && ack.DeviceToken != "" {
			*token = ack.DeviceToken
		}
	}
	return p
}

// begin synchronises the OR map, and returns the root that it is answered with.
func (p *heldPeer) begin(root uint32, claimed int64) *wire.ORMapSyncRespRoot {
	p.h.t.Helper()
	return p.h.only(p.ask(&wire.ORMapSyncInit{MapName: tagsMap, RootHash: root, ClaimedEpoch: claimed}))
}

// only is the last root among messages.
func (h *heldNode) only(messages []wire.Message) (root *wire.ORMapSyncRespRoot) {
	h.t.Helper()
	for _, m := range messages {
		if r, ok := m.(*wire.ORMapSyncRespRoot); ok {
			root = r
		}
	}
	if root == nil {
		h.t.Fatalf("no root among %s", peer.Names(messages))
	}
	return root
}

// set is what the node holds of the key.
func (h *heldNode) set() (state crdt.ORState) {
	h.t.Helper()
	h.node.Engine.Get(tagsMap, "k", func(s string, _ bool, _ error) { state = crdt.ORState(s) })
	h.all()
	return state
}

func rootOf(state crdt.ORState) uint32 {
	t := &merkle.Tree{}
	t.Update(hash.Key("k"), 0, state.Hash("k"), 1)
	return t.Root()
}

// TestTagsAreForgottenWhenAllDevicesHaveConfirmed: each device that takes part
// has to, with all that it has sent before; one that stays away holds it up, and
// what it sends again has no effect.
func TestTagsAreForgottenWhenAllDevicesHaveConfirmed(t *testing.T) {
	h := holdPatient(t)
	var tokenA, tokenB string
	a, b := h.as(&tokenA), h.as(&tokenB)
	a.begin(0, 0)
	b.begin(0, 0)
	ts := h.stamp("a")
	add := peer.Add("1", tagsMap, "k", ts.String(), 1, ts)
	a.ask(peer.Batch(add))
	b.told()
	h.later(time.Second)
	b.ask(peer.Batch(peer.Drop("1", tagsMap, "k", ts.String())))
	h.later(2 * time.Minute)
	if h.set().Dead() != 1 {
		t.Fatal("the tombstone is gone and nobody has confirmed it")
	}
	// The server sends its root unasked, and who finds it equal says so.
	rootA, rootB := h.only(a.told()), h.only(b.told())
	if rootA.CoveringEpoch == 0 || rootA.RootHash != 0 {
		t.Fatalf("the root is %+v", rootA)
	}
	a.ask(&wire.ClientApplyAck{Cursor: rootA.CoveringEpoch})
	h.later(2 * time.Minute)
	if h.set().Dead() != 1 {
		t.Fatal("the tombstone is gone and one device has not confirmed it")
	}
	// What the other one sends again meanwhile stays removed.
	a.ask(peer.Batch(add))
	if s := h.set(); s.Live() != 0 || s.Dead() != 1 {
		t.Fatalf("%d live, %d dead", s.Live(), s.Dead())
	}
	// A confirmation of more than was sent counts as that, one of a map whose root
	// is another one not at all.
	b.ask(&wire.ORMapMerkleReqBucket{MapName: tagsMap}, &wire.ClientApplyAck{Cursor: rootB.CoveringEpoch})
	h.later(2 * time.Minute)
	if h.set().Dead() != 1 {
		t.Fatal("the tombstone is gone after a confirmation that does not count")
	}
	h.only(b.told())
	b.ask(&wire.ClientApplyAck{Cursor: 1 << 50})
	h.later(2 * time.Minute)
	if s := h.set(); s != "" {
		t.Fatalf("%d live, %d dead after all have confirmed", s.Live(), s.Dead())
	}
	// Both come back, and are not sent away.
	for _, token := range []*string{&tokenA, &tokenB} {
		p := h.as(token)
		if root := p.begin(7, 1<<50); root.FullResync {
			t.Errorf("a device that has confirmed begins anew: %+v", root)
		}
	}
}

// TestAStaleDeviceCannotResurrect: one that was away for longer than tombstones
// live begins anew, map by map, and what it brings all the same is refused.
func TestAStaleDeviceCannotResurrect(t *testing.T) {
	h := holdPatient(t)
	var tokenA, tokenB string
	a, b := h.as(&tokenA), h.as(&tokenB)
	ts := h.stamp("a")
	a.begin(0, 0)
	a.ask(
		&wire.SyncInit{MapName: "m"},
		peer.Batch(peer.Add("1", tagsMap, "k", ts.String(), 1, ts), peer.Put("2", "m", "k", 1, ts)),
	)
	b.begin(0, 0)
	held := rootOf(h.set())
	h.later(time.Hour)
	later := hlc.Timestamp{Millis: h.now.t.UnixMilli(), Node: "b"}
	b.ask(peer.Batch(peer.Drop("1", tagsMap, "k", ts.String()), peer.Remove("2", "m", "k", later)))
	last := h.now.t.UnixMilli() - 10_000
	a.Closed()
	h.later(31 * 24 * time.Hour)
	h.later(time.Second)
	pruned := false
	for _, m := range b.told() {
		if p, ok := m.(*wire.GCPrune); ok {
			pruned = p.OlderThan.Millis == h.node.Engine.Keeping().Horizon()
		}
	}
	if !pruned || h.set() != "" {
		t.Fatalf("told to prune: %t; %d tombstones are left", pruned, h.set().Dead())
	}

	a = h.as(&tokenA)
	reset, horizon := false, h.node.Engine.Keeping().Horizon()
	for _, m := range a.ask(&wire.SyncInit{MapName: "m", LastSyncTimestamp: last}) {
		_, is := m.(*wire.SyncResetRequired)
		reset = reset || is
	}
	if !reset {
		t.Error("the replica of the LWW map may stay as it is")
	}
	refusal := func(when string, messages []wire.Message) {
		t.Helper()
		for _, m := range messages {
			if e, ok := m.(*wire.Error); ok && details(e)["name"] == "STALE_WRITE" {
				return
			}
		}
		t.Errorf("%s: told %s", when, peer.Names(messages))
	}
	push := &wire.ORMapPushDiff{MapName: tagsMap, Entries: []wire.ORMapEntry{{
		Key: "k", Records: []wire.ORRecord{{Value: value.AppendInt(nil, 1), Timestamp: ts, Tag: ts.String()}},
	}}}
	fresh := h.stamp("a")
	young := &wire.ORMapPushDiff{MapName: tagsMap, Entries: []wire.ORMapEntry{{
		Key: "k", Records: []wire.ORRecord{{Value: value.AppendInt(nil, 1), Timestamp: fresh, Tag: fresh.String()}},
	}}}
	refusal("before it has begun", a.ask(young))
	if root := a.begin(held, 0); !root.FullResync || root.Timestamp.Millis != horizon {
		t.Errorf("the replica of the OR map may stay as it is: %+v", root)
	}
	refusal("an old tag", a.ask(push))
	if s := h.set(); s != "" {
		t.Errorf("%d live after a stale push", s.Live())
	}
	if got := a.ask(young); len(got) != 0 || h.set().Live() != 1 {
		t.Errorf("a young tag: told %s, %d live", peer.Names(got), h.set().Live())
	}
	if got := a.ask(&wire.SyncInit{MapName: "m"}); peer.Names(got) != "[SYNC_RESP_ROOT]" {
		t.Errorf("after the reset: %s", peer.Names(got))
	}
}

// TestConfirmationsSurviveARestart, and a device that lost what it had confirmed
// begins anew once something is forgotten.
func TestConfirmationsSurviveARestart(t *testing.T) {
	h := holdPatient(t)
	var token string
	a := h.as(&token)
	h.later(time.Minute)
	a.ask(&wire.ClientApplyAck{Cursor: a.begin(0, 0).CoveringEpoch})
	claimed := h.now.t.UnixMilli() + 1000
	ts := h.stamp("a")
	a.ask(peer.Batch(peer.Add("1", tagsMap, "k", ts.String(), 1, ts), peer.Drop("2", tagsMap, "k", ts.String())))
	h.later(2 * time.Minute)
	a.ask(&wire.ClientApplyAck{Cursor: h.only(a.told()).CoveringEpoch})
	h.restart()
	h.later(2 * time.Minute)
	if s := h.set(); s != "" {
		t.Fatalf("%d tombstones are left", s.Dead())
	}
	b := h.as(&token)
	if root := b.begin(7, claimed); !root.FullResync {
		t.Errorf("it has confirmed more than it claims: %+v", root)
	}
	if root := b.begin(7, 0); root.FullResync {
		t.Errorf("it has begun anew on this connection: %+v", root)
	}
	if root := h.as(&token).begin(7, 1<<50); root.FullResync {
		t.Errorf("it has confirmed everything: %+v", root)
	}
}
