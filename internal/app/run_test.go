package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// testServer is a running server.
type testServer struct {
	t    *testing.T
	port string
	stop func()
}

func startServer(t *testing.T, env ...string) *testServer {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	return startServerIn(t, dir, env...)
}

func startServerIn(t *testing.T, dir string, env ...string) *testServer {
	t.Helper()
	environ := append([]string{"TOPGUN_NO_AUTH=1", "TOPGUN_DATA_DIR=" + dir, "PORT=0"}, env...)
	cfg, err := config.Load(config.Sources{Environ: environ, ReadFile: func(string) ([]byte, error) { return nil, io.EOF }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	var log strings.Builder
	go func() {
		done <- Run(ctx, cfg, in, &log)
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("the server did not start: %v; %v\n%s", err, <-done, log.String())
	}
	s := &testServer{t: t, port: strings.TrimSpace(strings.TrimPrefix(line, "PORT="))}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v\n%s", err, log.String())
		}
	}
	t.Cleanup(s.stop)
	return s
}

// peer is a client made of nothing but frames.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *testServer) dial() *peer {
	s.t.Helper()
	conn, _, err := websocket.Dial(s.t.Context(), "ws://127.0.0.1:"+s.port+"/ws", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20)
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{s.t, conn}
}

func (p *peer) send(m wire.Message) { p.t.Helper(); p.sendBytes(wire.Append(nil, m)) }

func (p *peer) sendBytes(b []byte) {
	p.t.Helper()
	if err := p.conn.Write(p.t.Context(), websocket.MessageBinary, b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) next() wire.Message {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	_, b, err := p.conn.Read(ctx)
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	m, err := wire.Decode(b, wire.Limits{FrameBytes: 64 << 20})
	if err != nil {
		p.t.Fatalf("decode: %v", err)
	}
	return m
}

// expect reads until a message of type T comes; others are passed over.
func expect[T wire.Message](p *peer) T {
	p.t.Helper()
	for range 1000 {
		if m, ok := p.next().(T); ok {
			return m
		}
	}
	p.t.Fatal("the message does not come")
	panic("unreachable")
}

func put(id, mapName, key string, v any, millis int64) *wire.OpBatch {
	raw, err := value.FromAny(v)
	if err != nil {
		panic(err)
	}
	return &wire.OpBatch{Ops: []wire.ClientOp{{
		ID: id, MapName: mapName, Key: key, OpType: "PUT",
		Record: wire.Given(wire.LWWRecord{Value: raw, Timestamp: hlc.Timestamp{Millis: millis, Node: "test"}}),
	}}}
}

// TestWriteReachesTheLogAndALiveQuery is the first trace of the architecture: a
// PUT on one socket comes out as a QUERY_UPDATE on another.
func TestWriteReachesTheLogAndALiveQuery(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	reader, writer := s.dial(), s.dial()
	reader.send(&wire.QuerySub{QueryID: "q", MapName: "todos"})
	if r := expect[*wire.QueryResp](reader); len(r.Results) != 0 || r.QueryID != "q" {
		t.Fatalf("got %+v", r)
	}
	writer.send(put("1", "todos", "a", map[string]any{"title": "milk"}, 1000))
	if ack := expect[*wire.OpAck](writer); ack.LastID != "1" || ack.AchievedLevel != wire.Persisted {
		t.Fatalf("got %+v", ack)
	}
	up := expect[*wire.QueryUpdate](reader)
	if up.QueryID != "q" || up.Key != "a" || up.ChangeType != wire.ChangeEnter || fmt.Sprint(up.Value.Any()) != "map[title:milk]" {
		t.Fatalf("got %+v with %v", up, up.Value.Any())
	}
	s.stop()

	s = startServerIn(t, dir)
	again := s.dial()
	again.send(&wire.QuerySub{QueryID: "q", MapName: "todos"})
	if r := expect[*wire.QueryResp](again); len(r.Results) != 1 || r.Results[0].Key != "a" {
		t.Fatalf("after a restart: %+v", r)
	}
}
