package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// allowance is what decoding a frame may allocate: a share of the frame's size,
// and one full list of the largest elements.
func allowance(frame []byte) uint64 { return uint64(64*len(frame)) + 4<<20 }

// checkDecode decodes hostile bytes and checks what holds for any input.
func checkDecode(t *testing.T, frame []byte) {
	t.Helper()
	var m Message
	var err error
	if n := allocated(func() { m, err = Decode(frame, Limits{}) }); n > allowance(frame) {
		t.Fatalf("decoding %d bytes allocated %d", len(frame), n)
	}
	RequestID(frame)
	if id, ok := ReadLastOpID(frame); ok && err == nil {
		if batch, is := m.(*OpBatch); is && batch.Invalid == nil {
			last := batch.Ops[len(batch.Ops)-1]
			if last.Invalid == nil && last.ID != string(id) {
				t.Fatalf("last id %q, want %q", id, last.ID)
			}
		}
	}
	if err != nil {
		checkRefusal(t, err)
		return
	}
	if err := value.Check(frame); err != nil {
		t.Fatalf("accepted what is no value: %v", err)
	}
	once := Append(nil, m)
	again, err := Decode(once, Limits{})
	if err != nil {
		t.Fatalf("own encoding of %+v: %v", m, err)
	}
	if twice := Append(nil, again); string(once) != string(twice) {
		t.Fatalf("%v changes when it is encoded again:\n\t%q\n\t%q", m.Type(), once, twice)
	}
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrUnknownType) {
		return
	}
	var refusal *DecodeError
	if !errors.As(err, &refusal) {
		t.Fatalf("%T %v, want a DecodeError", err, err)
	}
	known := errors.Is(err, ErrMalformed) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrTooLarge)
	if !known || refusal.Reason == "" || err.Error() == "" {
		t.Fatalf("incomplete refusal %+v", refusal)
	}
}

// vectorFrames returns the frames of the golden files.
func vectorFrames(tb testing.TB) [][]byte {
	tb.Helper()
	files, err := filepath.Glob("../../../spec/vectors/wire/[A-Z]*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("%d golden files, %v", len(files), err)
	}
	var out [][]byte
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		var file vectorFile
		if err := json.Unmarshal(text, &file); err != nil {
			tb.Fatal(err)
		}
		for _, c := range file.Cases {
			frame, err := base64.StdEncoding.DecodeString(c.MsgPack)
			if err != nil {
				tb.Fatal(err)
			}
			out = append(out, frame)
		}
	}
	return out
}

func FuzzDecode(f *testing.F) {
	for _, frame := range vectorFrames(f) {
		f.Add(frame)
	}
	f.Add(clientBatch(3))
	f.Fuzz(func(t *testing.T, frame []byte) { checkDecode(t, frame) })
}

func FuzzDecodeHTTPSync(f *testing.F) {
	for _, frame := range vectorFrames(f) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeHTTPSyncRequest(body, Limits{})
		if err != nil {
			checkRefusal(t, err)
			return
		}
		once := m.AppendTo(nil)
		again, err := DecodeHTTPSyncRequest(once, Limits{})
		if err != nil {
			t.Fatalf("own encoding of %+v: %v", m, err)
		}
		if twice := again.AppendTo(nil); string(once) != string(twice) {
			t.Fatalf("changes when it is encoded again:\n\t%q\n\t%q", once, twice)
		}
	})
}

// TestDamagedFrames cuts every golden frame short at every byte and damages it
// in many ways.
func TestDamagedFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(seed, 0))
	for _, frame := range append(vectorFrames(t), clientBatch(2)) {
		if _, err := Decode(frame, Limits{}); err != nil {
			continue // an HTTP body
		}
		for n := range frame {
			if m, err := Decode(frame[:n], Limits{}); err == nil {
				t.Fatalf("%v decodes from %d of %d bytes", m.Type(), n, len(frame))
			}
		}
		if _, err := Decode(append(frame[:len(frame):len(frame)], 0xc0), Limits{}); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%q with a byte behind it: %v", frame, err)
		}
		for range 20 {
			damaged := append([]byte(nil), frame...)
			for range 1 + r.IntN(3) {
				damaged[r.IntN(len(damaged))] = byte(r.Uint32())
			}
			checkDecode(t, damaged)
		}
	}
}

