package app

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// observer sees everything that happens to a map.
func (s *testServer) observer(mapName string) *peer.Peer {
	s.t.Helper()
	p := s.dial()
	p.Send(&wire.QuerySub{QueryID: "q", MapName: mapName})
	peer.Only[*wire.QueryResp](p)
	return p
}

// write sends operations and waits for their acknowledgement.
func write(t *testing.T, p *peer.Peer, ops ...wire.ClientOp) *wire.OpAck {
	t.Helper()
	p.Send(peer.Batch(ops...))
	ack := peer.Expect[*wire.OpAck](p)
	if len(ack.Results) > 0 {
		t.Fatalf("got %+v", ack)
	}
	return ack
}

// TestRedeliveryIsSilent delivers each kind of operation again, by the same
// connection and by another, before and after a restart: it gets the same
// acknowledgement and nobody hears of it.
func TestRedeliveryIsSilent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	ops := []wire.ClientOp{
		peer.Put("1", "lww", "a", map[string]any{"n": 1}, at(10)),
		peer.Put("2", "lww", "b", map[string]any{"n": 2}, at(20)),
		peer.Remove("3", "lww", "b", at(30)),
		peer.Remove("4", "lww", "never there", at(30)),
		peer.Add("5", "or", "a", "tag 1", 1, at(10)),
		peer.Add("6", "or", "a", "tag 2", 2, at(10)),
		peer.Drop("7", "or", "a", "tag 2"),
		peer.Drop("8", "or", "a", "tag 3"),
	}
	w := s.dial()
	lww, or := s.observer("lww"), s.observer("or")
	first := write(t, w, ops...)
	for range 4 + 3 { // events and updates, whose order over keys is open
		lww.Next()
	}
	for range 4 + 3 { // a tag that was never there changes no row
		or.Next()
	}
	again := func() {
		t.Helper()
		if ack := write(t, w, ops...); fmt.Sprintf("%+v", ack) != fmt.Sprintf("%+v", first) {
			t.Errorf("acknowledged with %+v, the first time with %+v", ack, first)
		}
		write(t, w, ops[0], ops[0]) // twice in one frame
		w.Silent()
		// What comes next is the first that the others hear.
		write(t, w, peer.Put("9", "lww", "marker", 1, s.fresh()), peer.Add("10", "or", "marker", fmt.Sprint(s.markers), 1, s.fresh()))
		if ev := peer.Only[*wire.ServerEvent](lww); ev.Key != "marker" {
			t.Errorf("a re-delivery was told: %+v", ev)
		}
		if up := peer.Only[*wire.QueryUpdate](lww); up.Key != "marker" {
			t.Errorf("a re-delivery was told: %+v", up)
		}
		if ev := peer.Only[*wire.ServerEvent](or); ev.Key != "marker" {
			t.Errorf("a re-delivery was told: %+v", ev)
		}
		if up := peer.Only[*wire.QueryUpdate](or); up.Key != "marker" {
			t.Errorf("a re-delivery was told: %+v", up)
		}
	}
	again()
	w = s.dial()
	again()
	s.stop()
	s = startServerIn(t, dir)
	w, lww, or = s.dial(), s.observer("lww"), s.observer("or")
	s.markers = 100
	again()
}

// fresh is a timestamp that is later than those before it.
func (s *testServer) fresh() hlc.Timestamp {
	s.markers++
	return at(int64(1000 + s.markers))
}

// record reads one record of an LWW map from its leaf.
func record(t *testing.T, p *peer.Peer, mapName, key string) (wire.LWWRecord, bool) {
	t.Helper()
	_, records, err := p.Records(t.Context(), mapName)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := records[key]
	return r, ok
}

