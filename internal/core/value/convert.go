package value

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// UnsupportedError says that a Go value has no encoding.
type UnsupportedError struct {
	Type reflect.Type
}

// Error names the type.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("value: a Go value of type %v has no encoding", e.Type)
}

// FromAny encodes a Go value: nil, booleans, integers, floats, strings, []byte,
// Ext, Raw, and pointers to, slices of, arrays of and maps with string keys to
// such. Map entries are written in the order of their keys. Floats stay floats.
//
// It returns an *UnsupportedError for other types, ErrDepth for a value nested
// deeper than MaxDepth, and an error of Check for a Raw that is not a value.
func FromAny(v any) (Raw, error) {
	b, err := appendAny(nil, v, 0)
	if err == nil {
		err = Check(b)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

func appendAny(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return AppendNil(dst), nil
	case Raw:
		if len(v) == 0 {
			return AppendNil(dst), nil
		}
		return append(dst, v...), Check(v) // before it can swallow what follows
	case Ext:
		return AppendExt(dst, v.Type, v.Data), nil
	case []byte:
		return AppendBin(dst, v), nil
	}
	return appendReflect(dst, reflect.ValueOf(v), depth)
}

func appendReflect(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case reflect.Bool:
		return AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return AppendInt(dst, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return AppendUint(dst, v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return AppendFloat(dst, v.Float()), nil
	case reflect.String:
		return AppendStr(dst, v.String()), nil
	}
	if depth == MaxDepth {
		return nil, ErrDepth
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return AppendNil(dst), nil
		}
		return appendAny(dst, v.Elem().Interface(), depth+1)
	case reflect.Slice, reflect.Array:
		return appendSlice(dst, v, depth+1)
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			return appendGoMap(dst, v, depth+1)
		}
	}
	return nil, &UnsupportedError{Type: v.Type()}
}

func appendSlice(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	dst = AppendArray(dst, v.Len())
	for i := range v.Len() {
		var err error
		if dst, err = appendAny(dst, v.Index(i).Interface(), depth); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendGoMap(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return compareUTF16(a.String(), b.String()) })
	dst = AppendMap(dst, len(keys))
	for _, k := range keys {
		var err error
		if dst, err = appendAny(AppendStr(dst, k.String()), v.MapIndex(k).Interface(), depth); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// Any returns the value as Go values that share nothing with v: nil, bool,
// int64, uint64 (only above the range of int64), float64, string, []byte,
// []any, map[string]any and Ext. A missing or malformed value is nil.
func (v Raw) Any() any {
	if Check(v) != nil {
		return nil
	}
	r := NewReader(v)
	return r.any()
}

// any relies on the input having passed Check, which bounds its recursion.
func (r *Reader) any() any {
	switch r.Kind() {
	case KindBool:
		return r.Bool()
	case KindInt, KindFloat:
		n, size := r.number("number")
		r.pos += size
		switch n.form {
		case formInt:
			return int64(n.bits)
		case formBig:
			return n.bits
		}
		return n.float64()
	case KindStr:
		return string(r.StrBytes())
	case KindBin:
		return append([]byte{}, r.Bytes()...)
	case KindArray:
		out := make([]any, r.ArrayHeader())
		for i := range out {
			out[i] = r.any()
		}
		return out
	case KindMap:
		return r.anyMap()
	case KindExt:
		e := parseExt(r.Raw())
		return Ext{Type: e.Type, Data: append([]byte{}, e.Data...)}
	}
	r.Skip()
	return nil
}

func (r *Reader) anyMap() map[string]any {
	n := r.MapHeader()
	out := make(map[string]any, n)
	for range n {
		name, named := r.key()
		if !named {
			r.Skip()
			continue
		}
		out[strings.Clone(name)] = r.any()
	}
	return out
}
