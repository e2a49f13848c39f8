package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// TestQueriesThatCannotBeAnswered are answered all the same: with an empty
// result that says why, because the client waits for one.
func TestQueriesThatCannotBeAnswered(t *testing.T) {
	node := func(fields map[string]any) value.Raw { return peer.Value(fields) }
	tests := []struct {
		name   string
		query  wire.QuerySub
		code   string
		status wire.CursorStatus
	}{
		{"an operator that does not exist", wire.QuerySub{MapName: "m", Query: wire.Query{Predicate: node(map[string]any{"op": "dance", "attribute": "n", "value": 1})}}, "INVALID_QUERY", wire.CursorNone},
		{"an operator without its attribute", wire.QuerySub{MapName: "m", Query: wire.Query{Predicate: node(map[string]any{"op": "eq", "value": 1})}}, "INVALID_QUERY", wire.CursorNone},
		{"a regular expression that is none", wire.QuerySub{MapName: "m", Query: wire.Query{Predicate: node(map[string]any{"op": "regex", "attribute": "n", "value": "("})}}, "INVALID_QUERY", wire.CursorNone},
		{"a cursor that is none", wire.QuerySub{MapName: "m", Query: wire.Query{Cursor: "%%%"}}, "", wire.CursorInvalid},
		{"a cursor of something else", wire.QuerySub{MapName: "m", Query: wire.Query{Cursor: "kgECA"}}, "", wire.CursorInvalid},
		{"an aggregate without its field", wire.QuerySub{MapName: "m", Query: wire.Query{Aggregations: []wire.Aggregation{{Func: wire.AggregateSum}}}}, "INVALID_QUERY", wire.CursorNone},
		{"more to sort by than is possible", wire.QuerySub{MapName: "m", Query: wire.Query{Sort: slices.Repeat(wire.Sort{{Field: "a"}}, 17)}}, "INVALID_QUERY", wire.CursorNone},
		{"the devices of the server", wire.QuerySub{MapName: "__topgun_devices"}, "RESERVED_MAP", wire.CursorNone},
		{"the counters of the server", wire.QuerySub{MapName: "__TOPGUN_counters"}, "RESERVED_MAP", wire.CursorNone},
	}
	s := startServer(t)
	others := s.bystanders()
	p := s.dial()
	p.Send(&wire.DeviceHello{})
	peer.Only[*wire.DeviceAck](p)
	write(t, p, peer.Put("1", "m", "k", map[string]any{"n": 1}, at(5)), peer.Add("2", "or", "k", "t", 1, at(5)))
	p.Send(&wire.CounterSync{Name: "c", State: wire.CounterState{Positive: wire.NumberMap{{Name: "n", Value: 1}}}})
	peer.Only[*wire.CounterUpdate](p)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := tt.query
			q.QueryID = tt.name
			p.Send(&q)
			r := peer.Only[*wire.QueryResp](p)
			if r.QueryID != tt.name || r.Code != tt.code || r.CursorStatus != tt.status || len(r.Results) > 0 || (r.Code != "") != (len(r.Error) > 10) {
				t.Errorf("got %+v", r)
			}
			p.Silent()
			others.unharmed()
		})
	}
}

// TestReservedMapsAreOutOfReach: what the server keeps for itself is neither
// read nor written nor followed by any message.
func TestReservedMapsAreOutOfReach(t *testing.T) {
	s := startServer(t)
	p := s.dial()
	p.Send(&wire.DeviceHello{})
	peer.Only[*wire.DeviceAck](p)
	const devices = "__topgun_devices"
	p.Send(&wire.SyncInit{MapName: devices}, &wire.MerkleReqBucket{MapName: devices},
		&wire.ORMapSyncInit{MapName: devices}, &wire.ORMapDiffRequest{MapName: devices, Keys: []string{"k"}},
		&wire.ORMapPushDiff{MapName: devices}, &wire.QuerySub{QueryID: "q", MapName: devices})
	if r := peer.Only[*wire.SyncRespRoot](p); r.RootHash != 0 {
		t.Errorf("the root is %x", r.RootHash)
	}
	if r := peer.Only[*wire.SyncRespBuckets](p); r.Buckets.Len() != 0 {
		t.Errorf("there are %d buckets", r.Buckets.Len())
	}
	if r := peer.Only[*wire.ORMapSyncRespRoot](p); r.RootHash != 0 {
		t.Errorf("the root is %x", r.RootHash)
	}
	if r := peer.Only[*wire.ORMapDiffResponse](p); len(r.Entries) != 1 || len(r.Entries[0].Records) != 0 {
		t.Errorf("the entries are %+v", r.Entries)
	}
	if e := peer.Only[*wire.Error](p); e.Code != 403 || details(e)["name"] != "RESERVED_MAP" {
		t.Errorf("got %+v", e)
	}
	if r := peer.Only[*wire.QueryResp](p); len(r.Results) != 0 || r.Code != "RESERVED_MAP" {
		t.Errorf("got %+v", r)
	}
	q := s.dial()
	q.Send(&wire.DeviceHello{})
	peer.Only[*wire.DeviceAck](q)
	p.Silent() // and nothing is told of the change that this was
}

