package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; it decides nothing.
const patience = 20 * time.Second

// testClock tells the real time. Its timers fire when the test says so.
type testClock struct{ fire chan time.Time }

func (c testClock) Now() time.Time                     { return time.Now() }
func (c testClock) NewTimer(time.Duration) clock.Timer { return testTimer(c) }

type testTimer struct{ fire chan time.Time }

func (t testTimer) C() <-chan time.Time { return t.fire }
func (t testTimer) Stop() bool          { return true }
func (t testTimer) Reset(time.Duration) {}

// noUpgrades owns no connections. It can be made to take its time.
type noUpgrades struct{ lasting bool }

func (u noUpgrades) Shutdown(ctx context.Context) {
	if u.lasting {
		<-ctx.Done()
	}
}

// served is a running server.
type served struct {
	addr  string
	stop  context.CancelFunc
	fire  chan time.Time
	ended chan error
}

func serve(t *testing.T, h http.HandlerFunc, u Upgrades, opt ServerOptions) *served {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &served{
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port)), stop: stop,
		fire: make(chan time.Time, 1), ended: make(chan error, 1),
	}
	server := NewServer(h, u, testClock{s.fire}, slog.New(slog.DiscardHandler), opt)
	go func() { s.ended <- server.Serve(ctx, l.All...); close(s.ended) }()
	t.Cleanup(func() {
		stop()
		for range s.ended {
		}
	})
	return s
}

// end waits for Serve to return.
func (s *served) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		t.Fatal("the server does not stop")
		return nil
	}
}

// dial opens a connection.
func (s *served) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStopAnswersTheRequestThatRuns(t *testing.T) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-goOn
		if r.Context().Err() != nil {
			t.Error("the request sees the stop")
		}
		_, _ = io.WriteString(w, "done")
	}, noUpgrades{}, ServerOptions{})
	c := s.dial(t)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-inside
	s.stop()
	for { // until the stop has closed the listener
		other, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		_ = other.Close()
	}
	close(goOn)
	if answer, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(answer), "done") {
		t.Errorf("answer %q, %v", answer, err)
	}
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

func TestStopDoesNotWaitForConnectionsThatSaidNothing(t *testing.T) {
	seen := make(chan struct{}, 1)
	s := serve(t, func(http.ResponseWriter, *http.Request) { seen <- struct{}{} }, noUpgrades{}, ServerOptions{})
	c := s.dial(t) // a browser opens some in advance
	other := s.dial(t)
	_, _ = io.WriteString(other, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-seen // so the earlier one is accepted as well
	begin := time.Now()
	s.stop()
	if err := s.end(t); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 3*time.Second { // net/http alone takes five
		t.Errorf("the stop took %v", took)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes", n)
	}
}

func TestStopCutsWhatOutlastsTheDrainTimeout(t *testing.T) {
	inside := make(chan struct{})
	var finished atomic.Bool
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done() // ends with its connection
		for range 1000 {
			runtime.Gosched()
		}
		finished.Store(true)
	}, noUpgrades{lasting: true}, ServerOptions{})
	c := s.dial(t)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-inside
	s.stop()
	s.fire <- time.Now()
	if err := s.end(t); err != nil {
		t.Error(err)
	}
	if !finished.Load() {
		t.Error("the server ends before the request that it has cut")
	}
}

// broken is a listener that fails at once.
type broken struct{ net.Listener }

var errBroken = errors.New("broken")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

func TestABrokenListenerStopsTheServer(t *testing.T) {
	good, err := Listen(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := Listen(t.Context(), "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(http.NotFoundHandler(), noUpgrades{}, testClock{}, slog.New(slog.DiscardHandler), ServerOptions{})
	if err := server.Serve(t.Context(), good.All[0], broken{bad.All[0]}); !errors.Is(err, errBroken) {
		t.Errorf("Serve returns %v", err)
	}
	if c, err := net.Dial("tcp", good.All[0].Addr().String()); err == nil {
		_ = c.Close()
		t.Error("the other listener is still open")
	}
}

func TestSlowAndLargeHeadersAreCutOff(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came through") }, noUpgrades{},
		ServerOptions{HeaderTimeout: 50 * time.Millisecond, MaxHeaderBytes: 1024})
	slow := s.dial(t)
	_, _ = io.WriteString(slow, "GET / HTTP/1.1\r\nHost: x\r\n")
	if answer, err := io.ReadAll(slow); err != nil || strings.Contains(string(answer), "200") {
		t.Errorf("a header that never ends is answered with %q, %v", answer, err)
	}
	large := s.dial(t)
	_, _ = io.WriteString(large, "GET / HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("a", 16<<10))
	status := make([]byte, 12)
	if _, err := io.ReadFull(large, status); err != nil || string(status) != "HTTP/1.1 431" {
		t.Errorf("a large header is answered with %q, %v", status, err)
	}
}
