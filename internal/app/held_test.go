package app

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/session"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/memory"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

var errDisk = errors.New("the disk fails")

// heldNode is a node that does nothing by itself: its actors work when settle is
// called, its log is written when sync is, its clock stands still. So a test can
// look at what there is between two steps of a write.
type heldNode struct {
	t       *testing.T
	now     *standingClock
	log     *log.Log
	disk    *vfs.MemFS
	store   *memory.Store
	backing backing.Store // in place of store
	opt     NodeOptions
	node    *Node
	actors  []actor.Actor

	failSync bool // the next sync fails
}

// holdNode makes a node of one lane with an empty disk.
func holdNode(t *testing.T, opt NodeOptions) *heldNode {
	t.Helper()
	h := &heldNode{t: t, now: &standingClock{time.UnixMilli(1_700_000_000_000)}, disk: vfs.NewMem(), store: memory.New(), opt: opt}
	h.start()
	return h
}

func (h *heldNode) start() {
	h.t.Helper()
	disk := errorfs.Wrap(h.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if h.failSync && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			h.failSync = false
			return errDisk
		}
		return nil
	}))
	var err error
	if h.log, err = log.Open(disk, "log", h.now, log.Options{}); err != nil {
		h.t.Fatal(err)
	}
	var store backing.Store = h.store
	if h.backing != nil {
		store = h.backing
	}
	opt := h.opt
	opt.ID, opt.Engine.Lanes = "node", 1
	h.node, err = NewNode(h.t.Context(), World{
		Clock: h.now, Random: systemRandom{}, Log: h.log, Store: store, Metrics: prometheus.NewRegistry(),
	}, opt)
	if err != nil {
		h.t.Fatal(err)
	}
	h.actors = h.node.Actors()
}

// restart ends the node and starts it again on its disk.
func (h *heldNode) restart() {
	h.t.Helper()
	if err := h.log.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.start()
}

// settle lets everything but the log work until there is nothing left to do.
func (h *heldNode) settle() {
	for worked := true; worked; {
		worked = false
		for _, a := range h.actors {
			worked = a.Step() || worked
		}
	}
}

// sync writes the log, and lets the others work on what that permits.
func (h *heldNode) sync() error {
	h.settle()
	var err error
	for worked := true; worked && err == nil; {
		worked, err = h.log.Step()
		h.settle()
	}
	return err
}

// pass lets time pass.
func (h *heldNode) pass(d time.Duration) {
	h.now.t = h.now.t.Add(d)
	h.node.Sweep()
	h.settle()
}

// heldPeer is a session of a heldNode.
type heldPeer struct {
	*session.Session

	h *heldNode
}

func (h *heldNode) open() *heldPeer {
	return &heldPeer{h.node.Host.Open(func() {}), h}
}

// try offers one message, and reports whether the session is busy.
func (p *heldPeer) try(m wire.Message) (busy bool) {
	p.h.t.Helper()
	busy, err := p.Try(wire.Append(nil, m))
	if err != nil {
		p.h.t.Fatalf("%s: %v", m.Type(), err)
	}
	p.h.settle()
	return busy
}

// send is try for messages that have to be taken.
func (p *heldPeer) send(messages ...wire.Message) {
	p.h.t.Helper()
	for _, m := range messages {
		if p.try(m) {
			p.h.t.Fatalf("%s is not taken", m.Type())
		}
	}
}

// told takes what the session has been told since the last call.
func (p *heldPeer) told() []wire.Message {
	p.h.t.Helper()
	frames, _ := p.Take(nil, 1<<30)
	var out []wire.Message
	for _, f := range frames {
		m, err := wire.Decode(bytes.Join([][]byte{f.Head, f.Body}, nil), wire.Limits{FrameBytes: 1 << 30, Ops: 1 << 20})
		if err != nil {
			p.h.t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// why is how the session has been ended, nil while it has not.
func (p *heldPeer) why() *service.CloseError {
	_, why := p.Take(nil, 0)
	return why
}

// standingClock is a clock that only a test moves. Its timers never fire.
type standingClock struct{ t time.Time }

func (c *standingClock) Now() time.Time { return c.t }

func (c *standingClock) NewTimer(time.Duration) clock.Timer { return noTimer{} }

type noTimer struct{}

func (noTimer) C() <-chan time.Time { return nil }
func (noTimer) Stop() bool          { return true }
func (noTimer) Reset(time.Duration) {}
