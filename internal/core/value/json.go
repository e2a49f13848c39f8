package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The forms in which JSON carries what it has no notation for: an object with
// one of these names and nothing else. An object of the user's that looks like
// one is written as pairs.
const (
	jsonBin   = "$bin"   // base64 of binary data
	jsonStr   = "$str"   // base64 of a string that is not UTF-8
	jsonFloat = "$float" // "NaN", "Infinity", "-Infinity"
	jsonExt   = "$ext"   // [type, base64]
	jsonMap   = "$map"   // [[key, value], ...]: keys that are no strings, or look like these
)

// ErrJSON matches every refusal of FromJSON.
var ErrJSON = errors.New("value: not a value in JSON")

// AppendJSON appends v, one complete value, as JSON that FromJSON reads back as
// an equal value: integers keep all digits and floats have a point or an
// exponent; docs/format/jsonlines.md lists the forms of what JSON lacks.
func AppendJSON(dst []byte, v Raw) []byte {
	switch r := NewReader(v); v.Kind() {
	case KindInvalid, KindNil:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, r.Bool())
	case KindInt:
		n, _ := r.number("int")
		if i, err := n.int64(); err == nil {
			return strconv.AppendInt(dst, i, 10)
		}
		return strconv.AppendUint(dst, n.bits, 10)
	case KindFloat:
		return appendJSONFloat(dst, r.Float())
	case KindStr:
		return appendJSONString(dst, r.StrBytes())
	case KindBin:
		return appendTagged(dst, jsonBin, r.Bytes())
	case KindExt:
		e := parseExt(v)
		dst = fmt.Appendf(dst, `{%q:[%d,"`, jsonExt, e.Type)
		return append(base64.StdEncoding.AppendEncode(dst, e.Data), `"]}`...)
	case KindArray:
		dst = append(dst, '[')
		for i := range r.ArrayHeader() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSON(dst, r.Raw())
		}
		return append(dst, ']')
	default:
		return appendJSONMap(dst, v)
	}
}

func appendTagged(dst []byte, name string, b []byte) []byte {
	dst = fmt.Appendf(dst, `{%q:"`, name)
	return append(base64.StdEncoding.AppendEncode(dst, b), `"}`...)
}

func appendJSONFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return fmt.Appendf(dst, `{%q:"NaN"}`, jsonFloat)
	case math.IsInf(f, 1):
		return fmt.Appendf(dst, `{%q:"Infinity"}`, jsonFloat)
	case math.IsInf(f, -1):
		return fmt.Appendf(dst, `{%q:"-Infinity"}`, jsonFloat)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	if !bytes.ContainsAny(dst[from:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

func appendJSONString(dst, s []byte) []byte {
	if !utf8.Valid(s) {
		return appendTagged(dst, jsonStr, s)
	}
	quoted, err := json.Marshal(view(s))
	if err != nil { // a valid string: cannot happen
		return appendTagged(dst, jsonStr, s)
	}
	return append(dst, quoted...)
}

// plain reports whether a map can be written as a JSON object that is read back
// as it is.
func plain(v Raw) bool {
	r := NewReader(v)
	n := r.MapHeader()
	seen := make(map[string]bool, n)
	for range n {
		if r.Kind() != KindStr {
			return false
		}
		k := r.StrBytes()
		if !utf8.Valid(k) || seen[string(k)] || n == 1 && len(k) > 0 && k[0] == '$' {
			return false
		}
		seen[string(k)] = true
		r.Skip()
	}
	return true
}

func appendJSONMap(dst []byte, v Raw) []byte {
	open, mid, end, closing := "", ":", "", "}"
	if plain(v) {
		dst = append(dst, '{')
	} else {
		dst = fmt.Appendf(dst, `{%q:[`, jsonMap)
		open, mid, end, closing = "[", ",", "]", "]}"
	}
	r := NewReader(v)
	for i := range r.MapHeader() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, open...)
		dst = AppendJSON(dst, r.Raw())
		dst = append(dst, mid...)
		dst = AppendJSON(dst, r.Raw())
		dst = append(dst, end...)
	}
	return append(dst, closing...)
}

