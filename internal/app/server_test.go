package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// testServer is a running server.
type testServer struct {
	t       *testing.T
	port    string
	cancel  func()        // begins the stop
	stop    func()        // stops and waits
	said    func() string // what it wrote to standard error; asked after stop
	peers   []*peer.Peer
	markers int
}

// startServer starts a server on a data directory of its own.
func startServer(t *testing.T, env ...string) *testServer {
	t.Helper()
	return startServerIn(t, filepath.Join(t.TempDir(), "data"), env...)
}

// startServerIn starts a server without authentication, unless env says
// otherwise: a later variable replaces an earlier one.
func startServerIn(t *testing.T, dir string, env ...string) *testServer {
	t.Helper()
	return startServerOn(t, dir, vfs.Default, env...)
}

// startServerOn is startServerIn over a file system.
func startServerOn(t *testing.T, dir string, disk vfs.FS, env ...string) *testServer {
	t.Helper()
	environ := append([]string{"TOPGUN_NO_AUTH=1", "TOPGUN_BIND_ADDR=localhost", "TOPGUN_DATA_DIR=" + dir, "PORT=0"}, env...)
	cfg, err := config.Load(config.Sources{Environ: environ, ReadFile: func(string) ([]byte, error) { return nil, io.EOF }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	var log strings.Builder
	go func() {
		done <- run(ctx, cfg, disk, in, &log)
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("the server did not start: %v; %v\n%s", err, <-done, log.String())
	}
	s := &testServer{t: t, port: strings.TrimSpace(strings.TrimPrefix(line, "PORT=")), cancel: cancel}
	s.said = log.String
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		for _, p := range s.peers {
			p.Drop() // nobody reads there who could answer the close
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v\n%s", err, log.String())
		}
	}
	t.Cleanup(s.stop)
	return s
}

func (s *testServer) dial() *peer.Peer {
	s.t.Helper()
	p := peer.New(s.t, s.port)
	s.peers = append(s.peers, p)
	return p
}

// get asks by HTTP.
func (s *testServer) get(path string) (status int, body string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://127.0.0.1:"+s.port+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metric reads a metric with its labels as they are written; one that is not
// there counts 0.
func (s *testServer) metric(name string) float64 {
	s.t.Helper()
	_, body := s.get("/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.+)$`).FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *testServer) frames(outcome string) float64 {
	s.t.Helper()
	return s.metric(`topgun_session_frames_total{outcome="` + outcome + `"}`)
}

// bystanders are two connections that have nothing to do with a test: one
// writes, the other sees it.
type bystanders struct {
	server         *testServer
	writer, reader *peer.Peer
}

const bystandersMap = "bystanders"

func (s *testServer) bystanders() *bystanders {
	s.t.Helper()
	b := &bystanders{s, s.dial(), s.dial()}
	b.reader.Send(&wire.QuerySub{QueryID: "all", MapName: bystandersMap})
	peer.Only[*wire.QueryResp](b.reader)
	return b
}

// unharmed fails the test when they cannot go on.
func (b *bystanders) unharmed() {
	b.server.t.Helper()
	b.server.markers++
	key := fmt.Sprint("key ", b.server.markers)
	b.writer.Send(peer.Batch(peer.Put("1", bystandersMap, key, b.server.markers, at(1000))))
	if ack := peer.Only[*wire.OpAck](b.writer); ack.LastID != "1" {
		b.server.t.Fatalf("the bystander's write is answered with %+v", ack)
	}
	peer.Only[*wire.ServerEvent](b.reader)
	if up := peer.Only[*wire.QueryUpdate](b.reader); up.Key != key {
		b.server.t.Fatalf("the bystander sees %q, expected %q", up.Key, key)
	}
}

// at is a timestamp of a test's writer.
func at(millis int64) hlc.Timestamp { return hlc.Timestamp{Millis: millis, Node: "test"} }

// details are the details of an ERROR: its name, and the type and id of the
// request.
func details(e *wire.Error) map[string]any {
	d, _ := e.Details.Any().(map[string]any)
	return d
}

// rows asks for all rows of a map, by key.
func rows(p *peer.Peer, mapName string) map[string]any {
	p.Send(&wire.QuerySub{QueryID: "rows of " + mapName, MapName: mapName})
	out := map[string]any{}
	for _, r := range peer.Expect[*wire.QueryResp](p).Results {
		out[r.Key] = r.Value.Any()
	}
	p.Send(&wire.QueryUnsub{QueryID: "rows of " + mapName})
	return out
}
