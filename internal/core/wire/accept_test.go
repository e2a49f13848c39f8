package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// object is a map in the order given: names and values in turn. Values are Go
// values as value.FromAny takes them, or objects.
type object []any

// bytesOf encodes an object, or any value inside one.
func bytesOf(t *testing.T, v any) value.Raw {
	t.Helper()
	switch v := v.(type) {
	case object:
		dst := value.AppendMap(nil, len(v)/2)
		for i := 0; i < len(v); i += 2 {
			dst = append(value.AppendStr(dst, v[i].(string)), bytesOf(t, v[i+1])...)
		}
		return dst
	case []object:
		dst := value.AppendArray(nil, len(v))
		for _, e := range v {
			dst = append(dst, bytesOf(t, e)...)
		}
		return dst
	}
	raw, err := value.FromAny(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var sampleTime = hlc.Timestamp{Millis: 1771700000000, Counter: 1, Node: "node-1"}

func sampleTimestamp() object {
	return object{"millis", 1771700000000.0, "counter", 1.0, "nodeId", "node-1"}
}

func op(fields ...any) object { return append(object{"mapName", "m", "key", "k"}, fields...) }

func batch(ops ...object) object {
	return object{"type", "OP_BATCH", "payload", object{"ops", ops}}
}

var acceptCases = []struct {
	name  string
	frame object
	want  Message
}{
	{
		"numbers arrive as floats",
		object{"type", "PARTITION_MAP_REQUEST", "payload", object{"currentVersion", 5.0}},
		&PartitionMapRequest{CurrentVersion: 5},
	},
	{
		"a number that is only echoed may have a fraction",
		object{"type", "PING", "timestamp", 12.5},
		&Ping{Timestamp: 12.5},
	},
	{
		"the type comes last",
		object{"payload", object{"topic", "news"}, "type", "TOPIC_SUB"},
		&TopicSub{Topic: "news"},
	},
	{
		"the type comes last in a flat message",
		object{"requestId", "r", "mapName", "m", "type", "LIST_RESOLVERS"},
		&ListResolvers{RequestID: "r", MapName: "m"},
	},
	{
		"unknown fields are skipped everywhere",
		object{"type", "TOPIC_SUB", "x", object{"y", []int{1}}, "payload", object{"z", nil, "topic", "news"}, "_routing", object{"partitionId", 3}},
		&TopicSub{Topic: "news"},
	},
	{
		"nil means absent",
		object{"type", "LOCK_RELEASE", "payload", object{"requestId", nil, "name", "n", "fencingToken", nil}},
		&LockRelease{Name: "n"},
	},
	{
		"a whole payload may be absent",
		object{"type", "PARTITION_MAP_REQUEST"},
		&PartitionMapRequest{},
	},
	{
		"a whole payload may be nil",
		object{"type", "PARTITION_MAP_REQUEST", "payload", nil},
		&PartitionMapRequest{},
	},
	{
		"data of any kind may be absent",
		object{"type", "TOPIC_PUB", "payload", object{"topic", "news"}},
		&TopicPub{Topic: "news"},
	},
	{
		"bytes as a binary",
		object{"type", "VECTOR_SEARCH", "payload", object{"id", "v", "mapName", "m", "queryVector", []byte{0, 1, 255}, "k", 3}},
		&VectorSearch{ID: "v", MapName: "m", QueryVector: []byte{0, 1, 255}, K: Some(int64(3))},
	},
	{
		"bytes as a map from indexes, in any order",
		object{"type", "VECTOR_SEARCH", "payload", object{"id", "v", "mapName", "m", "queryVector", object{"2", 255, "0", 0.0, "1", 1}, "k", 3}},
		&VectorSearch{ID: "v", MapName: "m", QueryVector: []byte{0, 1, 255}, K: Some(int64(3))},
	},
	{
		"sort as an array",
		object{"type", "QUERY_SUB", "payload", object{"queryId", "q", "mapName", "m", "query", object{
			"sort", []object{{"field", "b", "direction", "desc"}, {"field", "a"}},
		}}},
		&QuerySub{QueryID: "q", MapName: "m", Query: Query{Sort: Sort{{Field: "b", Descending: true}, {Field: "a"}}}},
	},
	{
		"sort as an object",
		object{"type", "QUERY_SUB", "payload", object{"queryId", "q", "mapName", "m", "query", object{"sort", object{"b", "desc", "a", "asc"}}}},
		&QuerySub{QueryID: "q", MapName: "m", Query: Query{Sort: Sort{{Field: "b", Descending: true}, {Field: "a"}}}},
	},
	{
		"counter state with long names",
		object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{"positive", object{"a", 2, "b", 0.5}, "negative", object{"a", 1}}}},
		&CounterSync{Name: "c", State: CounterState{Positive: NumberMap{{"a", 2}, {"b", 0.5}}, Negative: NumberMap{{"a", 1}}}},
	},
	{
		"counter state with short names",
		object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{"p", object{"a", 2}, "n", object{}}}},
		&CounterSync{Name: "c", State: CounterState{Positive: NumberMap{{"a", 2}}, Negative: NumberMap{}}},
	},
	{
		"counter state with both: the long names count",
		object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{"p", object{"a", 9}, "positive", object{"a", 2}, "negative", nil, "n", object{"b", 1}}}},
		&CounterSync{Name: "c", State: CounterState{Positive: NumberMap{{"a", 2}}, Negative: NumberMap{{"b", 1}}}},
	},
	{
		"counter state without anything",
		object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{}}},
		&CounterSync{Name: "c"},
	},
	{
		"a record that is absent",
		batch(op("opType", "REMOVE")),
		&OpBatch{Ops: []ClientOp{{MapName: "m", Key: "k", OpType: "REMOVE"}}},
	},
	{
		"a record that is nil",
		batch(op("record", nil)),
		&OpBatch{Ops: []ClientOp{{MapName: "m", Key: "k", Record: Nullable[LWWRecord]{State: Nil}}}},
	},
	{
		"a record whose value is nil",
		batch(op("record", object{"value", nil, "timestamp", sampleTimestamp(), "ttlMs", nil})),
		&OpBatch{Ops: []ClientOp{{MapName: "m", Key: "k", Record: Given(LWWRecord{Value: value.Raw{0xc0}, Timestamp: sampleTime})}}},
	},
	{
		"a record without a value",
		batch(op("record", object{"timestamp", sampleTimestamp()})),
		&OpBatch{Ops: []ClientOp{{MapName: "m", Key: "k", Record: Given(LWWRecord{Timestamp: sampleTime})}}},
	},
	{
		"what a client's log adds to an operation",
		batch(op("record", object{"value", 7, "timestamp", sampleTimestamp()}, "orRecord", nil, "orTag", nil,
			"timestamp", sampleTimestamp(), "synced", false, "id", "12")),
		&OpBatch{Ops: []ClientOp{{ID: "12", MapName: "m", Key: "k", Record: Given(LWWRecord{Value: value.Raw{7}, Timestamp: sampleTime})}}},
	},
	{
		"a ttl of an OR record that is nil is none",
		batch(op("orRecord", object{"value", 7, "timestamp", sampleTimestamp(), "tag", "t", "ttlMs", nil})),
		&OpBatch{Ops: []ClientOp{{MapName: "m", Key: "k", ORRecord: Some(ORRecord{Value: value.Raw{7}, Timestamp: sampleTime, Tag: "t"})}}},
	},
	{
		"a ttl of an OR record that is 0 is there",
		batch(op("orRecord", object{"value", 7, "timestamp", sampleTimestamp(), "tag", "t", "ttlMs", 0})),
		&OpBatch{Ops: []ClientOp{{MapName: "m", Key: "k", ORRecord: Some(ORRecord{Value: value.Raw{7}, Timestamp: sampleTime, Tag: "t", TTL: Some(int64(0))})}}},
	},
	{
		"a routing error beside the type",
		object{
			"type", "ERROR", "payload",
			object{"code", 503, "message", "x"},
			"error",
			object{"code", "NOT_OWNER", "message", "m", "hint", object{"partitionId", 0, "currentOwner", "node-2", "mapVersion", 4}},
		},
		&Error{Code: 503, Message: "x", Routing: Some(RoutingError{
			Code: NotOwner, Message: "m",
			Hint: Some(RoutingHint{PartitionID: Some(int64(0)), CurrentOwner: "node-2", MapVersion: 4}),
		})},
	},
	{
		"a clock beside the type",
		object{"timestamp", sampleTimestamp(), "payload", object{"events", []object{}}, "type", "SERVER_BATCH_EVENT"},
		&ServerBatchEvent{Timestamp: sampleTime, Events: []Event{}},
	},
	{
		"a timestamp at zero",
		object{"type", "GC_PRUNE", "payload", object{"olderThan", object{"millis", 0, "counter", 0, "nodeId", ""}}},
		&GCPrune{},
	},
}

