package app

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// frame encodes {type, payload} by hand, so that it can be wrong.
func frame(typ string, payload map[string]any) []byte {
	return peer.Value(map[string]any{"type": typ, "payload": payload})
}

// nested is n arrays in each other.
func nested(n int) []byte { return append(bytes.Repeat([]byte{0x91}, n), 0xc0) }

// TestBadFrames: a frame that is not a message of the protocol is answered with
// an ERROR that says what is wrong with it, or counted and ignored where the
// protocol says so. The connection stays, and what follows is handled.
func TestBadFrames(t *testing.T) {
	query := wire.Append(nil, &wire.QuerySub{QueryID: "q", MapName: "m"})
	ops := make([]wire.ClientOp, 10_001)
	for i := range ops {
		ops[i] = peer.Put(strconv.Itoa(i), "m", "k", nil, at(1))
	}
	ping := wire.Append(nil, &wire.Ping{Timestamp: 7})
	many := make([][]byte, 8193)
	for i := range many {
		many[i] = ping
	}
	deep := wire.Append(nil, &wire.TopicPub{Topic: "t", Data: nested(300)})
	long := strings.Repeat("x", 600)

	// Of the answer: the code, the name and the type. No code: no answer.
	type answer struct {
		code      int64
		name, typ string
	}
	malformed := answer{400, "MALFORMED_FRAME", ""}
	tests := []struct {
		name    string
		frame   []byte
		outcome string // how it is counted
		want    answer
	}{
		{"nothing at all", []byte{}, "malformed", malformed},
		{"a byte that MessagePack does not have", []byte{0xc1}, "malformed", malformed},
		{"something else than a map", peer.Value([]any{1, 2}), "malformed", malformed},
		{"a map without a type", peer.Value(map[string]any{"payload": 1}), "malformed", malformed},
		{"a type that is not a text", peer.Value(map[string]any{"type": 7}), "malformed", malformed},
		{"JSON", []byte(`{"type":"PING"}`), "malformed", malformed},
		{"a truncated message", query[:len(query)-1], "malformed", answer{400, "MALFORMED_FRAME", "QUERY_SUB"}},
		{"a message with something behind it", append(bytes.Clone(query), 0xc0), "malformed", answer{400, "MALFORMED_FRAME", "QUERY_SUB"}},
		{"a list that declares more than it has", []byte("\x82\xa4type\xa8OP_BATCH\xa7payload\x81\xa3ops\xdd\x7f\xff\xff\xff"), "malformed", answer{400, "MALFORMED_FRAME", "OP_BATCH"}},
		{"nested too deep", deep, "malformed", answer{400, "MALFORMED_FRAME", "TOPIC_PUB"}},
		{"nested too deep from the start", nested(100_000), "malformed", malformed},
		{"a required field is missing", frame("QUERY_SUB", map[string]any{"mapName": "m"}), "malformed", answer{400, "INVALID_FIELD", "QUERY_SUB"}},
		{"a field of the wrong kind", frame("QUERY_SUB", map[string]any{"queryId": 7, "mapName": "m"}), "malformed", answer{400, "INVALID_FIELD", "QUERY_SUB"}},
		{"a message without its payload", peer.Value(map[string]any{"type": "TOPIC_SUB"}), "malformed", answer{400, "INVALID_FIELD", "TOPIC_SUB"}},
		{"a name that is too long", frame("TOPIC_SUB", map[string]any{"topic": long}), "malformed", answer{413, "TOO_LARGE", "TOPIC_SUB"}},
		{"too many operations", wire.Append(nil, peer.Batch(ops...)), "malformed", answer{413, "TOO_LARGE", "OP_BATCH"}},
		{"an unknown message", frame("DANCE", nil), "unknown_type", answer{501, "NOT_IMPLEMENTED", ""}},
		{"a message that only servers send to clients", wire.Append(nil, &wire.OpAck{LastID: "9"}), "ignored", answer{}},
		{"a message between servers", wire.Append(nil, &wire.ClusterSubUnregister{SubscriptionID: "x"}), "ignored", answer{}},
		{"a batch that is no sequence of messages", wire.Append(nil, &wire.Batch{Data: []byte{1, 2, 3}}), "malformed", answer{400, "INVALID_FIELD", "BATCH"}},
		{"a batch of too many messages", wire.AppendBatch(nil, many...), "malformed", answer{413, "TOO_LARGE", "BATCH"}},
		{"a batch in a batch", wire.AppendBatch(nil, wire.AppendBatch(nil, ping)), "malformed", answer{400, "MALFORMED_FRAME", "BATCH"}},
	}
	s := startServer(t)
	others := s.bystanders()
	p := s.dial()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := s.frames(tt.outcome)
			p.SendBytes(tt.frame)
			var got answer
			for _, m := range p.UntilPong() {
				e, ok := m.(*wire.Error)
				if !ok || got.code != 0 {
					t.Fatalf("answered with %s too", m.Type())
				}
				d := details(e)
				got = answer{code: e.Code}
				got.name, _ = d["name"].(string)
				got.typ, _ = d["type"].(string)
				if len(e.Message) < 20 {
					t.Errorf("the text says %q", e.Message)
				}
			}
			if got != tt.want {
				t.Errorf("answered with %+v, expected %+v", got, tt.want)
			}
			if n := s.frames(tt.outcome) - before; n != 1 {
				t.Errorf("%v frames are counted as %s, expected 1", n, tt.outcome)
			}
			others.unharmed()
		})
	}
}

