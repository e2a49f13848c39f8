package ws

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; it decides nothing.
const patience = 20 * time.Second

// testClock tells the real time. Its timers fire when the test says so.
type testClock struct{ fire chan time.Time }

func newTestClock() testClock { return testClock{fire: make(chan time.Time, 1)} }

func (c testClock) Now() time.Time                     { return time.Now() }
func (c testClock) NewTimer(time.Duration) clock.Timer { return testTimer(c) }

type testTimer struct{ fire chan time.Time }

func (t testTimer) C() <-chan time.Time { return t.fire }
func (t testTimer) Stop() bool          { return true }
func (t testTimer) Reset(time.Duration) {}

// testSession is a session that the test scripts, and that checks how it is
// called.
type testSession struct {
	t      testing.TB
	peer   transport.Peer
	notify func()
	handle func(ctx context.Context, s *testSession, frame []byte) error
	gone   chan struct{} // closed by Closed

	handling, taking, ended atomic.Bool

	mu  sync.Mutex
	out []service.Frame
	why *service.CloseError
}

func (s *testSession) Handle(ctx context.Context, frame []byte) error {
	s.enter(&s.handling, "Handle")
	defer s.handling.Store(false)
	return s.handle(ctx, s, frame)
}

func (s *testSession) Take(dst []service.Frame, maxBytes int) ([]service.Frame, *service.CloseError) {
	s.enter(&s.taking, "Take")
	defer s.taking.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for size := 0; n < len(s.out) && size < maxBytes; n++ {
		size += s.out[n].Len()
	}
	dst = append(dst, s.out[:n]...)
	s.out = slices.Delete(s.out, 0, n)
	return dst, s.why
}

func (s *testSession) Closed() {
	if s.handling.Load() || s.taking.Load() {
		s.t.Error("Closed while another call runs")
	}
	if s.ended.Swap(true) {
		s.t.Error("Closed twice")
	}
	close(s.gone)
}

// enter notes a call and complains about one that the contract forbids.
func (s *testSession) enter(running *atomic.Bool, call string) {
	if running.Swap(true) {
		s.t.Errorf("%s is called twice at a time", call)
	}
	if s.ended.Load() {
		s.t.Errorf("%s after Closed", call)
	}
}

// send queues a message.
func (s *testSession) send(f service.Frame) {
	s.mu.Lock()
	s.out = append(s.out, f)
	s.mu.Unlock()
	s.notify()
}

// end asks for a close.
func (s *testSession) end(why *service.CloseError) {
	s.mu.Lock()
	s.why = why
	s.mu.Unlock()
	s.notify()
}

// echo sends every message back, split in two parts.
func echo(_ context.Context, s *testSession, frame []byte) error {
	cut := len(frame) / 3
	s.send(service.Frame{Head: frame[:cut], Body: frame[cut:]})
	return nil
}

// sessions makes testSessions. refuse and opened may be nil.
type sessions struct {
	t      testing.TB
	handle func(ctx context.Context, s *testSession, frame []byte) error
	refuse error
	greet  func(*testSession)
	wrap   func(*testSession) transport.Session
	all    chan *testSession // in the order of opening
}

func (ss *sessions) Open(p transport.Peer, notify func()) (transport.Session, error) {
	s := &testSession{t: ss.t, peer: p, notify: notify, handle: ss.handle, gone: make(chan struct{})}
	if ss.refuse != nil {
		return nil, ss.refuse
	}
	if ss.greet != nil {
		ss.greet(s)
	}
	ss.all <- s
	if ss.wrap != nil {
		return ss.wrap(s), nil
	}
	return s, nil
}

// node is a running server.
type node struct {
	t     testing.TB
	srv   *Server
	ss    *sessions
	clk   testClock
	addr  string
	stop  context.CancelFunc
	ended chan struct{} // closed when Serve has returned
}

// start runs a server until the test ends. Its listeners are wrapped.
func start(tb testing.TB, ss *sessions, opt Options, wrap ...func(net.Listener) net.Listener) *node {
	tb.Helper()
	if ss.all == nil {
		ss.all = make(chan *testSession, 2048)
	}
	ss.t = tb
	log := slog.New(slog.DiscardHandler)
	n := &node{t: tb, ss: ss, clk: newTestClock(), ended: make(chan struct{})}
	var err error
	if n.srv, err = New(ss, n.clk, log, NewMetrics(prometheus.NewRegistry()), opt); err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	l, err := transport.Listen(ctx, "127.0.0.1", 0)
	if err != nil {
		tb.Fatal(err)
	}
	n.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port))
	for _, w := range wrap {
		l.All[0] = w(l.All[0])
	}
	server := transport.NewServer(n.srv, n.srv, n.clk, log, transport.ServerOptions{})
	go func() {
		defer close(n.ended)
		if err := server.Serve(ctx, l.All...); err != nil {
			tb.Errorf("Serve: %v", err)
		}
	}()
	tb.Cleanup(func() {
		stop()
		select {
		case n.clk.fire <- time.Now(): // whatever the test left open is cut
		default:
		}
		await(tb, n.ended, "the server's end")
		if c := n.srv.Connections(); c != 0 {
			tb.Errorf("%d connections after the server's end", c)
		}
	})
	return n
}