// TestAccepted decodes frames in all the forms that peers send. The forms are
// also written down for other implementations.
func TestAccepted(t *testing.T) {
	type entry struct {
		Name    string          `json:"name"`
		JSON    json.RawMessage `json:"json"`
		MsgPack string          `json:"msgpack"`
		Same    string          `json:"same"`
	}
	var file struct {
		About string  `json:"about"`
		Cases []entry `json:"cases"`
	}
	file.About = "Frames in forms that peers send and every implementation reads: msgpack (base64) as it comes, json the same document, same the frame that stands for the same message and is what an implementation writes."
	for _, c := range acceptCases {
		t.Run(c.name, func(t *testing.T) {
			frame := bytesOf(t, c.frame)
			got, err := Decode(frame, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("decoded\n\t%+v\nwant\n\t%+v", got, c.want)
			}
			file.Cases = append(file.Cases, entry{
				c.name, jsonOf(t, frame),
				base64.StdEncoding.EncodeToString(frame), base64.StdEncoding.EncodeToString(Append(nil, c.want)),
			})
		})
	}
	golden(t, filepath.Join(repoRoot(t), "spec", "vectors", "wire", "accept.json"), file)
}

var refuseCases = []struct {
	name  string
	frame any
	err   error
	code  Code
	field string
}{
	{"no map", []int{1}, ErrMalformed, CodeMalformed, ""},
	{"nil", nil, ErrMalformed, CodeMalformed, ""},
	{"no type", object{"payload", object{}}, ErrMalformed, CodeMalformed, ""},
	{"an empty map", object{}, ErrMalformed, CodeMalformed, ""},
	{"a type that is no string", object{"type", 5}, ErrMalformed, CodeMalformed, ""},
	{"a type that is nil", object{"type", nil}, ErrMalformed, CodeMalformed, ""},
	{"no payload", object{"type", "TOPIC_SUB"}, ErrInvalid, CodeInvalidField, "payload"},
	{"a payload of another kind", object{"type", "TOPIC_SUB", "payload", "x"}, ErrInvalid, CodeInvalidField, ""},
	{"a required field is absent", object{"type", "TOPIC_SUB", "payload", object{}}, ErrInvalid, CodeInvalidField, "topic"},
	{"a required field is nil", object{"type", "TOPIC_SUB", "payload", object{"topic", nil}}, ErrInvalid, CodeInvalidField, "topic"},
	{"a field of another kind", object{"type", "TOPIC_SUB", "payload", object{"topic", 5}}, ErrInvalid, CodeInvalidField, "topic"},
	{"a field comes twice", object{"type", "TOPIC_SUB", "payload", object{"topic", "a", "topic", "b"}}, ErrInvalid, CodeInvalidField, "topic"},
	{"a string that is not UTF-8", object{"type", "TOPIC_SUB", "payload", object{"topic", "\xff"}}, ErrInvalid, CodeInvalidField, "topic"},
	{"a name that is too long", object{"type", "TOPIC_SUB", "payload", object{"topic", strings.Repeat("x", 513)}}, ErrTooLarge, CodeTooLarge, "topic"},
	{"an integer with a fraction", object{"type", "CLIENT_APPLY_ACK", "cursor", 1.5}, ErrInvalid, CodeInvalidField, "cursor"},
	{"a float beyond the whole numbers that it can count", object{"type", "CLIENT_APPLY_ACK", "cursor", float64(1 << 60)}, ErrInvalid, CodeInvalidField, "cursor"},
	{"a negative integer", object{"type", "CLIENT_APPLY_ACK", "cursor", -1}, ErrInvalid, CodeInvalidField, "cursor"},
	{"an integer beyond its range", object{"type", "QUERY_SYNC_INIT", "payload", object{"queryId", "q", "rootHash", 1 << 32}}, ErrInvalid, CodeInvalidField, "rootHash"},
	{"a name outside a closed set", object{"type", "JOURNAL_SUBSCRIBE", "requestId", "r", "types", []string{"PUT", "POT"}}, ErrInvalid, CodeInvalidField, "types[1]"},
	{"a where that is no map", object{"type", "QUERY_SUB", "payload", object{"queryId", "q", "mapName", "m", "query", object{"where", "x"}}}, ErrInvalid, CodeInvalidField, "query.where"},
	{"a sort without a field", object{"type", "QUERY_SUB", "payload", object{"queryId", "q", "mapName", "m", "query", object{"sort", []object{{"direction", "asc"}}}}}, ErrInvalid, CodeInvalidField, "query.sort[0].field"},
	{"a sort in no direction", object{"type", "QUERY_SUB", "payload", object{"queryId", "q", "mapName", "m", "query", object{"sort", object{"a", "up"}}}}, ErrInvalid, CodeInvalidField, "query.sort.a"},
	{"a bucket that is no digit", object{"type", "ORMAP_SYNC_INIT", "mapName", "m", "rootHash", 1, "bucketHashes", object{"g", 1}}, ErrInvalid, CodeInvalidField, "bucketHashes.g"},
	{"a bucket hash that is no number", object{"type", "ORMAP_SYNC_INIT", "mapName", "m", "rootHash", 1, "bucketHashes", object{"a", "b"}}, ErrInvalid, CodeInvalidField, "bucketHashes.a"},
	{"operations that are no list", object{"type", "OP_BATCH", "payload", object{"ops", object{}}}, ErrInvalid, CodeInvalidField, "ops"},
	{"no operations", object{"type", "OP_BATCH", "payload", object{}}, ErrInvalid, CodeInvalidField, "ops"},
	{"a counter that is no number", object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{"p", object{"a", "1"}}}}, ErrInvalid, CodeInvalidField, "state.p.a"},
	{"a counter that is infinite", object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{"p", object{"a", math.Inf(1)}}}}, ErrInvalid, CodeInvalidField, "state.p.a"},
	{"a counter part that comes twice", object{"type", "COUNTER_SYNC", "payload", object{"name", "c", "state", object{"p", object{}, "p", object{}}}}, ErrInvalid, CodeInvalidField, "state.p"},
	{"a number that is none", object{"type", "PING", "timestamp", math.NaN()}, ErrInvalid, CodeInvalidField, "timestamp"},
	{"bytes with a gap", object{"type", "VECTOR_SEARCH", "payload", object{"id", "v", "mapName", "m", "queryVector", object{"0", 1, "2", 1}}}, ErrInvalid, CodeInvalidField, "queryVector"},
	{"a timestamp without a counter", object{"type", "GC_PRUNE", "payload", object{"olderThan", object{"millis", 1, "nodeId", "n"}}}, ErrInvalid, CodeInvalidTimestamp, "olderThan"},
	{"a timestamp in the past of all pasts", object{"type", "GC_PRUNE", "payload", object{"olderThan", object{"millis", -1, "counter", 0, "nodeId", "n"}}}, ErrInvalid, CodeInvalidTimestamp, "olderThan"},
}