// TestReadsSeeTheWritesBeforeThem, though their acknowledgement was not waited
// for; and after it, by another connection.
func TestReadsSeeTheWritesBeforeThem(t *testing.T) {
	s := startServer(t)
	p := s.dial()
	for i := range 50 {
		key, n := fmt.Sprint("key ", i), float64(i+1)
		path := fmt.Sprintf("%08x", hash.Key(key))[:3]
		reads := []wire.Message{
			&wire.QuerySub{QueryID: key, MapName: "lww", Fields: []string{"n"}},
			&wire.MerkleReqBucket{MapName: "lww", Path: path},
			&wire.ORMapDiffRequest{MapName: "or", Keys: []string{key}},
			&wire.CounterRequest{Name: "c"},
		}
		p.Send(peer.Batch(
			peer.Put("1", "lww", key, map[string]any{"n": i}, at(5)), peer.Add("2", "or", key, "t", i, at(5))),
			&wire.CounterSync{Name: "c", State: wire.CounterState{Positive: counts("a", n)}})
		p.Send(reads...)
		for _, reader := range []*peer.Peer{p, s.dial()} {
			if reader != p {
				reader.Send(reads...)
			}
			// Answers come when they are ready, in any order.
			left := 4
			for left > 0 {
				var seen bool
				switch m := reader.Next().(type) {
				case *wire.QueryResp:
					seen = slices.ContainsFunc(m.Results, func(r wire.QueryRow) bool { return r.Key == key })
				case *wire.SyncRespLeaf:
					seen = slices.ContainsFunc(m.Records, func(r wire.KeyedRecord) bool { return r.Key == key })
				case *wire.ORMapDiffResponse:
					seen = len(m.Entries[0].Records) == 1
				case *wire.CounterResponse:
					got, _ := m.State.Positive.Get("a")
					seen = got == n
				default:
					continue
				}
				left--
				if !seen {
					t.Fatalf("a read behind write %d does not see it", i)
				}
			}
		}
	}
}

// TestLaterEditWins whenever it arrives, for puts and removals alike: a deleted
// key stays deleted against an older put, and an older removal removes nothing.
func TestLaterEditWins(t *testing.T) {
	early, late := at(10), at(20)
	tests := []struct {
		name  string
		first func(key string) wire.ClientOp
		then  func(key string) wire.ClientOp
		want  any // nil: deleted
		at    hlc.Timestamp
	}{
		{
			"a late put", func(k string) wire.ClientOp { return peer.Put("1", "m", k, "early", early) },
			func(k string) wire.ClientOp { return peer.Put("2", "m", k, "late", late) }, "late", late,
		},
		{
			"an old put that arrives last", func(k string) wire.ClientOp { return peer.Put("1", "m", k, "late", late) },
			func(k string) wire.ClientOp { return peer.Put("2", "m", k, "early", early) }, "late", late,
		},
		{
			"a removal", func(k string) wire.ClientOp { return peer.Put("1", "m", k, "early", early) },
			func(k string) wire.ClientOp { return peer.Remove("2", "m", k, late) }, nil, late,
		},
		{
			"an old put against a deleted key", func(k string) wire.ClientOp { return peer.Remove("1", "m", k, late) },
			func(k string) wire.ClientOp { return peer.Put("2", "m", k, "early", early) }, nil, late,
		},
		{
			"an old removal", func(k string) wire.ClientOp { return peer.Put("1", "m", k, "late", late) },
			func(k string) wire.ClientOp { return peer.Remove("2", "m", k, early) }, "late", late,
		},
		{
			"a later put revives", func(k string) wire.ClientOp { return peer.Remove("1", "m", k, early) },
			func(k string) wire.ClientOp { return peer.Put("2", "m", k, "late", late) }, "late", late,
		},
		{"the counter decides", func(k string) wire.ClientOp {
			return peer.Put("1", "m", k, "late", hlc.Timestamp{Millis: 5, Counter: 2, Node: "a"})
		}, func(k string) wire.ClientOp {
			return peer.Put("2", "m", k, "early", hlc.Timestamp{Millis: 5, Counter: 1, Node: "b"})
		}, "late", hlc.Timestamp{Millis: 5, Counter: 2, Node: "a"}},
		{"the node decides", func(k string) wire.ClientOp {
			return peer.Put("1", "m", k, "early", hlc.Timestamp{Millis: 5, Counter: 1, Node: "a"})
		}, func(k string) wire.ClientOp {
			return peer.Put("2", "m", k, "late", hlc.Timestamp{Millis: 5, Counter: 1, Node: "b"})
		}, "late", hlc.Timestamp{Millis: 5, Counter: 1, Node: "b"}},
	}
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	a, b := s.dial(), s.dial()
	for _, tt := range tests {
		write(t, a, tt.first(tt.name))
		write(t, b, tt.then(tt.name))
	}
	check := func(when string) {
		t.Helper()
		p := s.dial()
		live := rows(p, "m")
		for _, tt := range tests {
			r, ok := record(t, p, "m", tt.name)
			if !ok || r.Timestamp != tt.at || r.Tombstone() != (tt.want == nil) || live[tt.name] != tt.want {
				t.Errorf("%s, %s: the record is %+v, a query says %v", tt.name, when, r, live[tt.name])
			}
		}
	}
	check("at once")
	s.stop()
	s = startServerIn(t, dir)
	check("after a restart")
	for _, tt := range tests { // the old ones once more
		write(t, s.dial(), tt.first(tt.name))
	}
	check("after a re-delivery")
}

