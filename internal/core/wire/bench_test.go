package wire

import (
	"strconv"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// clientBatch returns an OP_BATCH of n operations as the JavaScript client
// writes it: map16 headers, float64 timestamps, the fields in its order and
// with the two that servers ignore.
func clientBatch(n int) []byte {
	map16 := func(dst []byte, n int) []byte { return append(dst, 0xde, 0, byte(n)) }
	str := value.AppendStr
	timestamp := func(dst []byte, i int) []byte {
		dst = map16(str(dst, "timestamp"), 3)
		dst = value.AppendFloat(str(dst, "millis"), float64(1771700000000+i))
		dst = value.AppendInt(str(dst, "counter"), int64(i))
		return str(str(dst, "nodeId"), "3b9d1f8a-5a0e-4a50-9d27-1d6a4e1f0c11")
	}
	b := str(str(map16(nil, 2), "type"), "OP_BATCH")
	b = map16(str(b, "payload"), 1)
	b = value.AppendArray(str(b, "ops"), n)
	for i := range n {
		b = map16(b, 7)
		b = str(str(b, "mapName"), "todos")
		b = str(str(b, "opType"), "PUT")
		b = str(str(b, "key"), "todo-"+strconv.Itoa(i))
		b = map16(str(b, "record"), 2)
		b = map16(str(b, "value"), 4)
		b = str(str(b, "title"), "write the report")
		b = value.AppendBool(str(b, "done"), false)
		b = value.AppendInt(str(b, "priority"), 3)
		b = str(str(b, "owner"), "alice")
		b = timestamp(b, i)
		b = timestamp(b, i)
		b = value.AppendBool(str(b, "synced"), false)
		b = str(str(b, "id"), strconv.Itoa(i+1))
	}
	return b
}

func BenchmarkDecodeOpBatch10(b *testing.B) {
	frame := clientBatch(10)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10, "ns/record")
}

func BenchmarkReadLastOpID10(b *testing.B) {
	frame := clientBatch(10)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ReadLastOpID(frame); !ok {
			b.Fatal("no id")
		}
	}
}

func BenchmarkDecodeOpBatch1(b *testing.B) {
	frame := clientBatch(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeQuerySub(b *testing.B) {
	where, err := value.FromAny(map[string]any{"done": false, "owner": "alice"})
	if err != nil {
		b.Fatal(err)
	}
	frame := Append(nil, &QuerySub{
		QueryID: "51975db3-9208-4584-9134-d29cdd27c16e", MapName: "todos",
		Query: Query{Where: where, Sort: Sort{{Field: "createdAt", Descending: true}}, Limit: Some(int64(50))},
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePing(b *testing.B) {
	frame := Append(nil, &Ping{Timestamp: 1771700000000})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(frame, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendOpAck(b *testing.B) {
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendOpAck(buf[:0], "184467", Persisted, nil)
	}
}

func BenchmarkAppendOpAckResults10(b *testing.B) {
	results := make([]OpResult, 10)
	for i := range results {
		results[i] = OpResult{OpID: strconv.Itoa(i), Success: true, AchievedLevel: Persisted}
	}
	buf := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendOpAck(buf[:0], "184467", Persisted, results)
	}
}

func BenchmarkAppendServerEvent(b *testing.B) {
	val, err := value.FromAny(map[string]any{"title": "write the report", "done": false})
	if err != nil {
		b.Fatal(err)
	}
	ts := hlc.Timestamp{Millis: 1771700000000, Counter: 3, Node: "node-1"}
	m := &ServerEvent{Timestamp: ts, Event: Event{
		MapName: "todos", EventType: EventPut, Key: "todo-1", Record: Some(LWWRecord{Value: val, Timestamp: ts}),
	}}
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = m.AppendTo(buf[:0])
	}
}

func BenchmarkFanOutHead(b *testing.B) {
	f := Share(&QueryUpdate{Key: "todo-1", Value: value.Raw{0x01}, ChangeType: ChangeUpdate})
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		buf = f.AppendHead(buf[:0], "51975db3-9208-4584-9134-d29cdd27c16e")
	}
}
