package app

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// rawOp is an operation encoded by hand, so that it can be wrong.
func rawOp(fields map[string]any) value.Raw {
	all := map[string]any{
		"id": "2", "mapName": "m", "key": "bad", "opType": "PUT",
		"record": map[string]any{"value": 1, "timestamp": map[string]any{"millis": 5, "counter": 0, "nodeId": "test"}},
	}
	maps.Copy(all, fields)
	return peer.Value(all)
}

// encoded is an operation as it stands in an OP_BATCH.
func encoded(op wire.ClientOp) value.Raw {
	r := value.NewReader(wire.Append(nil, &wire.ClientOpMessage{ClientOp: op}))
	for range r.MapHeader() {
		if r.Str() == "payload" {
			return r.Raw()
		}
		r.Skip()
	}
	panic("unreachable")
}

// rawBatch is an OP_BATCH of encoded operations.
func rawBatch(ops ...value.Raw) []byte {
	b := value.AppendStr(value.AppendStr(value.AppendMap(nil, 2), "type"), "OP_BATCH")
	b = value.AppendMap(value.AppendStr(b, "payload"), 1)
	b = value.AppendArray(value.AppendStr(b, "ops"), len(ops))
	for _, op := range ops {
		b = append(b, op...)
	}
	return b
}

// TestBadOperationIsRefusedByItself puts each bad operation between two good
// ones: it is refused by name, the others are carried out, and the
// acknowledgement goes past all of them, so that nobody's log is stuck.
func TestBadOperationIsRefusedByItself(t *testing.T) {
	stamp := func(fields map[string]any) map[string]any {
		all := map[string]any{"millis": 5, "counter": 0, "nodeId": "test"}
		for k, v := range fields {
			all[k] = v
			if v == nil {
				delete(all, k)
			}
		}
		return map[string]any{"record": map[string]any{"value": 1, "timestamp": all}}
	}
	add := func(id, key, tag string) wire.ClientOp { return peer.Add(id, "bags", key, tag, 1, at(5)) }
	tests := []struct {
		name string
		op   value.Raw
		code int64
		why  string
	}{
		{"a put to an OR map", encoded(peer.Put("2", "bags", "k", 1, at(5))), 409, "MAP_TYPE_MISMATCH"},
		{"a removal from an OR map", encoded(peer.Remove("2", "bags", "k", at(5))), 409, "MAP_TYPE_MISMATCH"},
		{"an OR addition to an LWW map", encoded(peer.Add("2", "m", "k", "t", 1, at(5))), 409, "MAP_TYPE_MISMATCH"},
		{"an OR removal from an LWW map", encoded(peer.Drop("2", "m", "k", "t")), 409, "MAP_TYPE_MISMATCH"},
		{"a map of the server", encoded(peer.Put("2", "__topgun_counters", "k", 1, at(5))), 403, "RESERVED_MAP"},
		{"a map of the server in other letters", encoded(peer.Put("2", "__TopGun_x", "k", 1, at(5))), 403, "RESERVED_MAP"},
		{"a map name with a colon", encoded(peer.Put("2", "a:b", "k", 1, at(5))), 400, "INVALID_NAME"},
		{"no map name", encoded(peer.Put("2", "", "k", 1, at(5))), 400, "INVALID_FIELD"},
		{"a node id with a colon", rawOp(stamp(map[string]any{"nodeId": "a:b"})), 400, "INVALID_TIMESTAMP"},
		{"a time before 1970", rawOp(stamp(map[string]any{"millis": -1})), 400, "INVALID_TIMESTAMP"},
		{"a time beyond what JavaScript can count", rawOp(stamp(map[string]any{"millis": 1 << 60})), 400, "INVALID_TIMESTAMP"},
		{"a counter that is too large", rawOp(stamp(map[string]any{"counter": 1 << 40})), 400, "INVALID_TIMESTAMP"},
		{"a timestamp without a counter", rawOp(stamp(map[string]any{"counter": nil})), 400, "INVALID_TIMESTAMP"},
		{"a timestamp that is a text", rawOp(map[string]any{"record": map[string]any{"value": 1, "timestamp": "now"}}), 400, "INVALID_FIELD"},
		{"a key that is a number", rawOp(map[string]any{"key": 7}), 400, "INVALID_FIELD"},
		{"a put without a record", rawOp(map[string]any{"record": "none"}), 400, "INVALID_FIELD"},
		{"an OR addition without a record", rawOp(map[string]any{"opType": "OR_ADD"}), 400, "INVALID_FIELD"},
		{"an OR removal without a tag", rawOp(map[string]any{"opType": "OR_REMOVE"}), 400, "INVALID_FIELD"},
		{"an OR addition with an empty tag", encoded(add("2", "k", "")), 400, "INVALID_FIELD"},
		{"a key that is too long", encoded(peer.Put("2", "m", strings.Repeat("k", 4097), 1, at(5))), 413, "TOO_LARGE"},
		{"a value that is too large", encoded(peer.Put("2", "m", "bad", strings.Repeat("v", 1<<20), at(5))), 413, "TOO_LARGE"},
		{"a write concern that does not exist", rawOp(map[string]any{"writeConcern": "TATTOOED"}), 400, "INVALID_FIELD"},
		{"REPLICATED on a node that is alone", rawOp(map[string]any{"writeConcern": "REPLICATED"}), 503, "WRITE_CONCERN_UNAVAILABLE"},
	}
	s := startServer(t)
	others := s.bystanders()
	setUp := s.dial()
	setUp.Send(peer.Batch(add("1", "k", "first"), peer.Put("2", "m", "k", 0, at(1))))
	peer.Expect[*wire.OpAck](setUp)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := peer.New(t, s.port)
			first, second := fmt.Sprint("first ", i), fmt.Sprint("second ", i)
			p.SendBytes(rawBatch(
				encoded(peer.Put("1", "m", first, i, at(5))), tt.op, encoded(add("3", second, "t"))))
			no := peer.Only[*wire.OpRejected](p)
			if no.OpID != "2" || no.Code != tt.code || !strings.HasPrefix(no.Reason, tt.why+": ") || len(no.Reason) < len(tt.why)+10 {
				t.Errorf("the refusal is %+v", no)
			}
			ack := peer.Only[*wire.OpAck](p)
			if ack.LastID != "3" || len(ack.Results) == 0 {
				t.Fatalf("the acknowledgement is %+v", ack)
			}
			for _, r := range ack.Results {
				if r.Success == (r.OpID == "2") || r.OpID == "2" && r.Error == "" {
					t.Errorf("the result is %+v", r)
				}
			}
			p.Silent()
			got := rows(p, "m")
			if fmt.Sprint(got[first]) != fmt.Sprint(i) || got["bad"] != nil {
				t.Errorf("the map holds %v", got)
			}
			p.Send(&wire.ORMapDiffRequest{MapName: "bags", Keys: []string{second}})
			if d := peer.Only[*wire.ORMapDiffResponse](p); len(d.Entries[0].Records) != 1 {
				t.Errorf("the OR map holds %+v", d.Entries)
			}
			others.unharmed()
		})
	}
}