// TestRemovedTagStaysRemoved, also when its removal arrives before its addition,
// over a restart, and against a replica that pushes it.
func TestRemovedTagStaysRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	p := s.dial()
	write(t, p, peer.Drop("1", "or", "early", "t1"), peer.Add("2", "or", "early", "t1", 1, at(5)))
	write(t, p, peer.Add("3", "or", "late", "t2", 1, at(5)), peer.Drop("4", "or", "late", "t2"), peer.Add("5", "or", "late", "kept", 1, at(5)))
	check := func() {
		t.Helper()
		p.Send(&wire.ORMapDiffRequest{MapName: "or", Keys: []string{"early", "late", "unknown"}})
		d := peer.Only[*wire.ORMapDiffResponse](p)
		early, late, unknown := d.Entries[0], d.Entries[1], d.Entries[2]
		if len(early.Records) != 0 || fmt.Sprint(early.Tombstones) != "[t1]" {
			t.Errorf("got %+v", early)
		}
		if len(late.Records) != 1 || late.Records[0].Tag != "kept" || fmt.Sprint(late.Tombstones) != "[t2]" {
			t.Errorf("got %+v", late)
		}
		if unknown.Key != "unknown" || len(unknown.Records)+len(unknown.Tombstones) != 0 {
			t.Errorf("got %+v", unknown)
		}
	}
	check()
	s.stop()
	s = startServerIn(t, dir)
	p = s.dial()
	check()
	write(t, p, peer.Add("2", "or", "early", "t1", 1, at(5)))
	stale := wire.ORRecord{Value: peer.Value(1), Timestamp: at(5), Tag: "t2"}
	p.Send(&wire.ORMapPushDiff{MapName: "or", Entries: []wire.ORMapEntry{{Key: "late", Records: []wire.ORRecord{stale}}}})
	p.Silent() // above all, it is not acknowledged
	check()
}

// TestClockAheadIsRestamped: a write of a clock that is more than a minute ahead
// is stored with the server's time, its writer is told under which, and
// delivered again it is the same write: nobody hears of it, nothing is stamped
// anew, also after a restart.
func TestClockAheadIsRestamped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	ahead := at(time.Now().Add(time.Hour).UnixMilli())
	ops := []wire.ClientOp{
		peer.Put("1", "m", "put", "v", ahead),
		peer.Remove("2", "m", "removed", ahead),
	}
	w, others := s.dial(), s.observer("m")
	began := time.Now().UnixMilli()
	w.Send(peer.Batch(ops...))
	told := map[string]wire.LWWRecord{}
	for range ops {
		ev := peer.Only[*wire.ServerEvent](w)
		told[ev.Key] = ev.Record.Value
		if (ev.EventType == wire.EventRemove) != (ev.Key == "removed") {
			t.Errorf("the writer is told %+v", ev)
		}
	}
	if ack := peer.Only[*wire.OpAck](w); ack.LastID != "2" || len(ack.Results) > 0 {
		t.Fatalf("got %+v", ack)
	}
	for range 3 {
		others.Next()
	}
	for key, r := range told {
		if r.Timestamp.Millis < began || r.Timestamp.Millis > time.Now().UnixMilli() || r.Timestamp.Node == "test" {
			t.Errorf("%s is stamped %v", key, r.Timestamp)
		}
		if got, _ := record(t, w, "m", key); got.Timestamp != r.Timestamp || !bytes.Equal(got.Value, r.Value) && !got.Tombstone() {
			t.Errorf("%s is %+v, told was %+v", key, got, r)
		}
	}
	again := func() {
		t.Helper()
		p := s.dial()
		p.Send(peer.Batch(ops...))
		for range ops {
			if ev := peer.Only[*wire.ServerEvent](p); ev.Record.Value.Timestamp != told[ev.Key].Timestamp {
				t.Errorf("%s is told as of %v, it was %v", ev.Key, ev.Record.Value.Timestamp, told[ev.Key].Timestamp)
			}
		}
		if ack := peer.Only[*wire.OpAck](p); ack.LastID != "2" {
			t.Errorf("got %+v", ack)
		}
		p.Silent()
		for key, r := range told {
			if got, _ := record(t, p, "m", key); got.Timestamp != r.Timestamp {
				t.Errorf("%s is of %v, it was %v", key, got.Timestamp, r.Timestamp)
			}
		}
		write(t, s.dial(), peer.Put("1", "m", "marker", s.markers, s.fresh()))
		if ev := peer.Only[*wire.ServerEvent](others); ev.Key != "marker" {
			t.Errorf("a re-delivery was told: %+v", ev)
		}
		peer.Only[*wire.QueryUpdate](others)
	}
	again()
	s.stop()
	s = startServerIn(t, dir)
	others = s.observer("m")
	s.markers = 100
	again()

	// What its writer writes later, with a clock that is right, is later.
	write(t, s.dial(), peer.Put("3", "m", "put", "later", at(time.Now().UnixMilli()+1)))
	if got := rows(s.dial(), "m"); got["put"] != "later" {
		t.Errorf("got %v", got)
	}
}

