package value

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAppendUsesTheShortestForm(t *testing.T) {
	for _, tc := range []struct {
		name string
		got  []byte
		want string
	}{
		{"nil", AppendNil(nil), "c0"},
		{"false", AppendBool(nil, false), "c2"},
		{"true", AppendBool(nil, true), "c3"},
		{"zero", AppendInt(nil, 0), "00"},
		{"largest positive fixint", AppendInt(nil, 127), "7f"},
		{"smallest uint8", AppendInt(nil, 128), "cc80"},
		{"largest uint8", AppendInt(nil, 255), "ccff"},
		{"smallest uint16", AppendInt(nil, 256), "cd0100"},
		{"largest uint16", AppendInt(nil, 65535), "cdffff"},
		{"smallest uint32", AppendInt(nil, 65536), "ce00010000"},
		{"largest uint32", AppendInt(nil, math.MaxUint32), "ceffffffff"},
		{"smallest uint64", AppendInt(nil, math.MaxUint32+1), "cf0000000100000000"},
		{"largest uint64", AppendUint(nil, math.MaxUint64), "cfffffffffffffffff"},
		{"minus one", AppendInt(nil, -1), "ff"},
		{"smallest negative fixint", AppendInt(nil, -32), "e0"},
		{"largest int8", AppendInt(nil, -33), "d0df"},
		{"smallest int8", AppendInt(nil, -128), "d080"},
		{"largest int16", AppendInt(nil, -129), "d1ff7f"},
		{"smallest int16", AppendInt(nil, -32768), "d18000"},
		{"largest int32", AppendInt(nil, -32769), "d2ffff7fff"},
		{"smallest int32", AppendInt(nil, math.MinInt32), "d280000000"},
		{"largest int64", AppendInt(nil, math.MinInt32-1), "d3ffffffff7fffffff"},
		{"smallest int64", AppendInt(nil, math.MinInt64), "d38000000000000000"},
		{"a float stays a float", AppendFloat(nil, 1), "cb3ff0000000000000"},
		{"a whole number becomes an int", AppendNumber(nil, 1), "01"},
		{"negative zero becomes 0", AppendNumber(nil, math.Copysign(0, -1)), "00"},
		{"two to the 53 is still an int", AppendNumber(nil, 1<<53), "cf0020000000000000"},
		{"above two to the 53 is a float", AppendNumber(nil, 1<<54), "cb4350000000000000"},
		{"a fraction is a float", AppendNumber(nil, 1.5), "cb3ff8000000000000"},
		{"infinity is a float", AppendNumber(nil, math.Inf(1)), "cb7ff0000000000000"},
		{"NaN is a float", AppendNumber(nil, math.NaN()), "cb7ff8000000000001"},
		{"empty string", AppendStr(nil, ""), "a0"},
		{"longest fixstr", AppendStr(nil, strings.Repeat("x", 31)), "bf" + strings.Repeat("78", 31)},
		{"shortest str8", AppendStr(nil, strings.Repeat("x", 32)), "d920" + strings.Repeat("78", 32)},
		{"shortest str16", AppendStr(nil, strings.Repeat("x", 256)), "da0100" + strings.Repeat("78", 256)},
		{"shortest str32", AppendStr(nil, strings.Repeat("x", 65536)), "db00010000" + strings.Repeat("78", 65536)},
		{"bin8", AppendBin(nil, []byte{1, 2, 3}), "c403010203"},
		{"bin16", AppendBin(nil, make([]byte, 256)), "c50100" + strings.Repeat("00", 256)},
		{"bin32", AppendBin(nil, make([]byte, 65536)), "c600010000" + strings.Repeat("00", 65536)},
		{"longest fixarray", AppendArray(nil, 15), "9f"},
		{"array16", AppendArray(nil, 16), "dc0010"},
		{"array32", AppendArray(nil, 65536), "dd00010000"},
		{"longest fixmap", AppendMap(nil, 15), "8f"},
		{"map16", AppendMap(nil, 16), "de0010"},
		{"map32", AppendMap(nil, 65536), "df00010000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := hex.EncodeToString(tc.got); got != tc.want {
				t.Errorf("got %.40s, want %.40s", got, tc.want)
			}
		})
	}
}

// What is appended reads back, and Next measures it.
func TestAppendReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.Int64().Draw(t, "int")
		f := rapid.Float64().Draw(t, "float")
		s := rapid.StringN(0, 300, -1).Draw(t, "string")
		bin := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bin")
		ok := rapid.Bool().Draw(t, "bool")

		b := AppendMap(nil, 2)
		b = AppendStr(b, "list")
		b = AppendArray(b, 4)
		b = AppendInt(b, i)
		b = AppendFloat(b, f)
		b = AppendBool(b, ok)
		b = AppendNil(b)
		b = AppendStr(b, s)
		b = AppendBin(b, bin)

		if err := Check(b); err != nil {
			t.Fatalf("Check: %v", err)
		}
		r := NewReader(b)
		if n := r.MapHeader(); n != 2 {
			t.Fatalf("MapHeader = %d", n)
		}
		if k := r.Str(); k != "list" {
			t.Fatalf("Str = %q", k)
		}
		if n := r.ArrayHeader(); n != 4 {
			t.Fatalf("ArrayHeader = %d", n)
		}
		if got := r.Int(); got != i {
			t.Fatalf("Int = %d, want %d", got, i)
		}
		if got := r.Float(); math.Float64bits(got) != math.Float64bits(f) {
			t.Fatalf("Float = %v, want %v", got, f)
		}
		if got := r.Bool(); got != ok {
			t.Fatalf("Bool = %v, want %v", got, ok)
		}
		if !r.Nil() {
			t.Fatal("Nil did not consume a nil")
		}
		if got := r.Str(); got != s {
			t.Fatalf("Str = %q, want %q", got, s)
		}
		if got := r.Bytes(); string(got) != string(bin) {
			t.Fatalf("Bytes = %x, want %x", got, bin)
		}
		if r.Err() != nil || r.More() {
			t.Fatalf("err %v, more %v", r.Err(), r.More())
		}
	})
}
