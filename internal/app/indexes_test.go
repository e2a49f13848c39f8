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
