package topgun

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// decode sets what out points at to the value of a key. What is decoded shares
// nothing with raw. The error is a *ValueError.
func (c *codec) decode(key string, raw value.Raw, out any) error {
	switch out := out.(type) {
	case *Raw:
		*out = Raw(bytes.Clone(raw))
		return nil
	case *any:
		*out = raw.Any()
		return nil
	}
	d := decoder{codec: c}
	if err := d.decode(raw, reflect.ValueOf(out).Elem()); err != nil {
		return &ValueError{Key: key, Path: strings.Join(d.path, "."), Err: err}
	}
	return nil
}

// decoder is one decoding under way. Its recursion is bounded by the depth of
// the value, which was checked when it came in.
type decoder struct {
	codec *codec
	path  []string // to where it failed
}

func (d *decoder) decode(raw value.Raw, v reflect.Value) error {
	t := v.Type()
	kind := raw.Kind()
	switch {
	case t == rawType || t == valueRawType:
		v.SetBytes(bytes.Clone(raw))
		return nil
	case kind == value.KindNil || kind == value.KindInvalid:
		v.SetZero()
		return nil
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		return d.decode(raw, v.Elem())
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		v.Set(reflect.ValueOf(raw.Any()))
		return nil
	case kind == value.KindStr && reflect.PointerTo(t).Implements(unmarshalerType):
		return decodeText(raw, v)
	}
	switch kind {
	case value.KindArray:
		return d.decodeArray(raw, v)
	case value.KindMap:
		return d.decodeMap(raw, v)
	}
	return decodeScalar(raw, v)
}

func decodeText(raw value.Raw, v reflect.Value) error {
	u, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	s, isText := raw.Any().(string)
	if !ok || !isText {
		return mismatch(raw, v)
	}
	return u.UnmarshalText([]byte(s))
}

func mismatch(raw value.Raw, v reflect.Value) error {
	return fmt.Errorf("%w: %v is not a %v", errMismatch, raw.Kind(), v.Type())
}

// decodeScalar sets v to a boolean, number, string or binary. A number fits
// every numeric type that can hold it exactly, and every float.
func decodeScalar(raw value.Raw, v reflect.Value) error {
	switch x := raw.Any().(type) {
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return nil
		}
	case []byte:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(x)
			return nil
		}
	case int64:
		return decodeInt(raw, x, v)
	case uint64: // beyond int64
		switch {
		case v.CanUint() && !v.OverflowUint(x):
			v.SetUint(x)
			return nil
		case v.CanFloat():
			v.SetFloat(float64(x))
			return nil
		}
	case float64:
		if v.CanFloat() {
			v.SetFloat(x)
			return nil
		}
		if n := int64(x); float64(n) == x && x > -(1<<63) && x < 1<<63 {
			return decodeInt(raw, n, v)
		}
	}
	return mismatch(raw, v)
}

func decodeInt(raw value.Raw, x int64, v reflect.Value) error {
	switch {
	case v.CanInt() && !v.OverflowInt(x):
		v.SetInt(x)
	case v.CanUint() && x >= 0 && !v.OverflowUint(uint64(x)):
		v.SetUint(uint64(x))
	case v.CanFloat():
		v.SetFloat(float64(x))
	default:
		return mismatch(raw, v)
	}
	return nil
}

func (d *decoder) child(name string, raw value.Raw, v reflect.Value) error {
	err := d.decode(raw, v)
	if err != nil {
		d.path = append([]string{name}, d.path...)
	}
	return err
}

func (d *decoder) decodeArray(raw value.Raw, v reflect.Value) error {
	var n int
	for range value.Elements(raw) {
		n++
	}
	switch {
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	case v.Kind() == reflect.Array && v.Len() == n:
	default:
		return mismatch(raw, v)
	}
	i := 0
	for e := range value.Elements(raw) {
		if err := d.child(strconv.Itoa(i), e, v.Index(i)); err != nil {
			return err
		}
		i++
	}
	return nil
}

func (d *decoder) decodeMap(raw value.Raw, v reflect.Value) error {
	switch {
	case v.Kind() == reflect.Struct:
		return d.decodeStruct(raw, v)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return decodeIndexed(raw, v)
	default:
		return mismatch(raw, v)
	}
	out := reflect.MakeMap(v.Type())
	for name, f := range value.Fields(raw) {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.child(name, f, e); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(strings.Clone(name)).Convert(v.Type().Key()), e)
	}
	v.Set(out)
	return nil
}

// decodeIndexed reads bytes in the form that browsers give them: a map from
// index to byte.
func decodeIndexed(raw value.Raw, v reflect.Value) error {
	r := value.NewReader(raw)
	b := r.Bytes()
	if r.Err() != nil {
		return mismatch(raw, v)
	}
	v.SetBytes(bytes.Clone(b))
	return nil
}

func (d *decoder) decodeStruct(raw value.Raw, v reflect.Value) error {
	fields := d.codec.fields(v.Type())
	v.SetZero()
	for name, f := range value.Fields(raw) {
		for i := range fields {
			if fields[i].name != name {
				continue
			}
			if err := d.child(name, f, v.FieldByIndex(fields[i].index)); err != nil {
				return err
			}
		}
	}
	return nil
}