// TestQueriesOfASessionAreLimited: one too many is refused by name, and an
// unsubscribed one makes room.
func TestQueriesOfASessionAreLimited(t *testing.T) {
	p := startServer(t).dial()
	const limit = 1000
	for i := range limit {
		p.Send(&wire.QuerySub{QueryID: fmt.Sprint(i), MapName: "m"})
	}
	for range limit {
		if r := peer.Only[*wire.QueryResp](p); r.Code != "" {
			t.Fatalf("query %s: %s", r.QueryID, r.Error)
		}
	}
	p.Send(&wire.QuerySub{QueryID: "one too many", MapName: "m"})
	if r := peer.Only[*wire.QueryResp](p); r.QueryID != "one too many" || r.Code != "TOO_LARGE" || !strings.Contains(r.Error, "1000") {
		t.Errorf("got %+v", r)
	}
	p.Send(&wire.QueryUnsub{QueryID: "7"}, &wire.QuerySub{QueryID: "again", MapName: "m"}, &wire.QuerySub{QueryID: "9", MapName: "other"})
	for range 2 {
		if r := peer.Only[*wire.QueryResp](p); r.Code != "" {
			t.Errorf("query %s: %s", r.QueryID, r.Error)
		}
	}
}

// TestRowsOfAResultAreLimited to 10 000, and the client is told that there are
// more.
func TestRowsOfAResultAreLimited(t *testing.T) {
	s := startServer(t)
	p := s.dial()
	for i := range 3 {
		b := &wire.OpBatch{}
		for j := range 4000 {
			b.Ops = append(b.Ops, peer.Put(fmt.Sprint(j), "m", fmt.Sprint(i, "-", j), j, at(5)))
		}
		p.Send(b)
	}
	for range 3 {
		peer.Only[*wire.OpAck](p)
	}
	for _, limit := range []wire.Opt[int64]{{}, wire.Some[int64](1 << 40)} {
		p.Send(&wire.QuerySub{QueryID: "q", MapName: "m", Query: wire.Query{Limit: limit}})
		if r := peer.Only[*wire.QueryResp](p); len(r.Results) != 10_000 || !r.HasMore {
			t.Errorf("limit %+v: %d rows, more is %v", limit, len(r.Results), r.HasMore)
		}
	}
	p.Send(&wire.QuerySub{QueryID: "q", MapName: "m", Query: wire.Query{Limit: wire.Some[int64](3)}})
	if r := peer.Only[*wire.QueryResp](p); len(r.Results) != 3 || !r.HasMore {
		t.Errorf("%d rows, more is %v", len(r.Results), r.HasMore)
	}
}

