package value_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

// TestJSONKeepsValues writes random values as JSON and reads them back: every
// kind, binary data, keys that are no strings, names that look like the special
// forms.
func TestJSONKeepsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := valuetest.Encode(t, valuetest.Any(3).Draw(t, "value"))
		text := value.AppendJSON(nil, v)
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		back, err := value.FromJSON(nil, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again := value.AppendJSON(nil, back); string(again) != string(text) {
			t.Fatalf("%s is read as %s", text, again)
		}
		if want, got := value.AppendNormal(nil, v), value.AppendNormal(nil, back); string(want) != string(got) {
			t.Fatalf("%s: %x is read as %x", text, want, got)
		}
	})
}

func TestJSONForms(t *testing.T) {
	str := func(s string) []byte { return value.AppendStr(nil, s) }
	dollar := append(value.AppendMap(nil, 1), append(str("$bin"), str("x")...)...)
	numbered := append(value.AppendMap(nil, 1), append(value.AppendInt(nil, 1), str("x")...)...)
	for want, v := range map[string][]byte{
		`18446744073709551615`:    value.AppendUint(nil, math.MaxUint64),
		`1`:                       value.AppendInt(nil, 1),
		`1.0`:                     value.AppendFloat(nil, 1),
		`-0.0`:                    value.AppendFloat(nil, math.Copysign(0, -1)),
		`1e+300`:                  value.AppendFloat(nil, 1e300),
		`{"$float":"NaN"}`:        value.AppendFloat(nil, math.NaN()),
		`{"$bin":"AQI="}`:         value.AppendBin(nil, []byte{1, 2}),
		`{"$ext":[-1,"AQ=="]}`:    value.AppendExt(nil, -1, []byte{1}),
		`{"$str":"/w=="}`:         str("\xff"),
		`{"$map":[["$bin","x"]]}`: dollar,
		`{"$map":[[1,"x"]]}`:      numbered,
		`"\u003cü\n"`:             str("<ü\n"),
	} {
		if got := string(value.AppendJSON(nil, v)); got != want {
			t.Errorf("%x is written as %s, want %s", v, got, want)
		}
		if back, err := value.FromJSON(nil, []byte(want)); err != nil || string(back) != string(v) {
			t.Errorf("%s is read as %x, %v; want %x", want, back, err, v)
		}
	}
}

// TestJSONIsAsDeepAsTheValue nests values as deep as they may be, in forms that
// take more levels of JSON than of the value.
func TestJSONIsAsDeepAsTheValue(t *testing.T) {
	open := func(n int) []byte { return value.AppendInt(value.AppendMap(nil, 1), int64(n)) }
	for name, leaf := range map[string][]byte{
		"nothing special": value.AppendInt(nil, 1),
		"an extension":    value.AppendExt(nil, 5, []byte{1}),
	} {
		v := []byte(nil)
		for n := range value.MaxDepth {
			v = append(v, open(n)...)
		}
		v = append(v, leaf...)
		if back, err := value.FromJSON(nil, value.AppendJSON(nil, v)); err != nil || string(back) != string(v) {
			t.Errorf("%s in %d maps is read back as %d bytes of %d: %v", name, value.MaxDepth, len(back), len(v), err)
		}
		if _, err := value.FromJSON(nil, value.AppendJSON(nil, append(open(0), v...))); !errors.Is(err, value.ErrJSON) {
			t.Errorf("%s in more maps than may be: %v", name, err)
		}
	}
}

func TestJSONThatIsRefused(t *testing.T) {
	for _, text := range []string{
		``, `{`, `1 2`, `nope`, `1e999`, `99999999999999999999`, `{"$bin":1}`, `{"$bin":"?"}`, `{"$new":1}`, `{"$float":"1"}`,
		`{"$ext":[300,""]}`, `{"$ext":[1]}`, `{"$map":{}}`, `{"$map":[[1]]}`,
		strings.Repeat("[", value.MaxDepth+1) + strings.Repeat("]", value.MaxDepth+1),
	} {
		if v, err := value.FromJSON(nil, []byte(text)); !errors.Is(err, value.ErrJSON) {
			t.Errorf("%.40s is read as %x, %v", text, v, err)
		}
	}
}
