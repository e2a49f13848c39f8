package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// eventually repeats a question, each of which takes a round trip to the server,
// until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !yes(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// smallOutbox lets little wait for a connection, but some messages.
var smallOutbox = []string{"TOPGUN_OUTBOX_BYTES=256KiB", "TOPGUN_MAX_MESSAGE_BYTES=64KiB", "TOPGUN_MAX_VALUE_BYTES=60KiB"}

// overflow writes until a reader that does not read has let its outbox fill up.
// The one that reads sees everything.
func overflow(t *testing.T, s *testServer) {
	t.Helper()
	w, reader := s.dial(), s.observer("m")
	large := strings.Repeat("x", 50<<10)
	before := s.metric("topgun_session_slow_consumers_total")
	for i := 0; s.metric("topgun_session_slow_consumers_total") == before; i++ {
		if i == 2000 {
			t.Fatal("100 MiB fit into an outbox of 256 KiB and two buffers of a socket")
		}
		write(t, w, peer.Put(fmt.Sprint(i), "m", "k", map[string]any{"i": i, "pad": large}, at(int64(i+1))))
		peer.Only[*wire.ServerEvent](reader)
		if up := peer.Only[*wire.QueryUpdate](reader); up.Value.Any().(map[string]any)["i"] != int64(i) {
			t.Fatalf("update %d is another: %d bytes", i, len(up.Value))
		}
	}
}

// TestMuchIsAskedForAtOnce: whoever asks for more than the outbox holds gets all of
// it: the leaves of a replica, and results of queries. What others change meanwhile
// is told too.
func TestMuchIsAskedForAtOnce(t *testing.T) {
	s := startServer(t, smallOutbox...)
	w := s.dial()
	const rows = 1200
	pad := strings.Repeat("x", 1000)
	for i := range rows {
		w.Send(peer.Batch(peer.Put(fmt.Sprint(i), "m", fmt.Sprint("k", i), map[string]any{"i": i, "pad": pad}, at(int64(i+1)))))
		peer.Only[*wire.OpAck](w)
	}
	reader := s.dial()
	var asked []wire.Message
	for leaf := range 4096 {
		asked = append(asked, &wire.MerkleReqBucket{MapName: "m", Path: fmt.Sprintf("%03x", leaf)})
	}
	const queries = 10
	for i := range queries {
		asked = append(asked, &wire.QuerySub{QueryID: fmt.Sprint("q", i), MapName: "m", Query: wire.Query{Limit: wire.Some(int64(rows - i))}})
	}
	reader.Send(asked...)
	leaves, results, records := 0, 0, 0
	for leaves < 4096 || results < queries {
		switch m := reader.Next().(type) {
		case *wire.SyncRespLeaf:
			leaves, records = leaves+1, records+len(m.Records)
		case *wire.QueryResp:
			if want := rows - int(m.QueryID[1]-'0'); len(m.Results) != want {
				t.Errorf("query %s has %d rows, want %d", m.QueryID, len(m.Results), want)
			}
			results++
		default:
			t.Fatalf("sent %T", m)
		}
	}
	if records != rows {
		t.Errorf("the leaves hold %d records", records)
	}
	w.Send(peer.Batch(peer.Remove("r", "m", "k0", at(5000))))
	left := map[string]bool{}
	for len(left) < queries {
		if m, ok := reader.Next().(*wire.QueryUpdate); ok && m.ChangeType == wire.ChangeLeave {
			left[m.QueryID] = true
		}
	}
	if n := s.metric("topgun_session_slow_consumers_total"); n != 0 {
		t.Errorf("%v sessions were closed because they did not read", n)
	}
}