// TestClockALittleAheadIsKept: up to a minute nothing is changed.
func TestClockALittleAheadIsKept(t *testing.T) {
	p := startServer(t).dial()
	ts := at(time.Now().Add(50 * time.Second).UnixMilli())
	p.Send(peer.Batch(peer.Put("1", "m", "k", "v", ts)))
	peer.Only[*wire.OpAck](p)
	if r, _ := record(t, p, "m", "k"); r.Timestamp != ts {
		t.Errorf("stored as of %v, written was %v", r.Timestamp, ts)
	}
}

// TestValueIsDeliveredAsItWasSent: not a byte of it is changed on the way to
// disk, to a query, an event and a replica, whatever the encoder of its author.
func TestValueIsDeliveredAsItWasSent(t *testing.T) {
	values := map[string]value.Raw{
		"integers in long forms":     []byte("\xdf\x00\x00\x00\x01\xd9\x01a\xd3\x00\x00\x00\x00\x00\x00\x00\x01"),
		"fields in their order":      []byte("\x83\xa1b\x01\xa1a\x02\xa1c\x03"),
		"a field that comes twice":   []byte("\x82\xa1a\x01\xa1a\x02"),
		"floats":                     []byte("\x93\xcb\x40\x00\x00\x00\x00\x00\x00\x00\xca\x3f\x80\x00\x00\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01"),
		"bytes and an extension":     []byte("\x92\xc4\x03\x00\xff\x01\xd6\xff\x00\x00\x00\x01"),
		"keys that are not texts":    []byte("\x82\x01\x02\xc3\xc2"),
		"texts of other scripts":     []byte("\x81\xa4\xf0\x9f\x98\x80\xa3\xe2\x82\xac"),
		"something that is no map":   []byte("\xa5plain"),
		"an empty map":               []byte("\xde\x00\x00"),
		"a map as deep as it may be": append(bytes.Repeat([]byte{0x81, 0xa1, 'x'}, 200), 0x01),
	}
	dir := filepath.Join(t.TempDir(), "data")
	s := startServerIn(t, dir)
	reader, w := s.observer("m"), s.dial()
	for key, v := range values {
		op := peer.Put("1", "m", key, nil, at(5))
		op.Record.Value.Value = v
		write(t, w, op)
		if ev := peer.Only[*wire.ServerEvent](reader); !bytes.Equal(ev.Record.Value.Value, v) {
			t.Errorf("%s: the event has % x", key, ev.Record.Value.Value)
		}
		if up := peer.Only[*wire.QueryUpdate](reader); !bytes.Equal(up.Value, v) {
			t.Errorf("%s: the update has % x", key, up.Value)
		}
	}
	check := func() {
		t.Helper()
		p := s.dial()
		p.Send(&wire.QuerySub{QueryID: "q", MapName: "m"})
		for _, row := range peer.Only[*wire.QueryResp](p).Results {
			if !bytes.Equal(row.Value, values[row.Key]) {
				t.Errorf("%s: the query has % x", row.Key, row.Value)
			}
		}
		_, records, err := p.Records(t.Context(), "m")
		if err != nil || len(records) != len(values) {
			t.Fatalf("%d records (%v)", len(records), err)
		}
		for key, r := range records {
			if !bytes.Equal(r.Value, values[key]) {
				t.Errorf("%s: the leaf has % x", key, r.Value)
			}
		}
	}
	check()
	s.stop()
	s = startServerIn(t, dir)
	check()
}
