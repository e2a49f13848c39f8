package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
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
)

// frame is an encoded OP_BATCH that can be sent again and again: its timestamps
// and ids are overwritten in place.
type frame struct {
	bytes    []byte
	millis   []int // offsets of eight bytes
	counters []int // offsets of four bytes
	ids      []int // offsets of ten digits
}

// newFrame encodes a batch of puts to keys.
func newFrame(keys []string, node string, valueBytes int, concern wire.WriteConcern) (*frame, error) {
	v := value.AppendStr(value.AppendMap(nil, 1), "v")
	v = value.AppendStr(v, strings.Repeat("x", valueBytes))
	m := &wire.OpBatch{WriteConcern: concern}
	for _, key := range keys {
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
	if n := len(keys); len(f.millis) != n || len(f.counters) != n || len(f.ids) != n {
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
}

// firstID is the first id of a connection. All ids have as many digits.
const firstID = 1_000_000_000
