package app

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// TestWriteReachesTheLogAndALiveQuery is the first trace of the architecture: a
// PUT on one socket comes out as a QUERY_UPDATE on another.
func TestWriteReachesTheLogAndALiveQuery(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	reader, writer := s.dial(), s.dial()
	reader.Send(&wire.QuerySub{QueryID: "q", MapName: "todos"})
	if r := peer.Only[*wire.QueryResp](reader); len(r.Results) != 0 || r.QueryID != "q" {
		t.Fatalf("got %+v", r)
	}
	writer.Send(peer.Batch(peer.Put("1", "todos", "a", map[string]any{"title": "milk"}, at(1000))))
	if ack := peer.Only[*wire.OpAck](writer); ack.LastID != "1" || ack.AchievedLevel != wire.Persisted {
		t.Fatalf("got %+v", ack)
	}
	up := peer.Expect[*wire.QueryUpdate](reader)
	if up.QueryID != "q" || up.Key != "a" || up.ChangeType != wire.ChangeEnter || fmt.Sprint(up.Value.Any()) != "map[title:milk]" {
		t.Fatalf("got %+v with %v", up, up.Value.Any())
	}
	s.stop()

	s = startServerIn(t, dir)
	if got := rows(s.dial(), "todos"); len(got) != 1 || got["a"] == nil {
		t.Fatalf("after a restart: %v", got)
	}
}
