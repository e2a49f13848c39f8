package app

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// testDisk is the real file system, of which the log's files can be held back or
// made to fail.
type testDisk struct {
	mu   sync.Mutex
	held chan struct{} // closed when syncs may go on; nil when none is held
	fail map[errorfs.OpKind]error
}

func (d *testDisk) fs() vfs.FS { return errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(d.inject)) }

func (d *testDisk) inject(op errorfs.Op) error {
	if !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	d.mu.Lock()
	held, err := d.held, d.fail[op.Kind]
	d.mu.Unlock()
	if held != nil && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		<-held
	}
	return err
}

// hold holds back every sync until the function that it returns is called.
func (d *testDisk) hold() (release func()) {
	held := make(chan struct{})
	d.mu.Lock()
	d.held = held
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		d.held = nil
		d.mu.Unlock()
		close(held)
	}
}

func (d *testDisk) failing(fail map[errorfs.OpKind]error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// TestConcernsWhileTheDiskIsHeld: over real sockets, while no sync returns, each
// level is acknowledged when it is reached and not before; who has waited long
// enough is told, and is acknowledged in the end.
func TestConcernsWhileTheDiskIsHeld(t *testing.T) {
	disk := &testDisk{}
	s := startServerOn(t, filepath.Join(t.TempDir(), "data"), disk.fs())
	release := disk.hold()
	for _, ask := range []wire.WriteConcern{wire.FireAndForget, wire.Memory, wire.Applied} {
		p := s.dial()
		b := peer.Batch(peer.Put("1", "m", string(ask), 1, at(5)))
		b.WriteConcern = ask
		p.Send(b)
		if ack := peer.Only[*wire.OpAck](p); ack.LastID != "1" || ack.AchievedLevel != wire.Applied || len(ack.Results) != 1 || !ack.Results[0].Success {
			t.Errorf("%s: acknowledged with %+v", ask, ack)
		}
	}
	var waiting []*peer.Peer
	for _, ask := range []wire.WriteConcern{"", wire.Persisted} {
		p := s.dial()
		b := peer.Batch(peer.Put("1", "m", "strong"+string(ask), 1, at(5)))
		b.WriteConcern, b.Timeout = ask, 150
		p.Send(b)
		if e := peer.Expect[*wire.Error](p); e.Code != 408 || details(e)["request"] != "1" {
			t.Errorf("%q: told %+v", ask, e)
		}
		waiting = append(waiting, p)
	}
	release()
	for _, p := range waiting {
		if ack := peer.Expect[*wire.OpAck](p); ack.LastID != "1" || ack.AchievedLevel != wire.Persisted {
			t.Errorf("acknowledged with %+v", ack)
		}
	}
}

// TestOneSyncServesAllWhoWait: while a sync is under way the lanes go on, and what
// all sessions have written meanwhile becomes durable with the next one.
func TestOneSyncServesAllWhoWait(t *testing.T) {
	disk := &testDisk{}
	s := startServerOn(t, filepath.Join(t.TempDir(), "data"), disk.fs())
	syncs := func() float64 { return s.metric("topgun_log_sync_seconds_count") }
	first := s.dial()
	release := disk.hold()
	first.Send(peer.Batch(peer.Put("1", "m", "first", 1, at(5))))
	before := syncs()
	var others []*peer.Peer
	for n := range 30 {
		p := s.dial()
		p.Send(peer.Batch(peer.Put("1", "m", fmt.Sprint("other", n), 1, at(5))))
		weak := peer.Batch(peer.Put("2", "m", fmt.Sprint("weak", n), 1, at(5)))
		weak.WriteConcern = wire.Applied
		q := s.dial() // whom the lane answers, which it could not if it stood still
		q.Send(weak)
		if ack := peer.Only[*wire.OpAck](q); ack.AchievedLevel != wire.Applied {
			t.Fatalf("acknowledged with %+v", ack)
		}
		others = append(others, p)
	}
	release()
	for _, p := range append(others, first) {
		if ack := peer.Only[*wire.OpAck](p); ack.AchievedLevel != wire.Persisted {
			t.Errorf("acknowledged with %+v", ack)
		}
	}
	// The one that was held, and one for everybody; the groups of the two lanes
	// may have come apart.
	if n := syncs() - before; n < 1 || n > 4 {
		t.Errorf("%v syncs for 61 frames of 61 sessions", n)
	}
}

// TestADiskThatFails: a full disk and a failing sync refuse writes by name, reads
// go on, the node says that it is not well, and when the disk is well again so is
// the node, without a restart. What was acknowledged is there, what was refused
// is not, after a restart too.
func TestADiskThatFails(t *testing.T) {
	for _, c := range []struct {
		name string
		fail map[errorfs.OpKind]error
	}{
		{"no space", map[errorfs.OpKind]error{errorfs.OpFileWriteAt: syscall.ENOSPC, errorfs.OpCreate: syscall.ENOSPC}},
		{"failing sync", map[errorfs.OpKind]error{errorfs.OpFileSyncData: syscall.EIO, errorfs.OpFileSync: syscall.EIO}},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := &testDisk{}
			dir := filepath.Join(t.TempDir(), "data")
			s := startServerOn(t, dir, disk.fs())
			if problems := s.problems(); len(problems) != 0 {
				t.Fatalf("at first: %q", problems)
			}
			before := s.dial()
			before.Send(peer.Batch(peer.Put("1", "m", "before", 1, at(5))))
			peer.Only[*wire.OpAck](before)

			disk.failing(c.fail)
			for n := range 3 { // at once, and while the log cannot recover
				p := s.dial()
				p.Send(peer.Batch(peer.Put("1", "m", fmt.Sprint("refused", n), 1, at(5))))
				code, told := p.Closed()
				if code != wire.CloseTryAgainLater || len(told) != 1 {
					t.Fatalf("closed with %d after %s", code, peer.Names(told))
				}
				if e, ok := told[0].(*wire.Error); !ok || e.Code != 503 || details(e)["name"] != "UNAVAILABLE" {
					t.Errorf("told %+v", told[0])
				}
			}
			if got := rows(before, "m"); len(got) != 1 {
				t.Errorf("a read gives %v", got)
			}
			s.until("the node says that it is not well", func() bool { return len(s.problems()) == 1 })
			if s.metric("topgun_healthy") != 0 {
				t.Error("the metric says that the node is well")
			}

			disk.failing(nil)
			s.until("the node is well again", func() bool { return len(s.problems()) == 0 })
			after := s.dial()
			after.Send(peer.Batch(peer.Put("1", "m", "after", 1, at(5))))
			peer.Only[*wire.OpAck](after)
			if got := rows(after, "m"); len(got) != 2 {
				t.Errorf("in the end there are %v", got)
			}
			s.stop()
			again := startServerIn(t, dir)
			if got := rows(again.dial(), "m"); len(got) != 2 {
				t.Errorf("after a restart there are %v", got)
			}
		})
	}
}

// problems asks the node how it is.
func (s *testServer) problems() []string {
	s.t.Helper()
	var report struct {
		Healthy  bool
		Problems []string
	}
	_, body := s.get("/health")
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		s.t.Fatal(err)
	}
	if report.Healthy != (len(report.Problems) == 0) {
		s.t.Errorf("the report is %+v", report)
	}
	return report.Problems
}

// until asks again and again until ok.
func (s *testServer) until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for every := time.NewTicker(5 * time.Millisecond); !ok(); <-every.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("it does not happen that %s", what)
		}
	}
}