// TestReaderThatStopsIsClosed: a subscriber that does not read is closed with
// 4003 when its outbox is full; nobody else waits for it or misses anything.
func TestReaderThatStopsIsClosed(t *testing.T) {
	s := startServer(t, smallOutbox...)
	others := s.bystanders()
	slow := s.dial()
	slow.Send(&wire.QuerySub{QueryID: "q", MapName: "m"})
	peer.Only[*wire.QueryResp](slow)
	overflow(t, s)
	// It reads on, before the server gives up waiting for that.
	if code, _ := slow.Closed(); code != wire.CloseSlowConsumer {
		t.Errorf("closed with %d", code)
	}
	others.unharmed()
}

// TestFramesInFlight: a session with as many unacknowledged frames as it may
// have is not read; nothing is lost or refused.
func TestFramesInFlight(t *testing.T) {
	s := startServer(t, "TOPGUN_FRAMES_IN_FLIGHT=1")
	others := s.bystanders()
	p := s.dial()
	const frames = 200
	for i := range frames {
		p.Send(peer.Batch(peer.Put(fmt.Sprint(i), "m", fmt.Sprint(i), i, at(5))))
	}
	others.unharmed()
	for i := range frames {
		if ack := peer.Only[*wire.OpAck](p); ack.LastID != fmt.Sprint(i) {
			t.Fatalf("acknowledgement %d is %+v", i, ack)
		}
	}
	if n := s.metric(`topgun_session_parked_total{reason="busy"}`); n == 0 {
		t.Error("the session never had to wait")
	}
	if got := rows(p, "m"); len(got) != frames {
		t.Errorf("%d records of %d", len(got), frames)
	}
}

// TestOperationsPerSecond: a session that uses up its share is read more slowly;
// others have their own.
func TestOperationsPerSecond(t *testing.T) {
	s := startServer(t, "TOPGUN_OPS_PER_SECOND=2000", "TOPGUN_OPS_BURST=200")
	others := s.bystanders()
	p := s.dial()
	began := time.Now()
	const frames, ops = 10, 100
	for i := range frames {
		b := &wire.OpBatch{}
		for j := range ops {
			b.Ops = append(b.Ops, peer.Put(fmt.Sprint(i*ops+j), "m", fmt.Sprint(j), i, at(int64(i+1))))
		}
		p.Send(b)
	}
	for range 20 {
		others.unharmed()
	}
	for i := range frames {
		if ack := peer.Only[*wire.OpAck](p); ack.LastID != fmt.Sprint(i*ops+ops-1) {
			t.Fatalf("acknowledgement %d is %+v", i, ack)
		}
	}
	if took := time.Since(began); took < 390*time.Millisecond {
		t.Errorf("1000 operations took %v at 2000 a second beyond 200", took)
	}
	if n := s.metric(`topgun_session_parked_total{reason="rate"}`); n == 0 {
		t.Error("the session never had to wait")
	}
}

// TestFrameAboveTheBurst is refused as a whole: no waiting would make room.
func TestFrameAboveTheBurst(t *testing.T) {
	s := startServer(t, "TOPGUN_OPS_BURST=10")
	p := s.dial()
	b := &wire.OpBatch{}
	for i := range 11 {
		b.Ops = append(b.Ops, peer.Put(fmt.Sprint(i), "m", fmt.Sprint(i), i, at(5)))
	}
	p.Send(b)
	e := peer.Only[*wire.Error](p)
	if d := details(e); e.Code != 429 || d["name"] != "OVERLOADED" || d["type"] != "OP_BATCH" {
		t.Errorf("got %+v with %v", e, d)
	}
	p.Silent()
	if n := s.frames("refused"); n != 1 {
		t.Errorf("%v frames are counted", n)
	}
	if got := rows(p, "m"); len(got) != 0 {
		t.Errorf("it was carried out: %v", got)
	}
	b.Ops = b.Ops[:10]
	p.Send(b)
	if ack := peer.Only[*wire.OpAck](p); ack.LastID != "9" {
		t.Errorf("got %+v", ack)
	}
}