// TestWriteConcerns: each operation is acknowledged at the level it asked for or
// a higher one, or refused by name; who asks for nothing gets what the storage
// can give.
func TestWriteConcerns(t *testing.T) {
	embedded, null := startServer(t), startServer(t, "STORAGE_BACKEND=null", "TOPGUN_DATA_DIR=")
	tests := []struct {
		name   string
		server *testServer
		ask    wire.WriteConcern
		level  wire.WriteConcern // empty: refused
	}{
		{"nothing is asked for", embedded, "", wire.Persisted},
		{"FIRE_AND_FORGET", embedded, wire.FireAndForget, wire.Applied},
		{"MEMORY", embedded, wire.Memory, wire.Applied},
		{"APPLIED", embedded, wire.Applied, wire.Applied},
		{"REPLICATED", embedded, wire.Replicated, ""},
		{"PERSISTED", embedded, wire.Persisted, wire.Persisted},
		{"nothing is asked for, nothing is kept", null, "", wire.Applied},
		{"MEMORY, nothing is kept", null, wire.Memory, wire.Applied},
		{"APPLIED, nothing is kept", null, wire.Applied, wire.Applied},
		{"REPLICATED, nothing is kept", null, wire.Replicated, ""},
		{"PERSISTED, nothing is kept", null, wire.Persisted, ""},
	}
	for _, tt := range tests {
		for _, ofBatch := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, of the batch %v", tt.name, ofBatch), func(t *testing.T) {
				p := peer.New(t, tt.server.port)
				b := peer.Batch(peer.Put("7", "m", t.Name(), 1, at(5)))
				if ofBatch {
					b.WriteConcern = tt.ask
				} else {
					b.Ops[0].WriteConcern = tt.ask
				}
				p.Send(b)
				if tt.level == "" {
					if no := peer.Only[*wire.OpRejected](p); no.Code != 503 || !strings.HasPrefix(no.Reason, "WRITE_CONCERN_UNAVAILABLE: "+string(tt.ask)) {
						t.Errorf("the refusal is %+v", no)
					}
				}
				ack := peer.Only[*wire.OpAck](p)
				if ack.LastID != "7" || tt.level != "" && ack.AchievedLevel != tt.level {
					t.Errorf("the acknowledgement is %+v", ack)
				}
				switch {
				case tt.ask == "":
					if len(ack.Results) != 0 {
						t.Errorf("results that nobody asked for: %+v", ack.Results)
					}
				case len(ack.Results) != 1 || ack.Results[0].OpID != "7" || ack.Results[0].Success != (tt.level != ""):
					t.Errorf("the results are %+v", ack.Results)
				case tt.level != "" && ack.Results[0].AchievedLevel != tt.level, tt.level == "" && ack.Results[0].Error == "":
					t.Errorf("the result is %+v", ack.Results[0])
				}
				if _, there := rows(p, "m")[t.Name()]; there != (tt.level != "") {
					t.Errorf("the operation was carried out: %v", there)
				}
			})
		}
	}
}

