package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// badNames are no names of topics and counters.
var badNames = []string{"", "a b", "ä", "a\x00", strings.Repeat("n", 257)}

// expectRefusal fails the test unless the next message is an ERROR with these.
func expectRefusal(t *testing.T, p *peer.Peer, code int64, name string, of wire.Type) {
	t.Helper()
	e := peer.Only[*wire.Error](p)
	if d := details(e); e.Code != code || d["name"] != name || d["type"] != of.String() {
		t.Errorf("got %d %q with %v, expected %d %s of %s", e.Code, e.Message, d, code, name, of)
	}
}

// TestTopics: what is published reaches every other subscriber in its order and
// not the publisher; names and numbers are limited by name; leaving ends it.
func TestTopics(t *testing.T) {
	s := startServer(t)
	a, b, c := s.dial(), s.dial(), s.dial()
	const topic = "chat:room/1.x_y-Z"
	for _, p := range []*peer.Peer{a, b} {
		p.Send(&wire.TopicSub{Topic: topic}, &wire.TopicSub{Topic: topic})
		p.Silent()
	}
	for i := range 50 {
		a.Send(&wire.TopicPub{Topic: topic, Data: peer.Value(i)})
	}
	a.Send(&wire.TopicPub{Topic: topic}) // nil is a value
	a.Silent()
	for i := range 50 {
		m := peer.Only[*wire.TopicMessage](b)
		if m.Topic != topic || m.Data.Any() != int64(i) || m.PublisherID == "" || m.Timestamp == 0 {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
	if m := peer.Only[*wire.TopicMessage](b); m.Data.Any() != nil {
		t.Errorf("got %v", m.Data.Any())
	}
	b.Silent()
	c.Send(&wire.TopicUnsub{Topic: topic})
	b.Send(&wire.TopicUnsub{Topic: topic})
	b.Silent()
	c.Send(&wire.TopicPub{Topic: topic, Data: peer.Value(1)})
	if m := peer.Only[*wire.TopicMessage](a); m.Data.Any() != int64(1) {
		t.Errorf("got %v", m.Data.Any())
	}
	b.Silent()

	for _, name := range badNames {
		b.Send(&wire.TopicSub{Topic: name}, &wire.TopicPub{Topic: name})
		expectRefusal(t, b, 400, "INVALID_NAME", wire.TypeTopicSub)
		expectRefusal(t, b, 400, "INVALID_NAME", wire.TypeTopicPub)
	}
	for i := range 100 {
		b.Send(&wire.TopicSub{Topic: fmt.Sprint(i)})
	}
	b.Silent()
	b.Send(&wire.TopicSub{Topic: "one too many"})
	expectRefusal(t, b, 400, "INVALID_NAME", wire.TypeTopicSub)
	b.Send(&wire.TopicSub{Topic: "one-too-many"})
	expectRefusal(t, b, 403, "FORBIDDEN", wire.TypeTopicSub)
	b.Send(&wire.TopicUnsub{Topic: "7"}, &wire.TopicSub{Topic: "one-too-many"})
	b.Silent()
}

func counts(name string, value float64) wire.NumberMap {
	return wire.NumberMap{{Name: name, Value: value}}
}

// TestCounters: each node's greatest counts are kept, everyone who has asked is
// told, and a restart changes nothing.
func TestCounters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	a, b := s.dial(), s.dial()
	b.Send(&wire.CounterRequest{Name: "likes"})
	if r := peer.Only[*wire.CounterResponse](b); r.Name != "likes" || len(r.State.Positive)+len(r.State.Negative) != 0 {
		t.Errorf("an unknown counter is %+v", r)
	}
	sync := func(pos, neg wire.NumberMap) *wire.CounterSync {
		return &wire.CounterSync{Name: "likes", State: wire.CounterState{Positive: pos, Negative: neg}}
	}
	told := func(want string, to ...*peer.Peer) {
		t.Helper()
		for _, p := range to {
			if u := peer.Only[*wire.CounterUpdate](p); fmt.Sprint(u.State.Positive, u.State.Negative) != want {
				t.Errorf("told %v %v, expected %s", u.State.Positive, u.State.Negative, want)
			}
		}
	}
	a.Send(sync(counts("a", 3), nil))
	told("[{a 3}] []", a, b)
	b.Send(sync(counts("b", 0.5), counts("b", 2)))
	told("[{a 3} {b 0.5}] [{b 2}]", a, b)
	a.Send(sync(counts("a", 1), nil)) // less than before: only the sender is told
	told("[{a 3} {b 0.5}] [{b 2}]", a)
	b.Silent()

	for _, bad := range []float64{-1, math.Inf(-1)} {
		before := s.frames("refused") + s.frames("malformed")
		b.Send(sync(counts("b", bad), nil))
		expectRefusal(t, b, 400, "INVALID_FIELD", wire.TypeCounterSync)
		if n := s.frames("refused") + s.frames("malformed") - before; n != 1 {
			t.Errorf("%v frames are counted", n)
		}
	}
	for _, name := range badNames {
		b.Send(&wire.CounterRequest{Name: name}, &wire.CounterSync{Name: name})
		expectRefusal(t, b, 400, "INVALID_NAME", wire.TypeCounterRequest)
		expectRefusal(t, b, 400, "INVALID_NAME", wire.TypeCounterSync)
	}
	b.Drop()
	a.Send(sync(counts("a", 4), nil))
	told("[{a 4} {b 0.5}] [{b 2}]", a)

	s.stop()
	s = startServerIn(t, dir)
	a = s.dial()
	a.Send(&wire.CounterRequest{Name: "likes"})
	if r := peer.Only[*wire.CounterResponse](a); fmt.Sprint(r.State.Positive, r.State.Negative) != "[{a 4} {b 0.5}] [{b 2}]" {
		t.Errorf("after a restart: %+v", r.State)
	}
}

// TestCountersOfASessionAreLimited by name.
func TestCountersOfASessionAreLimited(t *testing.T) {
	p := startServer(t).dial()
	const limit = 1000
	for i := range limit {
		p.Send(&wire.CounterRequest{Name: fmt.Sprint(i)})
	}
	for range limit {
		peer.Only[*wire.CounterResponse](p)
	}
	p.Send(&wire.CounterRequest{Name: "one-too-many"})
	expectRefusal(t, p, 403, "FORBIDDEN", wire.TypeCounterRequest)
	p.Send(&wire.CounterSync{Name: "one-too-many", State: wire.CounterState{Positive: counts("n", 1)}})
	expectRefusal(t, p, 403, "FORBIDDEN", wire.TypeCounterSync)
	p.Send(&wire.CounterRequest{Name: "7"})
	peer.Only[*wire.CounterResponse](p)
}

// TestPartitionMap: a node that is alone owns all partitions, under the address
// that clients dial.
func TestPartitionMap(t *testing.T) {
	s := startServer(t, "TOPGUN_NODE_ID=node-1")
	p := s.dial()
	p.Send(&wire.PartitionMapRequest{})
	m := peer.Only[*wire.PartitionMap](p)
	if m.Version != 1 || m.PartitionCount != 271 || len(m.Partitions) != 271 || m.GeneratedAt == 0 {
		t.Errorf("version %d with %d of %d partitions", m.Version, len(m.Partitions), m.PartitionCount)
	}
	want := "[{node-1 {ws://localhost:" + s.port + "/ws } ACTIVE}]"
	if fmt.Sprint(m.Nodes) != want {
		t.Errorf("the nodes are %v, expected %s", m.Nodes, want)
	}
	for i, part := range m.Partitions {
		if part.PartitionID != int64(i) || part.OwnerNodeID != "node-1" || len(part.BackupNodeIDs) != 0 {
			t.Fatalf("partition %d is %+v", i, part)
		}
	}
	p.Send(&wire.PartitionMapRequest{CurrentVersion: 1}, &wire.PartitionMapRequest{CurrentVersion: 9})
	p.Silent()
}

// TestHealthOverHTTP: the four questions about health, the metrics, and what is
// not there.
func TestHealthOverHTTP(t *testing.T) {
	s := startServer(t)
	p := s.dial()
	p.Silent()
	status, body := s.get("/health")
	var h struct {
		State       string
		Connections int
	}
	if err := json.Unmarshal([]byte(body), &h); err != nil || status != 200 || h.State != "ready" || h.Connections != 1 {
		t.Errorf("/health is %d %s (%v)", status, body, err)
	}
	for path, want := range map[string]int{
		"/health/live": 200, "/health/ready": 200, "/healthz": 200, "/metrics": 200, "/": 200, "/nothing": 404, "/api/admin/maps": 404,
	} {
		if got, _ := s.get(path); got != want {
			t.Errorf("%s is %d, expected %d", path, got, want)
		}
	}
}

// TestDrainingServerRefuses: while a stop waits for a client that does not answer
// the close, nobody else gets in, and idle HTTP connections are ended.
func TestDrainingServerRefuses(t *testing.T) {
	s := startServer(t)
	s.dial().Silent() // does not read, so the drain waits for it
	other := peer.New(t, s.port)
	other.Silent()
	if status, _ := s.get("/healthz"); status != 200 { // over a connection that stays open
		t.Fatalf("/healthz is %d", status)
	}
	s.cancel()
	if code, said := other.Closed(); code != wire.CloseGoingAway || len(said) > 0 {
		t.Errorf("closed with %d after %s", code, peer.Names(said))
	}
	eventually(t, "HTTP is refused", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+s.port+"/healthz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	if _, err := peer.Dial(t.Context(), s.port, peer.Options{}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a connection while draining: %v", err)
	}
	s.stop()
}

// TestKeysOfEveryScript lie in the partition and leaf where clients look for
// them: by the UTF-16 of their text.
func TestKeysOfEveryScript(t *testing.T) {
	p := startServer(t).dial()
	keys := []string{"plain", "ünï", "日本語", "😀", "a\x00b", ""}
	for i, key := range keys {
		write(t, p, peer.Put(fmt.Sprint(i), "m", key, i, at(5)))
	}
	for i, key := range keys {
		path := fmt.Sprintf("%08x", hash.Key(key))[:3]
		p.Send(&wire.MerkleReqBucket{MapName: "m", Path: path})
		found := false
		for _, r := range peer.Only[*wire.SyncRespLeaf](p).Records {
			found = found || r.Key == key && r.Record.Value.Any() == int64(i)
		}
		if !found {
			t.Errorf("%q is not in leaf %s", key, path)
		}
	}
}