// TestSilentConnectionIsClosed with 1000; one that says anything is not.
func TestSilentConnectionIsClosed(t *testing.T) {
	s := startServer(t, "TOPGUN_IDLE_TIMEOUT=1s")
	silent, talking := s.dial(), s.dial()
	silent.Silent()
	ended := make(chan error, 1)
	go func() {
		_, err := silent.Read(t.Context())
		ended <- err
	}()
	eventually(t, "the silent connection is closed", func() bool {
		talking.Silent()
		return len(ended) > 0
	})
	if code, ok := peer.CloseOf(<-ended); !ok || code != wire.CloseNormal {
		t.Errorf("closed with %d", code)
	}
	talking.Silent()
}

// TestConnectionsAreLimited: one too many is refused with 503 at the upgrade, and
// the place of one that leaves is free.
func TestConnectionsAreLimited(t *testing.T) {
	s := startServer(t, "TOPGUN_MAX_CONNECTIONS=2")
	first, second := s.dial(), s.dial()
	first.Silent()
	_, err := peer.Dial(t.Context(), s.port, peer.Options{})
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Fatalf("the third connection: %v", err)
	}
	first.Drop()
	eventually(t, "the place is free", func() bool {
		c, err := peer.Dial(t.Context(), s.port, peer.Options{})
		if err == nil {
			c.Drop()
		}
		return err == nil
	})
	second.Silent()
}

// TestWhoMayConnect: web pages of other origins, and requests for another host,
// are refused at the upgrade.
func TestWhoMayConnect(t *testing.T) {
	plain := startServer(t)
	open := startServer(t, "TOPGUN_CORS_ORIGINS=https://app.example", "TOPGUN_ALLOWED_HOSTS=grid.example")
	tests := []struct {
		name         string
		server       *testServer
		origin, host string
		in           bool
	}{
		{"no page at all", plain, "", "", true},
		{"a page of the same host", plain, "http://localhost:PORT", "localhost:PORT", true},
		{"a page of another host", plain, "https://evil.example", "", false},
		{"a page of another port of the same host", plain, "http://localhost:1", "localhost:PORT", true},
		{"a file", plain, "null", "", false},
		{"an origin that is none", plain, "evil", "", false},
		{"a name that only pretends to be this machine", plain, "", "evil.example", false},
		{"both pretend to be the same", plain, "http://evil.example", "evil.example", false},
		{"an origin that is allowed", open, "https://app.example", "", true},
		{"the same with another scheme", open, "http://app.example", "", false},
		{"an origin that begins with it", open, "https://app.example.evil.example", "", false},
		{"a host that is allowed", open, "", "grid.example", true},
		{"another host", open, "", "grid.example.evil.example", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := peer.Options{Header: http.Header{}, Host: strings.ReplaceAll(tt.host, "PORT", tt.server.port)}
			if tt.origin != "" {
				opt.Header.Set("Origin", strings.ReplaceAll(tt.origin, "PORT", tt.server.port))
			}
			c, err := peer.Dial(t.Context(), tt.server.port, opt)
			if err == nil {
				c.Drop()
			}
			switch {
			case tt.in && err != nil:
				t.Errorf("refused: %v", err)
			case !tt.in && (err == nil || !strings.Contains(err.Error(), "403")):
				t.Errorf("expected 403, got %v", err)
			}
		})
	}
}

// TestTheLargestValueMayBeReplaced: the log holds a value together with the one
// before it.
func TestTheLargestValueMayBeReplaced(t *testing.T) {
	s := startServer(t, "TOPGUN_MAX_VALUE_BYTES=16MiB", "TOPGUN_MAX_MESSAGE_BYTES=20MiB", "TOPGUN_OUTBOX_BYTES=32MiB")
	p := s.dial()
	for i, fill := range []string{"a", "b"} {
		write(t, p, peer.Put(fmt.Sprint(i+1), "m", "k", strings.Repeat(fill, 16<<20-8), at(int64(10+i))))
	}
}