// TestRefused decodes frames that are refused as a whole, and checks that the
// refusal names the field.
func TestRefused(t *testing.T) {
	type entry struct {
		Name    string `json:"name"`
		MsgPack string `json:"msgpack"`
		Code    string `json:"code"`
		Field   string `json:"field"`
	}
	var file struct {
		About string  `json:"about"`
		Cases []entry `json:"cases"`
	}
	file.About = "Frames (base64) that are refused as a whole, with the name of the code and the path of the field; the path of a field in the payload does not name the payload."
	for _, c := range refuseCases {
		t.Run(c.name, func(t *testing.T) {
			frame := bytesOf(t, c.frame)
			m, err := Decode(frame, Limits{})
			var refusal *DecodeError
			if !errors.As(err, &refusal) {
				t.Fatalf("decoded %+v, %v; want a DecodeError", m, err)
			}
			if !errors.Is(err, c.err) || refusal.Code != c.code || refusal.Field != c.field {
				t.Errorf("%v (%v at %q), want %v (%v at %q)", err, refusal.Code, refusal.Field, c.err, c.code, c.field)
			}
			file.Cases = append(file.Cases, entry{c.name, base64.StdEncoding.EncodeToString(frame), c.code.Name(), c.field})
		})
	}
	golden(t, filepath.Join(repoRoot(t), "spec", "vectors", "wire", "refuse.json"), file)
}

