package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// admin sends a request of an administrator and returns status and body.
func (s *testServer) admin(method, path, body string) (status int, text string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://127.0.0.1:"+s.port+"/api/admin/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// indexed waits until the building of an index has ended, and returns what the
// server says of it.
func (s *testServer) indexed(path string) map[string]any {
	s.t.Helper()
	for {
		code, body := s.admin("GET", "indexes/"+path+"/status", "")
		var st map[string]any
		if code == http.StatusNotFound {
			continue // the definitions are read after the start
		}
		if err := json.Unmarshal([]byte(body), &st); code != http.StatusOK || err != nil {
			s.t.Fatalf("%d %s", code, body)
		}
		if st["done"] == true {
			return st
		}
	}
}

// TestIndexesOverHTTP makes indexes, reads how they are, restarts the server and
// drops them (protocol 03 §4).
func TestIndexesOverHTTP(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	p := s.dial()
	var ops []wire.ClientOp
	for i := range 1500 {
		ops = append(ops, peer.Put(fmt.Sprint(i+1), "m", fmt.Sprint("k", i), map[string]any{"status": i % 3, "at": i}, at(int64(10+i))))
	}
	write(t, p, ops[:900]...)
	write(t, p, ops[900:]...)
	write(t, p, peer.Add("2000", "sets", "a", "tag", 1, at(10)))

	for _, c := range []struct {
		body   string
		status int
	}{
		{`{"mapName":"m","attribute":"status","indexType":"hash"}`, 201},
		{`{"mapName":"m","attribute":"status, at","indexType":"navigable"}`, 201},
		{`{"mapName":"m","attribute":"status","indexType":"navigable"}`, 409},
		{`{"mapName":"m","attribute":"x","indexType":"vector"}`, 400},
		{`{"mapName":"m","attribute":"","indexType":"hash"}`, 400},
		{`{"mapName":"sets","attribute":"x","indexType":"hash"}`, 400},
		{`{"mapName":"__topgun_devices","attribute":"x","indexType":"hash"}`, 400},
		{`nonsense`, 400},
	} {
		if code, body := s.admin("POST", "indexes", c.body); code != c.status {
			t.Errorf("%s is answered %d %s", c.body, code, body)
		}
	}
	for range 2 {
		if st := s.indexed("m/status"); st["processed"] != 1500.0 || st["total"] != 1500.0 {
			t.Errorf("the status is %v", st)
		}
		s.indexed("m/status,at")
		code, body := s.admin("GET", "indexes", "")
		var all struct{ Indexes []map[string]any }
		if err := json.Unmarshal([]byte(body), &all); code != 200 || err != nil || len(all.Indexes) != 2 || all.Indexes[0]["entryCount"] != 1500.0 {
			t.Errorf("%d %s, %v", code, body, err)
		}
		s.stop()
		s = startServerIn(t, dir)
	}
	if st := s.indexed("m/status"); st["rebuildType"] != "startupRebuild" {
		t.Errorf("the status after a start is %v", st)
	}
	if code, body := s.admin("DELETE", "indexes/m/status", ""); code != 204 || body != "" {
		t.Errorf("dropping is answered %d %s", code, body)
	}
	for _, method := range []string{"DELETE indexes/m/status", "GET indexes/m/status/status"} {
		verb, path, _ := strings.Cut(method, " ")
		if code, body := s.admin(verb, path, ""); code != 404 {
			t.Errorf("%s is answered %d %s", method, code, body)
		}
	}
}

// explained is how the server answers a query.
type explained struct {
	Lanes          []struct{ Path string }
	LookedAt, Rows int
	Advice         *struct{ MapName, Attribute, IndexType string }
}

func (s *testServer) explain(query string) explained {
	s.t.Helper()
	code, body := s.admin("POST", "query/explain", `{"mapName":"m","query":`+query+`}`)
	var x explained
	if err := json.Unmarshal([]byte(body), &x); code != http.StatusOK || err != nil || len(x.Lanes) == 0 {
		s.t.Fatalf("%s is explained with %d %s", query, code, body)
	}
	return x
}

// fill writes records with a status, of which there are few, and a time.
func (s *testServer) fill(records int) {
	s.t.Helper()
	p := s.dial()
	var ops []wire.ClientOp
	for i := range records {
		ops = append(ops, peer.Put(fmt.Sprint(i+1), "m", fmt.Sprint("k", i), map[string]any{"status": i % 20, "at": i}, at(int64(10+i))))
		if len(ops) == 1000 || i == records-1 {
			write(s.t, p, ops...)
			ops = nil
		}
	}
}

// TestQueriesAreExplained shows what queries cost without indexes and with them,
// and that those which are told to be live are answered in the same way.
func TestQueriesAreExplained(t *testing.T) {
	s := startServer(t)
	s.fill(4000)
	const equal, ordered = `{"where":{"status":7}}`, `{"where":{"status":7},"sort":[{"field":"at","direction":"desc"}],"limit":5}`
	x := s.explain(equal)
	if x.LookedAt != 4000 || x.Rows != 200 || x.Lanes[0].Path != "scan" || x.Advice == nil || x.Advice.Attribute != "status" || x.Advice.IndexType != "hash" {
		t.Errorf("without an index: %+v", x)
	}
	if x := s.explain(ordered); x.Advice == nil || x.Advice.Attribute != "status,at" || x.Advice.IndexType != "navigable" {
		t.Errorf("without an index: %+v", x)
	}
	for _, body := range []string{
		`{"mapName":"m","attribute":"status","indexType":"hash"}`, `{"mapName":"m","attribute":"status,at","indexType":"navigable"}`,
	} {
		if code, text := s.admin("POST", "indexes", body); code != http.StatusCreated {
			t.Fatalf("%d %s", code, text)
		}
	}
	s.indexed("m/status")
	s.indexed("m/status,at")
	if x := s.explain(equal); x.LookedAt != 200 || x.Rows != 200 || x.Advice != nil {
		t.Errorf("with an index: %+v", x)
	}
	if x := s.explain(ordered); x.LookedAt > 50 || !strings.HasSuffix(x.Lanes[0].Path, "in order") {
		t.Errorf("with an index in order: %+v", x)
	}
	if x := s.explain(`{"where":{"_key":"k17"}}`); x.LookedAt > 1 || x.Rows != 1 {
		t.Errorf("by key: %+v", x)
	}
	before := s.metric("topgun_query_scans_total")
	p := s.dial()
	where := peer.Value(map[string]any{"status": 7})
	p.Send(&wire.QuerySub{QueryID: "q", MapName: "m", Query: wire.Query{Where: where}})
	if got := peer.Only[*wire.QueryResp](p); len(got.Results) != 200 {
		t.Errorf("%d rows", len(got.Results))
	}
	if s.metric("topgun_query_scans_total") != before || s.metric("topgun_query_seeks_total") == 0 {
		t.Error("a live query with an index scans the map")
	}
	for _, bad := range []string{`{}`, `nonsense`, `{"mapName":"m","query":{"predicate":{"op":"dance"}}}`, `{"mapName":"none"}`} {
		if code, body := s.admin("POST", "query/explain", bad); code != http.StatusBadRequest {
			t.Errorf("%s is answered %d %s", bad, code, body)
		}
	}
}

// TestAdviceIsGivenAndTaken asks a query that reads much for little: the server
// advises an index, and makes it only where it was told to.
func TestAdviceIsGivenAndTaken(t *testing.T) {
	for _, auto := range []string{"false", "true"} {
		s := startServer(t, "TOPGUN_AUTO_INDEX="+auto)
		s.fill(20_000)
		p := s.dial()
		for i := range 6 {
			where := peer.Value(map[string]any{"status": i})
			p.Send(&wire.QuerySub{QueryID: fmt.Sprint(i), MapName: "m", Query: wire.Query{Where: where}})
			if got := peer.Only[*wire.QueryResp](p); len(got.Results) != 1000 {
				t.Errorf("%d rows", len(got.Results))
			}
		}
		if auto == "true" {
			s.indexed("m/status")
			continue
		}
		code, body := s.admin("GET", "indexes/advice", "")
		var all struct {
			Advice []struct {
				MapName, Attribute, IndexType string
				Queries, RecordsSpared        int
			}
		}
		if err := json.Unmarshal([]byte(body), &all); code != 200 || err != nil || len(all.Advice) != 1 ||
			all.Advice[0].Attribute != "status" || all.Advice[0].Queries != 6 || all.Advice[0].RecordsSpared < 100_000 {
			t.Errorf("%d %s %v", code, body, err)
		}
		if code, body := s.admin("GET", "indexes", ""); code != 200 || strings.Contains(body, "status") {
			t.Errorf("an index was made that nobody asked for: %s", body)
		}
	}
}

// TestConfiguredIndexesAreMade names indexes in the configuration: they are there
// after the start, and not made twice by the next one.
func TestConfiguredIndexesAreMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 {
		s := startServerIn(t, dir, "TOPGUN_INDEXES=m:status:hash,m:status+at:navigable")
		s.indexed("m/status")
		s.indexed("m/status,at")
		code, body := s.admin("GET", "indexes", "")
		if code != http.StatusOK || strings.Count(body, "mapName") != 2 {
			t.Errorf("%d %s", code, body)
		}
		s.stop()
	}
}