// FromJSON appends the value that one JSON text stands for to dst. Anything else
// than one value nested at most MaxDepth deep matches ErrJSON. The names of an
// object keep their order.
func FromJSON(dst []byte, text []byte) ([]byte, error) {
	p := jsonParser{d: json.NewDecoder(bytes.NewReader(text))}
	p.d.UseNumber()
	out, err := p.value(dst, 0)
	if err == nil {
		err = Check(out[len(dst):])
	}
	if err == nil {
		if _, end := p.d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrJSON, err)
	}
	return out, nil
}

type jsonParser struct{ d *json.Decoder }

// jsonDepth bounds the recursion. A map as pairs takes three levels of JSON, a
// special form at the end two; whether the value itself is too deep is checked
// when it is there.
const jsonDepth = 3*MaxDepth + 2

func (p *jsonParser) value(dst []byte, depth int) ([]byte, error) {
	t, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case nil:
		return AppendNil(dst), nil
	case bool:
		return AppendBool(dst, t), nil
	case string:
		return AppendStr(dst, t), nil
	case json.Number:
		return appendJSONNumber(dst, t.String())
	case json.Delim:
		if depth == jsonDepth {
			return nil, ErrDepth
		}
		if t == '[' {
			return p.array(dst, depth+1)
		}
		return p.object(dst, depth+1)
	}
	return nil, fmt.Errorf("unexpected %v", t)
}

func appendJSONNumber(dst []byte, s string) ([]byte, error) {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return AppendInt(dst, n), nil
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return AppendUint(dst, n), nil
		}
		return nil, fmt.Errorf("%s does not fit into 64 bits", s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("%s is too large for a number", s)
	}
	return AppendFloat(dst, f), nil
}

func (p *jsonParser) array(dst []byte, depth int) ([]byte, error) {
	var elements []byte
	n := 0
	for ; p.d.More(); n++ {
		var err error
		if elements, err = p.value(elements, depth); err != nil {
			return nil, err
		}
	}
	if _, err := p.d.Token(); err != nil {
		return nil, err
	}
	return append(AppendArray(dst, n), elements...), nil
}

func (p *jsonParser) object(dst []byte, depth int) ([]byte, error) {
	var entries []byte
	n, only := 0, ""
	from := 0 // of the first entry's value
	for ; p.d.More(); n++ {
		t, err := p.d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("unexpected %v where a name should be", t)
		}
		entries = AppendStr(entries, name)
		if n == 0 {
			only, from = name, len(entries)
		}
		if entries, err = p.value(entries, depth); err != nil {
			return nil, err
		}
	}
	if _, err := p.d.Token(); err != nil {
		return nil, err
	}
	if n == 1 && strings.HasPrefix(only, "$") {
		return untag(dst, only, entries[from:])
	}
	return append(AppendMap(dst, n), entries...), nil
}

// untag turns the special form name with its argument into a value.
func untag(dst []byte, name string, arg Raw) ([]byte, error) {
	bad := fmt.Errorf("%s is not followed by what it needs", name)
	r := NewReader(arg)
	switch name {
	case jsonBin, jsonStr:
		b, err := base64.StdEncoding.DecodeString(r.Str())
		if err != nil || r.Err() != nil {
			return nil, bad
		}
		if name == jsonBin {
			return AppendBin(dst, b), nil
		}
		return AppendStr(dst, string(b)), nil
	case jsonFloat:
		f, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[r.Str()]
		if !ok {
			return nil, bad
		}
		return AppendFloat(dst, f), nil
	case jsonExt:
		n := r.ArrayHeader()
		typ := r.Int()
		b, err := base64.StdEncoding.DecodeString(r.Str())
		if err != nil || r.Err() != nil || n != 2 || int64(int8(typ)) != typ {
			return nil, bad
		}
		return AppendExt(dst, int8(typ), b), nil
	case jsonMap:
		return untagMap(dst, arg, bad)
	}
	return nil, fmt.Errorf("%s is no form that is known", name)
}

func untagMap(dst []byte, arg Raw, bad error) ([]byte, error) {
	if arg.Kind() != KindArray {
		return nil, bad
	}
	r := NewReader(arg)
	n := r.ArrayHeader()
	dst = AppendMap(dst, n)
	for range n {
		if r.Kind() != KindArray || r.ArrayHeader() != 2 {
			return nil, bad
		}
		dst = append(dst, r.Raw()...)
		dst = append(dst, r.Raw()...)
	}
	if r.Err() != nil {
		return nil, bad
	}
	return dst, nil
}