// TestInvalidOperations: what is wrong with one operation concerns that
// operation alone, and what can be read of it is there.
func TestInvalidOperations(t *testing.T) {
	record := func(timestamp any) object { return object{"value", 1, "timestamp", timestamp} }
	for _, c := range []struct {
		name  string
		op    any
		code  Code
		field string
	}{
		{"no object", 5, CodeInvalidField, ""},
		{"an object with numbers as keys", value.Raw{0x81, 0x01, 0x02}, CodeInvalidField, ""},
		{"no map name", object{"key", "k", "record", record(sampleTimestamp()), "id", "2"}, CodeInvalidField, "mapName"},
		{"an empty map name", object{"mapName", "", "key", "k", "record", record(sampleTimestamp()), "id", "2"}, CodeInvalidField, "mapName"},
		{"no key", object{"mapName", "m", "record", record(sampleTimestamp()), "id", "2"}, CodeInvalidField, "key"},
		{"a key that is a number", object{"mapName", "m", "key", 5, "record", record(sampleTimestamp()), "id", "2"}, CodeInvalidField, "key"},
		{"a key that is too long", object{"mapName", "m", "key", strings.Repeat("k", 65537), "record", record(sampleTimestamp()), "id", "2"}, CodeTooLarge, "key"},
		{"a put without a record", op("id", "2"), CodeInvalidField, "record"},
		{"an add without a record", op("opType", "OR_ADD", "id", "2"), CodeInvalidField, "orRecord"},
		{"a removal without a tag", op("opType", "OR_REMOVE", "id", "2"), CodeInvalidField, "orTag"},
		{"a record of another kind", op("record", 5, "id", "2"), CodeInvalidField, "record"},
		{"a record without a timestamp", op("record", object{"value", 1}, "id", "2"), CodeInvalidField, "record.timestamp"},
		{"a timestamp with negative millis", op("record", record(object{"millis", -1, "counter", 0, "nodeId", "n"}), "id", "2"), CodeInvalidTimestamp, "record.timestamp"},
		{"a timestamp beyond what peers can count", op("record", record(object{"millis", uint64(1<<53 + 1), "counter", 0, "nodeId", "n"}), "id", "2"), CodeInvalidTimestamp, "record.timestamp"},
		{"a timestamp with a fraction", op("record", record(object{"millis", 0.5, "counter", 0, "nodeId", "n"}), "id", "2"), CodeInvalidField, "record.timestamp"},
		{"a counter that is too large", op("record", record(object{"millis", 1, "counter", 1 << 32, "nodeId", "n"}), "id", "2"), CodeInvalidTimestamp, "record.timestamp"},
		{"a node with a colon", op("record", record(object{"millis", 1, "counter", 0, "nodeId", "a:b"}), "id", "2"), CodeInvalidTimestamp, "record.timestamp"},
		{"a node that is too long", op("record", record(object{"millis", 1, "counter", 0, "nodeId", strings.Repeat("n", 257)}), "id", "2"), CodeTooLarge, "record.timestamp"},
		{"a negative ttl", op("record", object{"value", 1, "timestamp", sampleTimestamp(), "ttlMs", -5}, "id", "2"), CodeInvalidField, "record.ttlMs"},
		{"an unknown write concern", op("record", record(sampleTimestamp()), "writeConcern", "ALL", "id", "2"), CodeInvalidField, "writeConcern"},
		{"two problems: the first counts", op("timeout", -1, "record", 5, "id", "2"), CodeInvalidField, "timeout"},
		{"a field that comes twice", op("key", "k2", "record", record(sampleTimestamp()), "id", "2"), CodeInvalidField, "key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := bytesOf(t, object{"type", "OP_BATCH", "payload", object{"ops", []any{
				bytesOf(t, op("record", record(sampleTimestamp()), "id", "1")),
				bytesOf(t, c.op),
				bytesOf(t, op("record", record(sampleTimestamp()), "id", "3")),
			}}})
			m, err := Decode(frame, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			ops := m.(*OpBatch).Ops
			if len(ops) != 3 || ops[0].Invalid != nil || ops[2].Invalid != nil || ops[0].ID != "1" || ops[2].ID != "3" {
				t.Fatalf("the operations beside it suffer: %+v", ops)
			}
			refusal := ops[1].Invalid
			if refusal == nil || refusal.Code != c.code || refusal.Field != c.field {
				t.Errorf("%v, want %v at %q", refusal, c.code, c.field)
			}
			if _, named := c.op.(object); named && ops[1].ID != "2" {
				t.Errorf("its id is %q, want 2", ops[1].ID)
			}
		})
	}
}