// TestHugeCounts: a count that the bytes behind it cannot hold allocates nothing.
func TestHugeCounts(t *testing.T) {
	huge := []string{
		"\xdd\xff\xff\xff\xff", "\xdd\x00\x01\x00\x00", "\xdc\xff\xff",
		"\xdf\xff\xff\xff\xff", "\xde\xff\xff", "\xdb\xff\xff\xff\xff", "\xc6\x7f\xff\xff\xff",
	}
	for _, frame := range vectorFrames(t) {
		for at := range frame {
			n := allocated(func() {
				for _, lie := range huge {
					lying := append(append([]byte(nil), frame[:at]...), lie...)
					if _, err := Decode(lying, Limits{}); err == nil && value.Check(lying) != nil {
						t.Errorf("%q is accepted", lying)
					}
				}
			})
			if n > 64<<10 {
				t.Fatalf("a huge count behind %q allocates %d bytes", frame[:at], n)
			}
		}
	}
}

// TestTinyElements: a list with a byte for each element, but not enough bytes
// for what its elements need, allocates nothing.
func TestTinyElements(t *testing.T) {
	frame := value.AppendStr(value.AppendStr(value.AppendMap(nil, 2), "type"), "QUERY_RESP")
	frame = value.AppendStr(value.AppendMap(value.AppendStr(frame, "payload"), 1), "results")
	frame = append(value.AppendArray(frame, 60_000), make([]byte, 60_000)...)
	var err error
	if n := allocated(func() { _, err = Decode(frame, Limits{}) }); n > 64<<10 || !errors.Is(err, ErrInvalid) {
		t.Errorf("%d bytes allocated, %v", n, err)
	}
}

// TestManySmallOperations: the worst ratio of allocation to input is a batch of
// as many operations as are allowed, each of one byte.
func TestManySmallOperations(t *testing.T) {
	frame := value.AppendStr(value.AppendStr(value.AppendMap(nil, 2), "type"), "OP_BATCH")
	frame = value.AppendStr(value.AppendMap(value.AppendStr(frame, "payload"), 1), "ops")
	fill := func(n int) []byte {
		out := value.AppendArray(append([]byte(nil), frame...), n)
		for range n {
			out = append(out, 0xc0)
		}
		return out
	}
	full := fill(10_000)
	var m Message
	var err error
	n := allocated(func() { m, err = Decode(full, Limits{}) })
	if err != nil || len(m.(*OpBatch).Ops) != 10_000 || m.(*OpBatch).Ops[9_999].Invalid == nil {
		t.Fatalf("%v", err)
	}
	if n > 8<<20 {
		t.Errorf("%d bytes allocated", n)
	}
	more := fill(10_001)
	if n := allocated(func() { _, err = Decode(more, Limits{}) }); n > 64<<10 || !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d bytes allocated for too many operations, %v", n, err)
	}
}

// nested returns a frame whose data lies in depth containers, the two of the
// frame included.
func nested(depth int, container byte) []byte {
	frame := value.AppendStr(value.AppendStr(value.AppendMap(nil, 2), "type"), "TOPIC_PUB")
	frame = value.AppendMap(value.AppendStr(frame, "payload"), 2)
	frame = value.AppendStr(value.AppendStr(frame, "topic"), "t")
	frame = value.AppendStr(frame, "data")
	for range depth - 2 {
		frame = append(frame, container)
		if container == 0x81 {
			frame = append(frame, 0xa0)
		}
	}
	return append(frame, 0xc0)
}