// TestUnreachableConcernsAreReported, if the configuration says so: the operation
// is carried out, its result says how far it came, and that this is not what was
// asked for.
func TestUnreachableConcernsAreReported(t *testing.T) {
	const report = "TOPGUN_UNREACHABLE_CONCERN=report"
	embedded, null := startServer(t, report), startServer(t, report, "STORAGE_BACKEND=null", "TOPGUN_DATA_DIR=")
	for _, tt := range []struct {
		server *testServer
		ask    wire.WriteConcern
		level  wire.WriteConcern
	}{
		{embedded, wire.Replicated, wire.Persisted},
		{null, wire.Replicated, wire.Applied},
		{null, wire.Persisted, wire.Applied},
	} {
		p := tt.server.dial()
		b := peer.Batch(peer.Put("7", "m", string(tt.ask), 1, at(5)))
		b.WriteConcern = tt.ask
		p.Send(b)
		ack := peer.Only[*wire.OpAck](p)
		if ack.LastID != "7" || ack.AchievedLevel != tt.level || len(ack.Results) != 1 {
			t.Fatalf("%s: the acknowledgement is %+v", tt.ask, ack)
		}
		if r := ack.Results[0]; r.Success || r.AchievedLevel != tt.level || !strings.HasPrefix(r.Error, "WRITE_CONCERN_UNAVAILABLE: "+string(tt.ask)) {
			t.Errorf("%s: the result is %+v", tt.ask, r)
		}
		if _, there := rows(p, "m")[string(tt.ask)]; !there {
			t.Errorf("%s: the operation was not carried out", tt.ask)
		}
	}
}

// TestMixedConcerns: one acknowledgement after the strongest concern.
func TestMixedConcerns(t *testing.T) {
	p := startServer(t).dial()
	weak, none := peer.Put("1", "m", "a", 1, at(5)), peer.Put("2", "m", "b", 1, at(5))
	weak.WriteConcern = wire.Memory
	p.Send(peer.Batch(weak, none))
	if ack := peer.Only[*wire.OpAck](p); ack.LastID != "2" || ack.AchievedLevel != wire.Persisted || len(ack.Results) != 2 {
		t.Errorf("the acknowledgement is %+v", ack)
	}
}

// TestIDsAreRepeated verbatim, whatever they are, and never invented.
func TestIDsAreRepeated(t *testing.T) {
	p := startServer(t).dial()
	for _, id := range []string{"1", "0", "00017", "abc", "ünï", "9007199254740993"} {
		p.Send(peer.Batch(peer.Put("1", "m", "k", 1, at(5)), peer.Put(id, "m", "k", 1, at(5))))
		if ack := peer.Only[*wire.OpAck](p); ack.LastID != id {
			t.Errorf("%q is acknowledged as %q", id, ack.LastID)
		}
	}
	p.Send(peer.Batch(peer.Put("", "m", "without", 1, at(5))), peer.Batch())
	p.Silent()
	if got := rows(p, "m"); got["without"] == nil {
		t.Error("an operation without an id is lost")
	}
}

// TestFramesOfASessionApplyInOrder: while many frames are under way, a session's
// writes to a key apply in the order in which it sent them, and are acknowledged
// in that order. A write that was overtaken would be missing from what a
// subscriber sees: its timestamp is older.
func TestFramesOfASessionApplyInOrder(t *testing.T) {
	s := startServer(t, "TOPGUN_FRAMES_IN_FLIGHT=8")
	p, reader := s.dial(), s.dial()
	reader.Send(&wire.QuerySub{QueryID: "q", MapName: "m", Fields: []string{"n"}})
	peer.Only[*wire.QueryResp](reader)
	const frames, keys = 500, 7
	for i := range frames {
		p.Send(peer.Batch(peer.Put(fmt.Sprint(i), "m", fmt.Sprint(i%keys), map[string]any{"n": i}, at(int64(1000+i)))))
	}
	for i := range frames {
		if ack := peer.Only[*wire.OpAck](p); ack.LastID != fmt.Sprint(i) {
			t.Fatalf("acknowledgement %d is %+v", i, ack)
		}
	}
	next := map[string]int{}
	for range frames {
		up := peer.Only[*wire.QueryUpdate](reader)
		want := fmt.Sprintf("map[n:%d]", next[up.Key]*keys+int(up.Key[0]-'0'))
		if got := fmt.Sprint(up.Value.Any()); got != want {
			t.Fatalf("%s becomes %s, expected %s", up.Key, got, want)
		}
		next[up.Key]++
	}
}