// TestUnknownMessageIsNamed: the answer to a type of a later protocol names it.
func TestUnknownMessageIsNamed(t *testing.T) {
	p := startServer(t).dial()
	p.SendBytes(frame("DANCE", map[string]any{"requestId": "1"}))
	if e := peer.Only[*wire.Error](p); details(e)["request"] != "DANCE" {
		t.Errorf("got %v", details(e))
	}
}

// TestBadMessageInABatchIsAlone: the messages around it are handled.
func TestBadMessageInABatchIsAlone(t *testing.T) {
	p := startServer(t).dial()
	p.SendBytes(wire.AppendBatch(nil,
		wire.Append(nil, &wire.Ping{Timestamp: 100}), []byte{0xc1}, wire.Append(nil, &wire.Ping{Timestamp: 101})))
	if got := peer.Names(p.UntilPong()); got != "[PONG ERROR PONG]" {
		t.Errorf("answered with %s", got)
	}
}

// TestTextMessagesAreIgnored, and counted.
func TestTextMessagesAreIgnored(t *testing.T) {
	s := startServer(t)
	p := s.dial()
	if err := p.WriteText(t.Context(), `{"type":"PING","timestamp":1}`); err != nil {
		t.Fatal(err)
	}
	p.Silent()
	if n := s.metric("topgun_ws_ignored_text_messages_total"); n != 1 {
		t.Errorf("%v text messages are counted", n)
	}
}

// TestOversizedMessageEndsItsConnection with 1009, before it has arrived.
func TestOversizedMessageEndsItsConnection(t *testing.T) {
	s := startServer(t, "TOPGUN_MAX_MESSAGE_BYTES=64KiB", "TOPGUN_MAX_VALUE_BYTES=60KiB")
	others := s.bystanders()
	p := s.dial()
	largest := wire.Append(nil, &wire.TopicPub{Topic: "t", Data: value.AppendBin(nil, make([]byte, 64<<10-64))})
	p.SendBytes(largest)
	p.Silent()
	_ = p.Write(t.Context(), make([]byte, 64<<10+1)) // may fail when the server is faster
	if code, said := p.Closed(); code != wire.CloseTooBig || len(said) > 0 {
		t.Errorf("closed with %d after %s", code, peer.Names(said))
	}
	others.unharmed()
}
