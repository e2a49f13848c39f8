package crdt_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// unhex reads bytes written in groups.
func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Its millis are 1771700000000, 19c818c9500 in hex.
var stamp = hlc.Timestamp{Millis: 1771700000000, Counter: 7, Node: "n1"}

func orWith(t *testing.T, ops ...orOp) string {
	t.Helper()
	var s crdt.ORState
	for _, op := range ops {
		s = apply(t, s, op)
	}
	return string(s)
}

// TestLayouts pins the bytes of docs/format/state.md: what is on disk must stay
// readable.
func TestLayouts(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{
			"lww put", encode(crdt.LWW{Value: raw("v"), TS: stamp}),
			"10 8000019c818c9500 00000007 02 6e31 a176",
		},
		{
			"lww put with ttl", encode(crdt.LWW{Value: raw("v"), TS: stamp, TTL: 5000}),
			"11 8000019c818c9500 00000007 02 6e31 904e a176",
		},
		{
			"lww tombstone", encode(crdt.LWW{TS: stamp}),
			"12 8000019c818c9500 00000007 02 6e31",
		},
		{
			"or record, tag ends in the node", orWith(t, orOp{rec: crdt.ORRecord{Tag: "5:7:n1", Value: raw(true), TS: stamp}}),
			"20 01 00 17 06 353a373a6e31 02 8000019c818c9500 00000007 02 01 c3",
		},
		{
			"or record with ttl, opaque tag, nil", orWith(t, orOp{rec: crdt.ORRecord{Tag: "t", TS: stamp, HasTTL: true}}),
			"20 01 00 15 01 74 01 8000019c818c9500 00000007 02 6e31 00 01 c0",
		},
		{
			"or tombstones", orWith(t, orOp{rec: crdt.ORRecord{Tag: "b"}, remove: true, at: -1}, orOp{rec: crdt.ORRecord{Tag: "a"}, remove: true, at: 64}),
			"20 00 02 00 01 61 8001 01 62 01",
		},
		{
			"counter", string(counter(t, counts{"b": 1, "a": 2}, counts{"b": 0.5, "c": 1})),
			"30 01 61 01 4000000000000000 01 62 03 3ff0000000000000 3fe0000000000000 01 63 02 3ff0000000000000",
		},
	} {
		if want := unhex(t, c.want); c.got != want {
			t.Errorf("%s:\n got %x\nwant %x", c.name, c.got, want)
		}
	}
}

func TestOtherWritingsOfAStateAreCorrupt(t *testing.T) {
	lww := crdt.ValidateLWW
	or := func(s string) error { return crdt.ORState(s).Validate() }
	count := func(s string) error { return crdt.CounterState(s).Validate() }
	// What the cases below are variations of.
	for _, valid := range []error{
		lww(unhex(t, "10 8000000000000000 00000000 00 c3")),
		or(unhex(t, "20 01 00 13 01 74 00 8000000000000000 00000000 01 61 01 c0")),
		or(unhex(t, "20 01 01 13 01 74 00 8000000000000000 00000000 01 61 01 c0 01 75 00")),
		or(unhex(t, "20 00 02 00 01 61 00 01 62 00")),
		count(unhex(t, "30 01 61 01 3ff0000000000000 01 62 02 3ff0000000000000")),
	} {
		if valid != nil {
			t.Error(valid)
		}
	}
	for _, c := range []struct {
		name     string
		validate func(string) error
		hex      string
	}{
		{"lww: nothing", lww, ""},
		{"lww: another kind", lww, "20 8000000000000000 00000000 00 c3"},
		{"lww: unknown flag", lww, "14 8000000000000000 00000000 00 c3"},
		{"lww: no value", lww, "10 8000000000000000 00000000 00"},
		{"lww: nil value", lww, "10 8000000000000000 00000000 00 c0"},
		{"lww: two values", lww, "10 8000000000000000 00000000 00 c3c3"},
		{"lww: half a value", lww, "10 8000000000000000 00000000 00 a2"},
		{"lww: tombstone with value", lww, "12 8000000000000000 00000000 00 c3"},
		{"lww: ttl of 0", lww, "11 8000000000000000 00000000 00 00 c3"},
		{"lww: long varint", lww, "10 8000000000000000 00000000 8000 c3"},
		{"lww: node beyond the end", lww, "10 8000000000000000 00000000 05 c3"},
		{"lww: length beyond 64 bits", lww, "10 8000000000000000 00000000 ffffffffffffffffff7f c3"},
		{"or: header only", or, "20 00 00 00"},
		{"or: count too large", or, "20 00 02 00 01 61 00"},
		{"or: count too small", or, "20 00 01 00 01 61 00 01 62 00"},
		{"or: tags out of order", or, "20 00 02 00 01 62 00 01 61 00"},
		{"or: tag twice", or, "20 00 02 00 01 61 00 01 61 00"},
		{"or: empty tag", or, "20 00 01 00 00 00"},
		{"or: records end too late", or, "20 00 01 01 01 61 00"},
		{"or: live and removed", or, "20 01 01 13 01 74 00 8000000000000000 00000000 01 61 01 c0  01 74 00"},
		{"or: node written out for nothing", or, "20 01 00 13 01 74 00 8000000000000000 00000000 01 74 01 c0"},
		{"or: node longer than its tag", or, "20 01 00 12 01 74 02 8000000000000000 00000000 02 01 c0"},
		{"or: no value", or, "20 01 00 12 01 74 00 8000000000000000 00000000 01 61 00"},
		{"or: half a value", or, "20 01 00 13 01 74 00 8000000000000000 00000000 01 61 01 a2"},
		{"or: unknown record flag", or, "20 01 00 13 01 74 04 8000000000000000 00000000 01 61 01 c0"},
		{"counter: no entries", count, "30"},
		{"counter: no counts", count, "30 01 61 00"},
		{"counter: count of 0", count, "30 01 61 01 0000000000000000"},
		{"counter: negative", count, "30 01 61 01 bff0000000000000"},
		{"counter: infinite", count, "30 01 61 01 7ff0000000000000"},
		{"counter: not a number", count, "30 01 61 01 7ff8000000000000"},
		{"counter: nodes out of order", count, "30 01 62 01 3ff0000000000000 01 61 01 3ff0000000000000"},
		{"counter: node twice", count, "30 01 62 01 3ff0000000000000 01 62 01 3ff0000000000000"},
	} {
		err := c.validate(unhex(t, c.hex))
		var ce *crdt.CorruptError
		if !errors.Is(err, crdt.ErrCorrupt) || !errors.As(err, &ce) {
			t.Errorf("%s: %v, want ErrCorrupt", c.name, err)
		}
	}
}
