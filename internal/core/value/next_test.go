package value_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// nested returns depth arrays around a nil.
func nested(depth int) []byte {
	var b []byte
	for range depth {
		b = value.AppendArray(b, 1)
	}
	return value.AppendNil(b)
}

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		name, hex string
		n         int
		err       error
	}{
		{"nothing at all", "", 0, value.ErrShort},
		{"a fixint, with bytes behind it", "0102", 1, nil},
		{"the lead that no value has", "c1", 0, value.ErrFormat},
		{"the same inside an array", "9101c1", 2, nil},
		{"the same as an element", "92c001c1", 3, nil},
		{"an element that is no value", "91c1", 0, value.ErrFormat},
		{"uint32 cut short", "ce000000", 0, value.ErrShort},
		{"float64 cut short", "cb00000000000000", 0, value.ErrShort},
		{"string cut short", "a26e", 0, value.ErrShort},
		{"str8 without its length", "d9", 0, value.ErrShort},
		{"str32 that declares 4 GiB", "dbffffffff00", 0, value.ErrShort},
		{"bin8", "c40201020304", 4, nil},
		{"array32 that declares 4 Gi elements", "ddffffffff", 0, value.ErrShort},
		{"map32 that declares 4 Gi pairs", "dfffffffff0000", 0, value.ErrShort},
		{"map with fewer bytes than two for each pair", "820001a1", 0, value.ErrShort},
		{"map with integer keys", "8101a161", 4, nil},
		{"fixext 4", "d6ff65000000", 6, nil},
		{"ext 8 of no bytes", "c70005", 3, nil},
		{"ext 8 cut before its type", "c701", 0, value.ErrShort},
		{"ext 16 cut short", "c8000205aa", 0, value.ErrShort},
		{"empty containers", "93808090", 4, nil},
		{"map in array in map", "81a16191820102030400", 9, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, err := value.Next(unhex(t, tc.hex))
			if n != tc.n || !errors.Is(err, tc.err) {
				t.Errorf("Next = %d, %v; want %d, %v", n, err, tc.n, tc.err)
			}
		})
	}
}

func TestNextBoundsTheDepth(t *testing.T) {
	for _, depth := range []int{0, 1, 15, 16, 17, 100, value.MaxDepth} {
		b := nested(depth)
		if n, err := value.Next(b); n != len(b) || err != nil {
			t.Errorf("depth %d: Next = %d, %v", depth, n, err)
		}
	}
	for _, depth := range []int{value.MaxDepth + 1, 100_000} {
		if _, err := value.Next(nested(depth)); !errors.Is(err, value.ErrDepth) {
			t.Errorf("depth %d: got %v, want ErrDepth", depth, err)
		}
	}
	// An array that closes frees its level: many neighbours are not deep.
	b := value.AppendArray(nil, 1000)
	for range 1000 {
		b = append(b, nested(value.MaxDepth-1)...)
	}
	if n, err := value.Next(b); n != len(b) || err != nil {
		t.Errorf("neighbours: Next = %d, %v", n, err)
	}
}

func TestCheckWantsExactlyOneValue(t *testing.T) {
	if err := value.Check(unhex(t, "0102")); !errors.Is(err, value.ErrTrailing) {
		t.Errorf("got %v, want ErrTrailing", err)
	}
	if err := value.Check(nil); !errors.Is(err, value.ErrShort) {
		t.Errorf("got %v, want ErrShort", err)
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	for name, b := range map[string][]byte{
		"deep":     nested(value.MaxDepth),
		"too deep": nested(value.MaxDepth + 1),
		"declared": unhex(t, "ddffffffff"),
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = value.Next(b) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Every prefix of a value is short, the whole is a value, and what follows does
// not matter.
func TestNextFindsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := valuetest.Encode(t, valuetest.Any(4).Draw(t, "value"))
		tail := rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "tail")
		if n, err := value.Next(append(append([]byte{}, b...), tail...)); n != len(b) || err != nil {
			t.Fatalf("Next = %d, %v; want %d", n, err, len(b))
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if n, err := value.Next(b[:cut]); n != 0 || !errors.Is(err, value.ErrShort) {
			t.Fatalf("cut at %d of %d: Next = %d, %v", cut, len(b), n, err)
		}
	})
}

