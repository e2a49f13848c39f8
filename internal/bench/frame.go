package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// mapName is the map that benchmarks write to.
const mapName = "bench"

// Places in a frame are found by the numbers that are encoded there first. Both
// need the longest form of their kind, so that any other of the same size fits.
const (
	markMillis  = 0x0001_7e57_1234_5678
	markCounter = 0xfedc_ba98
	markID      = "9999999999"
	markValue   = "8888888888"
)

// frame is an encoded OP_BATCH that can be sent again and again: its timestamps
// and ids are overwritten in place, and ten characters of each value.
type frame struct {
	bytes    []byte
	millis   []int // offsets of eight bytes
	counters []int // offsets of four bytes
	ids      []int // offsets of ten digits
	values   []int // offsets of ten digits; none when values are shorter
}

// textOf makes values that hold nothing but a text of a size. Its beginning is
// overwritten with every write if there is room.
func textOf(size int) func(key string) value.Raw {
	return func(key string) value.Raw {
		text := letters(key, size)
		if size >= len(markValue) {
			text = markValue + text[len(markValue):]
		}
		return value.AppendStr(value.AppendStr(value.AppendMap(nil, 1), "v"), text)
	}
}

// newFrame encodes a batch of puts to keys.
func newFrame(keys []string, node string, valueOf func(key string) value.Raw, concern wire.WriteConcern) (*frame, error) {
	m := &wire.OpBatch{WriteConcern: concern}
	changing := 0
	for _, key := range keys {
		v := valueOf(key)
		changing += bytes.Count(v, []byte(markValue))
		m.Ops = append(m.Ops, wire.ClientOp{
			ID: markID, MapName: mapName, Key: key, OpType: "PUT",
			Record: wire.Given(wire.LWWRecord{Value: v, Timestamp: hlc.Timestamp{Millis: markMillis, Counter: markCounter, Node: node}}),
		})
	}
	b, _ := socket.Frame(wire.Append(nil, m))
	f := &frame{bytes: b}
	f.millis = find(b, binary.BigEndian.AppendUint64(nil, markMillis))
	f.counters = find(b, binary.BigEndian.AppendUint32(nil, markCounter))
	f.ids = find(b, []byte(markID))
	f.values = find(b, []byte(markValue))
	if n := len(keys); len(f.values) != changing || len(f.millis) != n || len(f.counters) != n || len(f.ids) != n {
		return nil, fmt.Errorf("bench: %d operations, but %d, %d and %d places in their frame", n, len(f.millis), len(f.counters), len(f.ids))
	}
	return f, nil
}

func find(b, what []byte) []int {
	var at []int
	for from := 0; ; {
		i := bytes.Index(b[from:], what)
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(what)
	}
}

// stamp gives the operations ids from first on and timestamps that are greater
// than all before.
func (f *frame) stamp(first, millis int64) {
	for i := range f.ids {
		id := first + int64(i)
		strconv.AppendInt(f.bytes[f.ids[i]:f.ids[i]], id, 10)
		binary.BigEndian.PutUint64(f.bytes[f.millis[i]:], uint64(millis))
		binary.BigEndian.PutUint32(f.bytes[f.counters[i]:], uint32(id))
	}
	for i, at := range f.values {
		strconv.AppendInt(f.bytes[at:at], first+int64(i), 10)
	}
}

// letters is a text of n letters that has little in common with that of another
// key.
func letters(key string, n int) string {
	r := rand.New(rand.NewPCG(uint64(hash.Key(key)), 1)) //nolint:gosec // varied, not secret
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(r.IntN(26))
	}
	return string(b)
}

// firstID is the first id of a connection. All ids have as many digits.
const firstID = 1_000_000_000
