package topgun

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

type inner struct {
	City string `json:"city"`
	Zip  string `json:"zip,omitempty"`
}

type base struct {
	ID      int
	Created time.Time `json:"created,omitzero"`
}

type everything struct {
	base
	Name    string `json:"name"`
	Skipped string `json:"-"`
	private int
	Home    inner             `json:"home"`
	Work    *inner            `json:"work"`
	Scores  []float64         `json:"scores"`
	Labels  map[string]string `json:"labels"`
	Photo   []byte            `json:"photo"`
	Pair    [2]int8           `json:"pair"`
	Any     any               `json:"any"`
	Raw     Raw               `json:"raw"`
	Big     uint64            `json:"big"`
	Took    time.Duration     `json:"took"`
	Ratio   float32           `json:"ratio"`
}

func roundTrip[T any](t *testing.T, in T) T {
	t.Helper()
	var c codec
	raw, err := c.encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := c.decode("k", raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestADocumentComesBackAsItWas(t *testing.T) {
	in := everything{
		base: base{ID: -7, Created: time.Unix(1_700_000_000, 5).UTC()}, Name: "Ann",
		Home: inner{City: "Oslo"}, Work: &inner{City: "Rome", Zip: "1"}, Scores: []float64{1, 2.5, math.Inf(1)},
		Labels: map[string]string{"a": "b", "": "c"}, Photo: []byte{0, 255}, Pair: [2]int8{-128, 127},
		Any: map[string]any{"x": []any{int64(1), "y", nil, true}}, Raw: Raw{0x93, 1, 2, 3}, Big: math.MaxUint64,
		Took: time.Second, Ratio: 0.5, private: 0,
	}
	if out := roundTrip(t, in); !reflect.DeepEqual(in, out) {
		t.Errorf("in  %+v\nout %+v", in, out)
	}
	in.Skipped = "x"
	if out := roundTrip(t, in); out.Skipped != "" {
		t.Errorf("a field that is left out came along: %+v", out)
	}
}

func TestFieldsAreNamedAsInJSON(t *testing.T) {
	var c codec
	raw, err := c.encode(everything{base: base{ID: 1}, Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := raw.Any().(map[string]any)
	for _, name := range []string{"ID", "name", "home", "work", "scores", "labels"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s in %v", name, got)
		}
	}
	for _, name := range []string{"created", "private", "Skipped", "base", "zip"} {
		if _, ok := got[name]; ok {
			t.Errorf("%s in %v", name, got)
		}
	}
}

// shadow has a field that hides the one of what it embeds.
type shadow struct {
	base
	ID string
}

func TestTheOuterFieldCounts(t *testing.T) {
	if out := roundTrip(t, shadow{base: base{ID: 1}, ID: "x"}); out.ID != "x" || out.base.ID != 0 {
		t.Errorf("got %+v", out)
	}
}

func TestNumbersFitWhereTheyCanBeHeld(t *testing.T) {
	var c codec
	fits := func(in, out any) bool {
		raw, err := c.encode(in)
		if err != nil {
			t.Fatal(err)
		}
		return c.decode("", raw, out) == nil
	}
	var i8 int8
	var u uint
	var i int
	var f float64
	for name, tt := range map[string]struct{ got, want bool }{
		"float without fraction": {fits(3.0, &i) && i == 3, true},
		"fraction":               {fits(3.5, &i), false},
		"too large":              {fits(128, &i8), false},
		"negative":               {fits(-1, &u), false},
		"as float":               {fits(7, &f) && f == 7, true},
		"beyond int64":           {fits(uint64(math.MaxUint64), &i), false},
		"beyond int64, as float": {fits(uint64(1<<63), &f) && f == 1<<63, true},
		"float beyond int64":     {fits(math.Pow(2, 63), &i), false},
		"NaN":                    {fits(math.NaN(), &i), false},
		"text":                   {fits("1", &i), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: fits is %v", name, tt.got)
		}
	}
}

func TestWhatDoesNotFitIsNamedWithItsPlace(t *testing.T) {
	var c codec
	deep := any(1)
	for range 300 {
		deep = []any{deep}
	}
	for name, tt := range map[string]struct {
		in   any
		path string
	}{
		"function":  {map[string]any{"a": []any{1, func() {}}}, "a.1"},
		"map key":   {struct{ M map[int]int }{map[int]int{1: 1}}, "M"},
		"bad bytes": {map[string]any{"r": Raw{0xc1}}, "r"},
		"too deep":  {deep, strings.TrimSuffix(strings.Repeat("0.", 256), ".")},
	} {
		_, err := c.encode(tt.in)
		var bad *ValueError
		if !errors.As(err, &bad) || bad.Path != tt.path {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw, err := c.encode(map[string]any{"home": map[string]any{"city": 7}})
	if err != nil {
		t.Fatal(err)
	}
	var d everything
	var bad *ValueError
	if err := c.decode("k", raw, &d); !errors.As(err, &bad) || bad.Path != "home.city" || bad.Key != "k" || !errors.Is(err, errMismatch) {
		t.Errorf("got %v", err)
	}
}

func TestBytesOfBrowsersAreBytes(t *testing.T) {
	raw, err := value.FromAny(map[string]any{"1": 2, "0": 1})
	if err != nil {
		t.Fatal(err)
	}
	var c codec
	var out []byte
	if err := c.decode("", raw, &out); err != nil || string(out) != "\x01\x02" {
		t.Errorf("got %v, %v", out, err)
	}
}

// TestEncodingIsThatOfFromAny compares with the slow way for values that both
// know.
func TestEncodingIsThatOfFromAny(t *testing.T) {
	var c codec
	rapid.Check(t, func(t *rapid.T) {
		v := anything(t, 3)
		want, err := value.FromAny(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if !value.Equal(got, want) {
			t.Fatalf("%v is %x, want %x", v, got, want)
		}
		var back any
		if err := c.decode("", got, &back); err != nil {
			t.Fatal(err)
		}
		again, err := c.encode(back)
		if err != nil || !value.Equal(again, got) {
			t.Fatalf("%v came back as %v", v, back)
		}
	})
}

func anything(t *rapid.T, depth int) any {
	kinds := 6
	if depth > 0 {
		kinds = 8
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64().Draw(t, "int")
	case 3:
		return rapid.Float64().Draw(t, "float")
	case 4:
		return rapid.String().Draw(t, "string")
	case 5:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	case 6:
		out := make([]any, rapid.IntRange(0, 3).Draw(t, "n"))
		for i := range out {
			out[i] = anything(t, depth-1)
		}
		return out
	}
	out := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "n") {
		out[rapid.String().Draw(t, "key")] = anything(t, depth-1)
	}
	return out
}

// FuzzDecode shows that no bytes of a server stop a client.
func FuzzDecode(f *testing.F) {
	var c codec
	raw, err := c.encode(everything{Name: "x", Work: &inner{}, Any: []any{1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(raw))
	f.Add([]byte{0x81, 0xa4, 'p', 'a', 'i', 'r', 0x92, 1, 2})
	f.Fuzz(func(_ *testing.T, b []byte) {
		if value.Check(b) != nil {
			return
		}
		var d everything
		_ = c.decode("k", b, &d)
		var m map[string][]*int
		_ = c.decode("k", b, &m)
	})
}