// TestSubscriptionsBelongToTheirSession: two sessions use one id for different
// queries, and each gets its own; the end of one does not end the other's.
func TestSubscriptionsBelongToTheirSession(t *testing.T) {
	s := startServer(t)
	w, low, high := s.dial(), s.dial(), s.dial()
	query := func(op string) *wire.QuerySub {
		return &wire.QuerySub{QueryID: "q", MapName: "m", Fields: []string{"n"}, Query: wire.Query{
			Predicate: peer.Value(map[string]any{"op": op, "attribute": "n", "value": 10}),
		}}
	}
	low.Send(query("lt"))
	high.Send(query("gte"))
	peer.Only[*wire.QueryResp](low)
	peer.Only[*wire.QueryResp](high)
	write(t, w, peer.Put("1", "m", "a", map[string]any{"n": 1}, at(1)), peer.Put("2", "m", "b", map[string]any{"n": 20}, at(1)))
	if up := peer.Only[*wire.QueryUpdate](low); up.Key != "a" {
		t.Errorf("low sees %s", up.Key)
	}
	if up := peer.Only[*wire.QueryUpdate](high); up.Key != "b" {
		t.Errorf("high sees %s", up.Key)
	}
	low.Send(&wire.QueryUnsub{QueryID: "q"})
	low.Silent()
	write(t, w, peer.Put("3", "m", "b", map[string]any{"n": 2}, at(2)))
	if up := peer.Only[*wire.QueryUpdate](high); up.Key != "b" || up.ChangeType != wire.ChangeLeave {
		t.Errorf("high sees %+v", up)
	}
	low.Silent()
	high.Silent()
}

// TestSameIDReplaces: a query that is subscribed again under its id takes the
// place of the one before.
func TestSameIDReplaces(t *testing.T) {
	s := startServer(t)
	p, w := s.dial(), s.dial()
	for _, name := range []string{"one", "two"} {
		p.Send(&wire.QuerySub{QueryID: "q", MapName: name, Fields: []string{"n"}})
		peer.Only[*wire.QueryResp](p)
	}
	write(t, w, peer.Put("1", "one", "k", map[string]any{"n": 1}, at(1)), peer.Put("2", "two", "k", map[string]any{"n": 2}, at(1)))
	if up := peer.Only[*wire.QueryUpdate](p); fmt.Sprint(up.Value.Any()) != "map[n:2]" {
		t.Errorf("got %v", up.Value.Any())
	}
	p.Silent()
}

// TestWriterSeesItsOwnWriteInItsQuery, and no event: it has the record.
func TestWriterSeesItsOwnWriteInItsQuery(t *testing.T) {
	p := startServer(t).observer("m")
	p.Send(peer.Batch(peer.Put("1", "m", "k", map[string]any{"n": 1}, at(1))))
	got := peer.Names([]wire.Message{p.Next(), p.Next()})
	if got != "[QUERY_UPDATE OP_ACK]" && got != "[OP_ACK QUERY_UPDATE]" {
		t.Errorf("got %s", got)
	}
	p.Silent()
}

// TestBadBucketPath is refused with an ERROR, by both kinds of maps.
func TestBadBucketPath(t *testing.T) {
	p := startServer(t).dial()
	for _, path := range []string{"g", "A", "0123", "-1", "0/1", "ä"} {
		p.Send(&wire.MerkleReqBucket{MapName: "m", Path: path}, &wire.ORMapMerkleReqBucket{MapName: "m", Path: path})
		for range 2 {
			if e := peer.Only[*wire.Error](p); e.Code != 400 || details(e)["name"] != "INVALID_FIELD" || details(e)["request"] != "m" {
				t.Errorf("%q: got %+v with %v", path, e, details(e))
			}
		}
	}
	p.Silent()
}

// TestSyncOfTheWrongKind: a map has the root of an empty one for the messages of
// the other kind, and for a name that nobody has used.
func TestSyncOfTheWrongKind(t *testing.T) {
	p := startServer(t).dial()
	write(t, p, peer.Put("1", "lww", "k", 1, at(1)), peer.Add("2", "or", "k", "t", 1, at(1)))
	p.Send(&wire.SyncInit{MapName: "or"}, &wire.ORMapSyncInit{MapName: "lww"}, &wire.SyncInit{MapName: "unknown"}, &wire.SyncInit{MapName: "lww"})
	a, b := peer.Only[*wire.SyncRespRoot](p), peer.Only[*wire.ORMapSyncRespRoot](p)
	c, d := peer.Only[*wire.SyncRespRoot](p), peer.Only[*wire.SyncRespRoot](p)
	if a.RootHash != 0 || b.RootHash != 0 || c.RootHash != 0 || d.RootHash == 0 {
		t.Errorf("the roots are %x %x %x %x", a.RootHash, b.RootHash, c.RootHash, d.RootHash)
	}
}