// TestInvalidBatchField: a problem of the batch is one of all its operations.
func TestInvalidBatchField(t *testing.T) {
	frame := bytesOf(t, object{"type", "OP_BATCH", "payload", object{"writeConcern", "SOON", "ops", []object{
		op("opType", "REMOVE", "id", "1"), op("id", "2"),
	}}})
	m, err := Decode(frame, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ops := m.(*OpBatch).Ops
	if len(ops) != 2 || ops[0].Invalid == nil || ops[0].Invalid.Field != "writeConcern" {
		t.Errorf("first operation: %+v", ops)
	}
	if ops[1].Invalid == nil || ops[1].Invalid.Field != "record" {
		t.Errorf("second operation: %v, want its own problem", ops[1].Invalid)
	}
}

// TestInvalidEntry: one bad record of a pushed difference costs its entry only.
func TestInvalidEntry(t *testing.T) {
	record := object{"value", 1, "timestamp", sampleTimestamp(), "tag", "t"}
	bad := object{"value", 1, "timestamp", object{"millis", -1, "counter", 0, "nodeId", ""}, "tag", "t"}
	frame := bytesOf(t, object{"type", "ORMAP_PUSH_DIFF", "payload", object{"mapName", "m", "entries", []object{
		{"key", "a", "records", []object{record, bad}, "tombstones", []string{"x"}},
		{"key", "b", "records", []object{record}, "tombstones", []string{}},
	}}})
	m, err := Decode(frame, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	entries := m.(*ORMapPushDiff).Entries
	if e := entries[0]; e.Invalid == nil || e.Invalid.Field != "records[1].timestamp" || e.Key != "a" {
		t.Errorf("first entry: %+v", e)
	}
	if e := entries[1]; e.Invalid != nil || len(e.Records) != 1 || e.Key != "b" {
		t.Errorf("second entry: %+v", e)
	}
}

// TestUnknownType: the error carries the name, cut short.
func TestUnknownType(t *testing.T) {
	for name, want := range map[string]string{"TELEPORT": "TELEPORT", strings.Repeat("A", 100): strings.Repeat("A", 64), "": ""} {
		_, err := Decode(bytesOf(t, object{"payload", object{}, "type", name}), Limits{})
		var unknown *UnknownTypeError
		if !errors.Is(err, ErrUnknownType) || !errors.As(err, &unknown) || unknown.Name != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}