// TestDepth: frames are refused from value.MaxDepth+1 containers on, wherever
// the depth lies and whatever lies around it.
func TestDepth(t *testing.T) {
	for name, container := range map[string]byte{"arrays": 0x91, "maps": 0x81} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode(nested(value.MaxDepth, container), Limits{}); err != nil {
				t.Errorf("%d deep: %v", value.MaxDepth, err)
			}
			for _, depth := range []int{value.MaxDepth + 1, value.MaxDepth + 2, 300, 100_000} {
				_, err := Decode(nested(depth, container), Limits{})
				var refusal *DecodeError
				if !errors.Is(err, ErrMalformed) || !errors.As(err, &refusal) || refusal.Code != CodeMalformed {
					t.Errorf("%d deep: %v", depth, err)
				}
			}
		})
	}
}

// TestDepthInsideOperation: depth is a fault of the frame, not of the operation
// in which it lies.
func TestDepthInsideOperation(t *testing.T) {
	deep := func(n int) value.Raw { return append([]byte(strings.Repeat("\x91", n)), 0xc0) }
	frame := func(n int) []byte {
		return bytesOf(t, object{"type", "OP_BATCH", "payload", object{"ops", []any{
			bytesOf(t, op("opType", "REMOVE", "id", "1")),
			bytesOf(t, object{"mapName", "m", "record", deep(n), "key", "k"}),
		}}})
	}
	const around = 4 // frame, payload, ops, operation
	if _, err := Decode(frame(value.MaxDepth-around), Limits{}); err != nil {
		t.Errorf("%d deep: %v", value.MaxDepth, err)
	}
	if _, err := Decode(frame(value.MaxDepth-around+1), Limits{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("%d deep: %v", value.MaxDepth+1, err)
	}
}

// TestFrameLimit: the size is looked at before anything else.
func TestFrameLimit(t *testing.T) {
	frame := Append(nil, &TopicPub{Topic: "t", Data: value.AppendBin(nil, make([]byte, 100))})
	if _, err := Decode(frame, Limits{FrameBytes: len(frame)}); err != nil {
		t.Error(err)
	}
	if _, err := Decode(frame, Limits{FrameBytes: len(frame) - 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want %v", err, ErrTooLarge)
	}
	if _, err := Decode(make([]byte, 2<<20+1), Limits{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want %v", err, ErrTooLarge)
	}
	if _, err := DecodeHTTPSyncRequest(make([]byte, 2<<20+1), Limits{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want %v", err, ErrTooLarge)
	}
}

// TestListLimit: lists of more than Items elements are refused.
func TestListLimit(t *testing.T) {
	keys := func(n int) Message { return &ORMapDiffRequest{MapName: "m", Keys: make([]string, n)} }
	if _, err := Decode(Append(nil, keys(5)), Limits{Items: 5}); err != nil {
		t.Error(err)
	}
	if _, err := Decode(Append(nil, keys(6)), Limits{Items: 5}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want %v", err, ErrTooLarge)
	}
	state := CounterState{Positive: make(NumberMap, 6)}
	if _, err := Decode(Append(nil, &CounterSync{State: state}), Limits{Items: 5}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want %v", err, ErrTooLarge)
	}
}

// TestDecodeAllocations pins what a batch costs: the message and its list.
func TestDecodeAllocations(t *testing.T) {
	frame := clientBatch(10)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Decode(frame, Limits{}); err != nil {
			t.Fatal(err)
		}
	}); n > 2 {
		t.Errorf("%v allocations for a batch", n)
	}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { buf = AppendOpAck(buf[:0], "12", Persisted, nil) }); n > 0 {
		t.Errorf("%v allocations for an acknowledgement", n)
	}
	if n := testing.AllocsPerRun(100, func() { ReadLastOpID(frame) }); n > 0 {
		t.Errorf("%v allocations for the last id", n)
	}
}

// TestViews: strings and values of a message are views of its frame.
func TestViews(t *testing.T) {
	frame := clientBatch(1)
	m, err := Decode(frame, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	op := m.(*OpBatch).Ops[0]
	if op.Key != "todo-0" {
		t.Fatalf("key %q", op.Key)
	}
	at := strings.Index(string(frame), "todo-0")
	frame[at] = 'T'
	if op.Key != "Todo-0" {
		t.Error("the key is a copy")
	}
	if raw := op.Record.Value.Value; cap(raw) != len(raw) {
		t.Error("appending to a value would overwrite the frame")
	}
}