func FuzzNext(f *testing.F) {
	for _, s := range []string{
		"", "c1", "00", "cb3ff8000000000000", "82a161019301c0a2686981", "ddffffffff", "dfffffffff0000", "dbffffffff00",
		"de000181a16101", "c70005", "d6ff65000000", "8101a161",
	} {
		f.Add(unhex(f, s))
	}
	f.Add(nested(value.MaxDepth))
	f.Add(nested(value.MaxDepth + 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := value.Next(b)
		if err != nil {
			if n != 0 {
				t.Fatalf("length %d with error %v", n, err)
			}
		} else if n < 1 || n > len(b) {
			t.Fatalf("length %d of %d bytes", n, len(b))
		}
		// An independent implementation agrees where it has no lower limits.
		rest, skipErr := msgp.Skip(b)
		if err == nil && (skipErr != nil || len(b)-len(rest) != n) {
			t.Fatalf("Next = %d, msgp: %d left, %v", n, len(rest), skipErr)
		}
		if skipErr == nil && err != nil && !errors.Is(err, value.ErrDepth) {
			t.Fatalf("Next fails with %v, msgp does not", err)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x00\x01\x02"), unhex(f, "82a16101a162c3"))
	f.Add([]byte{0, 2, 2, 2, 4, 5, 6, 7, 8}, unhex(f, "de0003a13001a13102a132ccff"))
	f.Add([]byte{1, 1, 6}, unhex(f, "ddffffffff"))
	f.Fuzz(func(t *testing.T, calls, b []byte) {
		r := value.NewReader(b)
		for _, c := range calls {
			before, failed := len(r.Rest()), r.Err() != nil
			drive(&r, c)
			if failed && (r.Err() == nil || r.More() || r.Rest() != nil) {
				t.Fatal("a failed reader went on")
			}
			if r.Err() == nil && len(r.Rest()) > before {
				t.Fatal("a reader went backwards")
			}
		}
	})
}

// drive calls the method of r that c stands for.
func drive(r *value.Reader, c byte) {
	switch c % 11 {
	case 0:
		r.MapHeader()
	case 1:
		r.ArrayHeader()
	case 2:
		_ = r.Str()
	case 3:
		r.StrBytes()
	case 4:
		r.Bool()
	case 5:
		r.Int()
	case 6:
		r.Float()
	case 7:
		r.Bytes()
	case 8:
		r.Nil()
	case 9:
		r.Raw()
	case 10:
		r.Kind()
	}
}

func BenchmarkNext(b *testing.B) {
	wide := value.AppendArray(nil, 1000)
	for i := range 1000 {
		wide = binary.BigEndian.AppendUint32(append(wide, 0xce), uint32(i))
	}
	for _, bc := range []struct {
		name string
		doc  []byte
	}{
		{"scalar", value.AppendStr(nil, "hello")},
		{"document", document()},
		{"wide", wide},
		{"deep", nested(value.MaxDepth)},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bc.doc)))
			for b.Loop() {
				if _, err := value.Next(bc.doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// document is a record of five fields as the client encodes it.
func document() value.Raw {
	b := value.Raw{0xde, 0, 5}
	b = value.AppendStr(value.AppendStr(b, "name"), "Ada Lovelace")
	b = value.AppendInt(value.AppendStr(b, "age"), 36)
	b = value.AppendBool(value.AppendStr(b, "active"), true)
	b = value.AppendFloat(value.AppendStr(b, "updatedAt"), 1771700000000)
	b = value.AppendArray(value.AppendStr(b, "tags"), 2)
	return value.AppendStr(value.AppendStr(b, "math"), "engine")
}
