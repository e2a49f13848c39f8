package vectors_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"unicode/utf16"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

type codecFile struct {
	About  string `json:"about"`
	Writes []struct {
		Name    string          `json:"name"`
		Value   json.RawMessage `json:"value"`
		MsgPack []byte          `json:"msgpack"`
		Text    string          `json:"text"`
	} `json:"writes"`
	Reads []struct {
		Name    string          `json:"name"`
		MsgPack []byte          `json:"msgpack"`
		Value   json.RawMessage `json:"value"`
		Same    []byte          `json:"same"`
	} `json:"reads"`
	Refused []struct {
		Name    string `json:"name"`
		MsgPack []byte `json:"msgpack"`
		Error   string `json:"error"`
	} `json:"refused"`
}

var codecErrors = map[string]error{
	"SHORT": value.ErrShort, "FORMAT": value.ErrFormat, "DEPTH": value.ErrDepth, "TRAILING": value.ErrTrailing,
}

func TestCodecVectors(t *testing.T) {
	check(t, "codec.json", func(f *codecFile) {
		for i := range f.Writes {
			c := &f.Writes[i]
			c.MsgPack = rawOf(t, c.Value)
			c.Text = string(value.AppendCanonical(nil, c.MsgPack))
		}
		for i := range f.Reads {
			c := &f.Reads[i]
			if err := value.Check(c.MsgPack); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			c.Value = jsonOf(t, c.MsgPack)
			c.Same = rawOf(t, c.Value)
			if !value.Equal(c.MsgPack, c.Same) {
				t.Errorf("%s: %x and %x are not equal", c.Name, c.MsgPack, c.Same)
			}
		}
		for i := range f.Refused {
			c := &f.Refused[i]
			err := value.Check(c.MsgPack)
			for name, is := range codecErrors {
				if errors.Is(err, is) {
					c.Error = name
				}
			}
			if err == nil {
				t.Errorf("%s: a value", c.Name)
			}
		}
	})
}

// appendSpecial encodes an object that stands for a value that JSON does not have; ok
// is false for any other object.
func appendSpecial(t *testing.T, dst []byte, text json.RawMessage) (out []byte, ok bool) {
	t.Helper()
	var v struct {
		Int   *string `json:"$int"`
		Float *string `json:"$float"`
		Ext   *int8   `json:"$ext"`
		Bytes *[]byte `json:"$bytes"`
	}
	if json.Unmarshal(text, &v) != nil {
		return dst, false
	}
	switch {
	case v.Int != nil:
		if n, err := strconv.ParseInt(*v.Int, 10, 64); err == nil {
			return value.AppendInt(dst, n), true
		}
		n, err := strconv.ParseUint(*v.Int, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return value.AppendUint(dst, n), true
	case v.Float != nil:
		n, err := strconv.ParseFloat(*v.Float, 64)
		if err != nil {
			t.Fatal(err)
		}
		return value.AppendNumber(dst, n), true
	case v.Ext != nil:
		return value.AppendExt(dst, *v.Ext, *v.Bytes), true
	case v.Bytes != nil:
		return value.AppendBin(dst, *v.Bytes), true
	}
	return dst, false
}

// jsonOf writes a value as the vectors have it, fields sorted.
func jsonOf(t *testing.T, v value.Raw) json.RawMessage {
	t.Helper()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain(v.Any())); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// plain makes of a value what JSON can hold.
func plain(v any) any {
	switch v := v.(type) {
	case int64:
		if v < -1<<53 || v > 1<<53 {
			return map[string]string{"$int": strconv.FormatInt(v, 10)}
		}
	case uint64:
		return map[string]string{"$int": strconv.FormatUint(v, 10)}
	case float64:
		switch {
		case math.IsNaN(v):
			return map[string]string{"$float": "NaN"}
		case math.IsInf(v, 1):
			return map[string]string{"$float": "Infinity"}
		case math.IsInf(v, -1):
			return map[string]string{"$float": "-Infinity"}
		case v == 0:
			return 0 // also -0
		}
	case []byte:
		return map[string]string{"$bytes": base64.StdEncoding.EncodeToString(v)}
	case value.Ext:
		return struct {
			Ext   int8   `json:"$ext"`
			Bytes []byte `json:"$bytes"`
		}{v.Type, v.Data}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		return sortedFields(v)
	}
	return v
}

// fields are those of a map in the order in which JavaScript sorts them.
type fields []struct {
	name string
	v    any
}

func sortedFields(m map[string]any) fields {
	var out fields
	for name, v := range m {
		out = append(out, struct {
			name string
			v    any
		}{name, plain(v)})
	}
	slices.SortFunc(out, func(a, b struct {
		name string
		v    any
	},
	) int {
		return slices.Compare(utf16.Encode([]rune(a.name)), utf16.Encode([]rune(b.name)))
	})
	return out
}

func (f fields) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	text.WriteByte('{')
	for i, e := range f {
		if i > 0 {
			text.WriteByte(',')
		}
		if err := enc.Encode(e.name); err != nil {
			return nil, err
		}
		text.WriteByte(':')
		if err := enc.Encode(e.v); err != nil {
			return nil, err
		}
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}
