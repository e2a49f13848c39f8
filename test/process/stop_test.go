package process

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// onOwnData starts the program without authentication on a data directory of its
// own.
func onOwnData(t *testing.T, args ...string) launch {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	return launch{args: append([]string{"serve", "--port", "0", "--no-auth", "--data-dir", dir}, args...)}
}

// TestTermStopsUnderLoad stops the program in the middle of a write load: it
// ends in time with exit code 0, its port is free for the next one at once, and
// nothing that was acknowledged is lost.
func TestTermStopsUnderLoad(t *testing.T) {
	l := newLoad(t)
	port := "0"
	for range 3 {
		l.launch.args[2] = port
		p := l.launch.start(t)
		l.verify(p.Port)
		if port != "0" && p.Port != port {
			t.Fatalf("the port is %s, asked for was %s", p.Port, port)
		}
		port = p.Port
		r := l.start(p.Port)
		<-time.After(time.Duration(100+l.rng.IntN(400)) * time.Millisecond)
		p.stop()
		if !refused(p.Port) {
			t.Fatal("the port is taken after the end")
		}
		r.ended()
	}
	p := l.launch.start(t)
	l.verify(p.Port)
	p.stop()
	if l.model.acked == 0 {
		t.Error("there was no load")
	}
}

// TestStopTellsClients: every connection is closed with 1001 after what it had
// sent is answered.
func TestStopTellsClients(t *testing.T) {
	p := onOwnData(t).start(t)
	idle, busy := peer.New(t, p.Port), peer.New(t, p.Port)
	idle.Silent()
	busy.Silent()
	p.signal(syscall.SIGTERM)
	for _, c := range []*peer.Peer{idle, busy} {
		if code, said := c.Closed(); code != wire.CloseGoingAway || len(said) > 0 {
			t.Errorf("closed with %d after %s, expected %d", code, peer.Names(said), wire.CloseGoingAway)
		}
	}
	p.stopped()
}

// TestInterruptStops: SIGINT is as good as SIGTERM.
func TestInterruptStops(t *testing.T) {
	p := onOwnData(t).start(t)
	p.signal(syscall.SIGINT)
	p.stopped()
}

// TestSecondSignalEndsAtOnce: a client that does not answer the close makes the
// stop take its time; the second signal does not wait for it.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	p := onOwnData(t).start(t)
	upgraded(t, p.Port)
	other := peer.New(t, p.Port)
	other.Silent()
	p.signal(syscall.SIGTERM)
	if code, _ := other.Closed(); code != wire.CloseGoingAway {
		t.Fatalf("closed with %d", code)
	}
	for !refused(p.Port) {
	}
	began := time.Now()
	p.signal(syscall.SIGTERM)
	st := p.wait(stopWithin)
	if !st.Signaled() || st.Signal() != syscall.SIGTERM {
		t.Errorf("the program ended with %v, expected the second signal to end it", p.Cmd.ProcessState)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v from the second signal to the end", took)
	}
}

// TestStopDoesNotWaitForDeafClients: connections that neither read nor answer do
// not keep the program from ending in time.
func TestStopDoesNotWaitForDeafClients(t *testing.T) {
	p := onOwnData(t).start(t)
	for range 20 {
		upgraded(t, p.Port)
	}
	p.stop()
}

// upgraded is a WebSocket of which nobody reads, opened by hand so that nothing
// answers in its name.
func upgraded(t *testing.T, port string) {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	const request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var first [12]byte
	if _, err := c.Read(first[:]); err != nil || string(first[:]) != "HTTP/1.1 101" {
		t.Fatalf("the upgrade is answered with %q (%v)", first, err)
	}
}

// TestOneProcessPerDataDirectory: a second process is refused by name and the
// first goes on.
func TestOneProcessPerDataDirectory(t *testing.T) {
	l := onOwnData(t)
	p := l.start(t)
	out := l.fails(t)
	dir := l.args[len(l.args)-1]
	if out.code != 1 || out.stdout != "" || !contains(out.stderr, dir, "another process") {
		t.Errorf("the second process ends with %d, stdout %q, stderr %q", out.code, out.stdout, out.stderr)
	}
	alive(t, p.Port)
	p.kill()
	l.start(t).stop() // the lock of a killed process is gone
}

// TestTakenPortIsRefused: the program says so and ends.
func TestTakenPortIsRefused(t *testing.T) {
	p := onOwnData(t).start(t)
	second := onOwnData(t)
	second.args[2] = p.Port
	out := second.fails(t)
	if out.code != 1 || out.stdout != "" || !contains(out.stderr, p.Port, "address already in use") {
		t.Errorf("it ends with %d, stdout %q, stderr %q", out.code, out.stdout, out.stderr)
	}
	alive(t, p.Port)
	p.stop()
}
