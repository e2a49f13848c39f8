package value_test

import (
	"errors"
	"math"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

func TestReaderInt(t *testing.T) {
	for _, tc := range []struct {
		name, hex string
		want      int64
		err       error
	}{
		{"positive fixint", "07", 7, nil},
		{"negative fixint", "e0", -32, nil},
		{"uint64", "cf0000019c7cb6d07b", 1771618881659, nil},
		{"int64", "d3ffffffffffffff85", -123, nil},
		{"whole float64", "cb4279c7cb6d07b000", 1771618881659, nil},
		{"whole float32", "ca40000000", 2, nil},
		{"two to the 53 as a float", "cb4340000000000000", 1 << 53, nil},
		{"a larger float", "cb4340000000000001", 0, value.ErrRange},
		{"infinity", "cb7ff0000000000000", 0, value.ErrRange},
		{"a fraction", "cb3ff8000000000000", 0, value.ErrKind},
		{"NaN", "cb7ff8000000000000", 0, value.ErrKind},
		{"uint64 above int64", "cf8000000000000000", 0, value.ErrRange},
		{"a string", "a131", 0, value.ErrKind},
		{"cut short", "cd00", 0, value.ErrShort},
		{"nothing", "", 0, value.ErrShort},
		{"no value", "c1", 0, value.ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := value.NewReader(unhex(t, tc.hex))
			if got := r.Int(); got != tc.want || !errors.Is(r.Err(), tc.err) {
				t.Errorf("Int = %d, %v; want %d, %v", got, r.Err(), tc.want, tc.err)
			}
		})
	}
}

func TestReaderFloatTakesAnyNumber(t *testing.T) {
	for s, want := range map[string]float64{
		"07": 7, "ff": -1, "ca3fc00000": 1.5, "cb3ff8000000000000": 1.5,
		"cfffffffffffffffff": math.MaxUint64, "d38000000000000000": math.MinInt64,
	} {
		r := value.NewReader(unhex(t, s))
		if got := r.Float(); got != want || r.Err() != nil || r.More() {
			t.Errorf("%s: Float = %v, %v", s, got, r.Err())
		}
	}
}

func TestReaderBytes(t *testing.T) {
	for _, tc := range []struct {
		name, hex, want string
		err             error
	}{
		{"binary", "c403010203", "\x01\x02\x03", nil},
		{"string", "a26869", "hi", nil},
		{"index map", "de0003a13001a13102a132ccff", "\x01\x02\xff", nil},
		{"index map in another order", "83a1320aa13001a131cb4000000000000000", "\x01\x02\x0a", nil},
		{"empty index map", "de0000", "", nil},
		{"index twice", "82a13001a13001", "", value.ErrRange},
		{"index out of range", "81a13101", "", value.ErrRange},
		{"index with a leading zero", "82a2303001a13101", "", value.ErrRange},
		{"index of many digits", "81ab313131313131313131313101", "", value.ErrRange},
		{"byte above 255", "81a130cd0100", "", value.ErrRange},
		{"byte below 0", "81a130ff", "", value.ErrRange},
		{"byte with a fraction", "81a130cb3ff8000000000000", "", value.ErrKind},
		{"map of something else", "81a161a162", "", value.ErrKind},
		{"number", "07", "", value.ErrKind},
		{"declared but absent", "c6ffffffff", "", value.ErrShort},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := value.NewReader(unhex(t, tc.hex))
			if got := r.Bytes(); string(got) != tc.want || !errors.Is(r.Err(), tc.err) {
				t.Errorf("Bytes = %q, %v; want %q, %v", got, r.Err(), tc.want, tc.err)
			}
		})
	}
}

func TestReaderKeepsItsFirstFailure(t *testing.T) {
	r := value.NewReader(unhex(t, "92a1610203"))
	r.ArrayHeader()
	r.Int()
	var e *value.ReadError
	if !errors.As(r.Err(), &e) || e.Offset != 1 || e.Want != "int" || e.Got != value.KindStr || !errors.Is(e, value.ErrKind) {
		t.Fatalf("got %+v", r.Err())
	}
	if s := r.Str(); s != "" || !errors.Is(r.Err(), e) {
		t.Errorf("went on to %q, %v", s, r.Err())
	}
	r.Fail(errors.New("another"))
	if !errors.Is(r.Err(), e) {
		t.Errorf("Fail replaced the first failure by %v", r.Err())
	}
	if r.Kind() != value.KindInvalid || r.Nil() || r.Raw() != nil || r.MapHeader() != 0 || r.Bool() || r.Bytes() != nil {
		t.Error("a failed reader still reads")
	}
}

// A caller may allocate by what a header returns.
func TestReaderChecksCountsAgainstTheBytesThatRemain(t *testing.T) {
	for _, s := range []string{"82a16101", "de0002c0c0c0", "df00000001c0", "df80000001c0c0"} {
		r := value.NewReader(unhex(t, s))
		if n := r.MapHeader(); n != 0 || !errors.Is(r.Err(), value.ErrShort) {
			t.Errorf("%s: MapHeader = %d, %v", s, n, r.Err())
		}
	}
	for _, s := range []string{"92c0", "dc0002c0", "dd00000001"} {
		r := value.NewReader(unhex(t, s))
		if n := r.ArrayHeader(); n != 0 || !errors.Is(r.Err(), value.ErrShort) {
			t.Errorf("%s: ArrayHeader = %d, %v", s, n, r.Err())
		}
	}
	r := value.NewReader(unhex(t, "82c0c0c0c0"))
	if n := r.MapHeader(); n != 2 || r.Err() != nil {
		t.Errorf("exactly enough: MapHeader = %d, %v", n, r.Err())
	}
}

func TestReaderFailIsAFailure(t *testing.T) {
	mine := errors.New("mine")
	r := value.NewReader(unhex(t, "01"))
	r.Fail(mine)
	if r.Int() != 0 || !errors.Is(r.Err(), mine) {
		t.Errorf("got %v", r.Err())
	}
}

func TestReaderNilConsumesOnlyNil(t *testing.T) {
	r := value.NewReader(unhex(t, "c001"))
	if !r.Nil() || r.Nil() || r.Int() != 1 || r.Err() != nil || r.Nil() {
		t.Errorf("err %v", r.Err())
	}
}

func TestReaderReturnsViewsThatCannotGrowIntoTheInput(t *testing.T) {
	b := unhex(t, "a161c4016101")
	r := value.NewReader(b)
	for _, v := range [][]byte{r.StrBytes(), r.Bytes(), r.Raw()} {
		if cap(v) != len(v) {
			t.Errorf("%x has room for %d bytes of the input", v, cap(v)-len(v))
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	doc := document()
	n := testing.AllocsPerRun(100, func() {
		r := value.NewReader(doc)
		for range r.MapHeader() {
			switch r.Str() {
			case "name":
				_ = r.Str()
			case "age":
				r.Int()
			default:
				r.Skip()
			}
		}
		if r.Err() != nil || r.More() {
			t.Fatal(r.Err())
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
