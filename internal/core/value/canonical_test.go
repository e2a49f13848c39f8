package value_test

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

func TestCanonical(t *testing.T) {
	type m = map[string]any
	for _, tc := range []struct {
		name string
		in   any
		want string
	}{
		{"nil", nil, "null"},
		{"true", true, "true"},
		{"a string as it is", "é\"\n😀", "é\"\n😀"},
		{"negative zero", math.Copysign(0, -1), "0"},
		{"a float that is whole", 5.0, "5"},
		{"two to the 53 plus one is rounded as JavaScript does", 1<<53 + 1, "9007199254740992"},
		{"the largest uint64", uint64(math.MaxUint64), "18446744073709552000"},
		{"1e21", 1e21, "1e+21"},
		{"just below 1e21", 999999999999999900000.0, "999999999999999900000"},
		{"1e-6", 1e-6, "0.000001"},
		{"1e-7", 1e-7, "1e-7"},
		{"1.5e-10", -1.5e-10, "-1.5e-10"},
		{"the smallest float", 5e-324, "5e-324"},
		{"NaN", math.NaN(), "NaN"},
		{"infinity", math.Inf(-1), "-Infinity"},
		{"NaN inside", []any{math.NaN(), math.Inf(1), math.Inf(-1)}, "[null,null,null]"},
		{"negative zero inside", []any{math.Copysign(0, -1)}, "[0]"},
		{"sorted keys", m{"b": 2, "a": 1}, `{"a":1,"b":2}`},
		{"nested keys are those of the top", m{"a": 1, "b": m{"y": 1, "a": 2}}, `{"a":1,"b":{"a":2}}`},
		{"no shared key", m{"outer": m{"inner": 1}}, `{"outer":{}}`},
		{"objects in an array", []any{m{"a": 1}, m{"b": 2}}, `[{},{}]`},
		{"objects in an array with indexes for names", []any{m{"1": 1, "2": 2}, m{"0": m{"1": "x"}}}, `[{"1":1},{"0":{"1":"x"}}]`},
		{"an array in an object prints all", m{"a": []any{1, "two", nil, []any{}}}, `{"a":[1,"two",null,[]]}`},
		{"keys sort by UTF-16 units", m{"～": 1, "😀": 2, "z": 3}, `{"z":3,"😀":2,"～":1}`},
		{"keys that look like integers sort as text", m{"9": 2, "10": 1, "b": 3}, `{"10":1,"9":2,"b":3}`},
		{"escapes", m{"s": "\x00\x1f\b\t\n\f\r\x7f\\/\"<>&\u2028"}, `{"s":"\u0000\u001f\b\t\n\f\r` + "\x7f" + `\\/\"<>&` + "\u2028\"}"},
		{"an escaped key", m{"a\"\n": 1}, `{"a\"\n":1}`},
		{"empty object", m{}, "{}"},
		{"empty array", []any{}, "[]"},
		{"a binary is a typed array", []byte{7, 8}, `{"0":7,"1":8}`},
		{"a binary inside keeps admitted indexes", m{"1": []byte{7, 8}}, `{"1":{"1":8}}`},
		{"an extension is an empty object", value.Ext{Type: -1, Data: []byte{1, 2, 3, 4}}, "{}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := string(value.AppendCanonical([]byte("V="), raw(t, tc.in)))
			if got != "V="+tc.want {
				t.Errorf("got %s, want V=%s", got, tc.want)
			}
		})
	}
}

func TestCanonicalOfALongBinarySortsIndexesAsText(t *testing.T) {
	for _, n := range []int{0, 1, 2, 9, 10, 11, 99, 100, 101, 1000, 1234} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		if got, want := string(value.AppendCanonical(nil, raw(t, b))), oracleCanonical(b); got != want {
			t.Errorf("%d bytes: got %.80s, want %.80s", n, got, want)
		}
	}
}

func TestCanonicalTakesTheLastOfEqualKeys(t *testing.T) {
	doc := unhex(t, "84a16201a16102a16103a16104") // b:1 a:2 a:3 a:4
	if got := string(value.AppendCanonical(nil, doc)); got != `{"a":4,"b":1}` {
		t.Errorf("got %s", got)
	}
}

func TestCanonicalOfNoValueIsNull(t *testing.T) {
	for _, b := range [][]byte{nil, {0xc1}, {0x91}, {0xa2, 'a'}, {0x81, 0xa1, 'a', 0xc1}, nested(300)} {
		if got := string(value.AppendCanonical(nil, b)); got != "null" {
			t.Errorf("%.10x: got %s", b, got)
		}
	}
}

func TestCanonicalAgreesWithItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := valuetest.Any(4).Draw(t, "value")
		b := valuetest.Encode(t, v)
		if got, want := string(value.AppendCanonical(nil, b)), oracleCanonical(v); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestCanonicalNumbersAgreeWithTheirTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		got := string(value.AppendCanonical(nil, value.AppendFloat(nil, f)))
		if want := oracleText(f); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || (back != f && f == f) {
			t.Fatalf("%s reads back as %v, %v", got, back, err)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	for name, v := range map[string]value.Raw{"string": value.AppendStr(nil, "red"), "document": document()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				dst = value.AppendCanonical(dst[:0], v)
			}
		})
	}
}
