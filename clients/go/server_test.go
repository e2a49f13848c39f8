package topgun_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/app/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; it is no measure of anything.
const patience = 60 * time.Second

// server is a real server, which may be stopped and started again.
type server struct {
	t    *testing.T
	dir  string
	env  []string
	port string
	stop func()
}

func startServer(t *testing.T, env ...string) *server {
	t.Helper()
	if len(env) == 0 {
		env = []string{"TOPGUN_NO_AUTH=1"}
	}
	s := &server{t: t, dir: filepath.Join(t.TempDir(), "data"), env: env}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *server) start() {
	s.t.Helper()
	stop, port, err := runServer(s.dir, s.env)
	if err != nil {
		s.t.Fatal(err)
	}
	s.port = port
	s.stop = sync.OnceFunc(func() {
		if err := stop(); err != nil {
			s.t.Errorf("the server ended with %v", err)
		}
	})
}

// runServer runs a server and returns how to stop it.
func runServer(dir string, env []string) (stop func() error, port string, err error) {
	environ := append([]string{"TOPGUN_DATA_DIR=" + dir, "PORT=0"}, env...)
	cfg, err := config.Load(config.Sources{Environ: environ, ReadFile: func(string) ([]byte, error) { return nil, io.EOF }})
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- app.Run(ctx, cfg, in, io.Discard)
		_ = in.Close()
	}()
	stop = func() error {
		cancel()
		return <-done
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, "", stop()
	}
	return stop, strings.TrimSpace(strings.TrimPrefix(line, "PORT=")), nil
}

func (s *server) url() string { return "ws://127.0.0.1:" + s.port + "/ws" }

func (s *server) connect(opts ...topgun.Option) *topgun.Client {
	s.t.Helper()
	return connect(s.t, s.url(), opts...)
}

// connect connects a client that comes back fast.
func connect(t *testing.T, url string, opts ...topgun.Option) *topgun.Client {
	t.Helper()
	opts = append([]topgun.Option{topgun.WithBackoff(time.Millisecond, 20*time.Millisecond)}, opts...)
	c, err := topgun.Connect(within(t), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within is a context for one wait.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// proxy stands between clients and a server, and breaks what goes through it.
type proxy struct {
	t  *testing.T
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex
	target string // port; empty refuses connections
	deaf   bool   // what servers say is swallowed
	conns  map[net.Conn]struct{}
	closed bool
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, ln: ln, target: target, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "ws://" + p.ln.Addr().String() + "/ws" }

func (p *proxy) accept() {
	for {
		down, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target, closed := p.target, p.closed
		p.mu.Unlock()
		if target == "" || closed {
			_ = down.Close()
			continue
		}
		up, err := net.Dial("tcp", "127.0.0.1:"+target)
		if err != nil {
			_ = down.Close()
			continue
		}
		p.mu.Lock()
		if p.closed {
			_, _ = down.Close(), up.Close()
			p.mu.Unlock()
			return
		}
		p.conns[down], p.conns[up] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() { p.pipe(down, up, false) })
		p.wg.Go(func() { p.pipe(up, down, true) })
	}
}

func (p *proxy) pipe(from, to net.Conn, answers bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		swallow := answers && p.deaf
		p.mu.Unlock()
		if n > 0 && !swallow {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = from.Close(), to.Close()
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// lead sends connections from now on to a port, nowhere if it is empty.
func (p *proxy) lead(port string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = port
}

// deafen makes the answers of servers disappear.
func (p *proxy) deafen(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
}

// must returns the value of a call that may not fail.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// await reads a subscription until a value is as wanted.
func await[T any](t *testing.T, s *topgun.Subscription[T], ok func(T) bool) T {
	t.Helper()
	for {
		v, err := s.Next()
		if err != nil {
			t.Fatalf("what was awaited did not come: %v", err)
		}
		if ok(v) {
			return v
		}
	}
}

// awaitState waits until a client is in a state.
func awaitState(t *testing.T, c *topgun.Client, want topgun.State) {
	t.Helper()
	s := must(c.WatchState(within(t)))(t)
	defer s.Close()
	await(t, s, func(got topgun.State) bool { return got == want })
}

// written waits for a write that may not fail.
func written(t *testing.T, w *topgun.Write, err error) topgun.Concern {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	level, err := w.Wait(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return level
}