// session returns the next opened session.
func (n *node) session() *testSession {
	n.t.Helper()
	return await(n.t, n.ss.all, "a session")
}

// dial connects with an independent implementation.
func (n *node) dial() *websocket.Conn {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	//nolint:bodyclose // the response of an upgrade has no body to close
	c, _, err := websocket.Dial(ctx, "ws://"+n.addr+"/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{}}})
	if err != nil {
		n.t.Fatal(err)
	}
	c.SetReadLimit(64 << 20)
	n.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// metric reads a counter.
func metric(c prometheus.Counter) int {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		return -1
	}
	return int(m.GetCounter().GetValue())
}

// await receives from ch.
func await[T any](tb testing.TB, ch <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		tb.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

// raw is a client that sends whatever it is told to.
type raw struct {
	t   testing.TB
	net *net.TCPConn
	r   *bufio.Reader
}

// handshake is a proper upgrade request.
const handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// raw upgrades a bare socket. extra follows the request in the same write.
func (n *node) raw(extra ...byte) *raw {
	n.t.Helper()
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	tcp, _ := c.(*net.TCPConn)
	r := &raw{t: n.t, net: tcp, r: bufio.NewReader(c)}
	r.write(append([]byte(handshake), extra...))
	res, err := http.ReadResponse(r.r, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	_ = res.Body.Close() // of an upgrade it is empty
	if got := res.Header.Get("Sec-WebSocket-Accept"); res.StatusCode != http.StatusSwitchingProtocols || got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		n.t.Fatalf("upgrade answered %d, accept %q", res.StatusCode, got)
	}
	return r
}

func (r *raw) write(b []byte) {
	r.t.Helper()
	if _, err := r.net.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// frame is a frame as seen by a peer.
type frame struct {
	op      opcode
	fin     bool
	payload []byte
}

// read returns the next frame from the server.
func (r *raw) read() (frame, error) {
	var h [2]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return frame{}, err
	}
	n := uint64(h[1])
	switch h[1] {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r.r, b[:]); err != nil {
			return frame{}, err
		}
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(r.r, b[:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(b[:])
	default:
		if h[1] > 127 {
			return frame{}, errors.New("the server masks")
		}
	}
	f := frame{op: opcode(h[0] & 0x0f), fin: h[0]&0x80 != 0, payload: make([]byte, n)}
	_, err := io.ReadFull(r.r, f.payload)
	return f, err
}

// expect reads one frame and compares it.
func (r *raw) expect(op opcode, payload string) {
	r.t.Helper()
	f, err := r.read()
	if err != nil {
		r.t.Fatalf("waiting for %q: %v", payload, err)
	}
	if f.op != op || !f.fin || string(f.payload) != payload {
		r.t.Fatalf("got opcode %d fin %v %.80q, want opcode %d %.80q", f.op, f.fin, f.payload, op, payload)
	}
}

// expectClose reads up to the close frame, and then the end of the stream.
func (r *raw) expectClose(code int) (reason string) {
	r.t.Helper()
	for {
		f, err := r.read()
		if err != nil {
			r.t.Fatalf("waiting for close %d: %v", code, err)
		}
		if f.op != opClose {
			continue
		}
		got := 1005
		if len(f.payload) >= 2 {
			got, reason = int(binary.BigEndian.Uint16(f.payload)), string(f.payload[2:])
		}
		if got != code {
			r.t.Fatalf("closed with %d %q, want %d", got, reason, code)
		}
		if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
			r.t.Fatalf("after the close frame: %v, want the end of the stream", err)
		}
		return reason
	}
}

// clientFrame is a masked frame with the shortest form of length.
func clientFrame(fin bool, op opcode, payload string) []byte {
	b := []byte{byte(op)}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	key := [4]byte{0x1f, 0x80, 0x00, 0xc3}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// closePayload is the payload of a close frame.
func closePayload(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// noDeadline takes a deadline back.
var noDeadline time.Time

// numbered is the i-th message of sender who.
func numbered(who, i int) string { return fmt.Sprintf("%d:%d", who, i) }
