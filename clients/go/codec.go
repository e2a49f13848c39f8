package topgun

import (
	"encoding"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Raw is exactly one MessagePack value, for who wants the bytes.
type Raw []byte

// Any returns the value as Go values that share nothing with the bytes: nil,
// bool, int64, uint64 (only above the range of int64), float64, string, []byte,
// []any and map[string]any. Bytes that are no value are nil.
func (r Raw) Any() any { return value.Raw(r).Any() }

// codec translates between Go values and MessagePack. Its zero value is ready.
type codec struct {
	structs sync.Map // reflect.Type to []structField
}

// structField is a field of a struct as it is encoded.
type structField struct {
	name      string
	index     []int
	omitEmpty bool
	omitZero  bool
}

var (
	rawType         = reflect.TypeFor[Raw]()
	valueRawType    = reflect.TypeFor[value.Raw]()
	extType         = reflect.TypeFor[value.Ext]()
	marshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// encode returns the encoding of v. The error is a *ValueError.
func (c *codec) encode(v any) (value.Raw, error) {
	e := encoder{codec: c}
	err := e.append(reflect.ValueOf(v), 0)
	if err == nil {
		err = value.Check(e.out)
	}
	if err == nil {
		return e.out, nil
	}
	return nil, &ValueError{Path: strings.Join(e.path, "."), Err: err}
}

// encoder is one encoding under way.
type encoder struct {
	codec *codec
	out   value.Raw
	path  []string // to where it failed
}

func (e *encoder) append(v reflect.Value, depth int) error {
	if !v.IsValid() {
		e.out = value.AppendNil(e.out)
		return nil
	}
	t := v.Type()
	switch {
	case t == rawType || t == valueRawType:
		return e.appendRaw(v.Bytes())
	case t == extType:
		x, _ := v.Interface().(value.Ext)
		e.out = value.AppendExt(e.out, x.Type, x.Data)
		return nil
	case t.Implements(marshalerType) && (v.Kind() != reflect.Pointer || !v.IsNil()):
		return e.appendText(v)
	}
	return e.appendKind(v, depth)
}

func (e *encoder) appendRaw(b []byte) error {
	if len(b) == 0 {
		e.out = value.AppendNil(e.out)
		return nil
	}
	e.out = append(e.out, b...)
	return value.Check(b) // before it can swallow what follows
}

func (e *encoder) appendText(v reflect.Value) error {
	m, ok := v.Interface().(encoding.TextMarshaler)
	if !ok {
		return &value.UnsupportedError{Type: v.Type()}
	}
	text, err := m.MarshalText()
	e.out = value.AppendStr(e.out, string(text))
	return err
}

func (e *encoder) appendKind(v reflect.Value, depth int) error {
	switch v.Kind() {
	case reflect.Bool:
		e.out = value.AppendBool(e.out, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.out = value.AppendInt(e.out, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.out = value.AppendUint(e.out, v.Uint())
	case reflect.Float32, reflect.Float64:
		e.out = value.AppendFloat(e.out, v.Float())
	case reflect.String:
		e.out = value.AppendStr(e.out, v.String())
	case reflect.Interface:
		return e.append(v.Elem(), depth) // nothing for nil, and no level of its own
	default:
		return e.appendContainer(v, depth+1)
	}
	return nil
}

func (e *encoder) appendContainer(v reflect.Value, depth int) error {
	if depth > value.MaxDepth {
		return value.ErrDepth
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() {
			e.out = value.AppendNil(e.out)
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return e.append(v.Elem(), depth) // a level, because pointers may go round
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			e.out = value.AppendBin(e.out, v.Bytes())
			return nil
		}
		e.out = value.AppendArray(e.out, v.Len())
		for i := range v.Len() {
			if err := e.child(strconv.Itoa(i), v.Index(i), depth); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			return e.appendMap(v, depth)
		}
	case reflect.Struct:
		return e.appendStruct(v, depth)
	}
	return &value.UnsupportedError{Type: v.Type()}
}

func (e *encoder) child(name string, v reflect.Value, depth int) error {
	err := e.append(v, depth)
	if err != nil {
		e.path = append([]string{name}, e.path...)
	}
	return err
}

func (e *encoder) appendMap(v reflect.Value, depth int) error {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	e.out = value.AppendMap(e.out, len(keys))
	for _, k := range keys {
		e.out = value.AppendStr(e.out, k.String())
		if err := e.child(k.String(), v.MapIndex(k), depth); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) appendStruct(v reflect.Value, depth int) error {
	var fields []structField
	for _, f := range e.codec.fields(v.Type()) {
		at := v.FieldByIndex(f.index)
		if f.omitEmpty && empty(at) || f.omitZero && at.IsZero() {
			continue
		}
		fields = append(fields, f)
	}
	e.out = value.AppendMap(e.out, len(fields))
	for _, f := range fields {
		e.out = value.AppendStr(e.out, f.name)
		if err := e.child(f.name, v.FieldByIndex(f.index), depth); err != nil {
			return err
		}
	}
	return nil
}

// empty is what encoding/json means by omitempty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

// fields returns how a struct is encoded: its exported fields, those of embedded
// structs without a name of their own among them. Of two fields with one name
// the outer one counts, or the first.
func (c *codec) fields(t reflect.Type) []structField {
	if cached, ok := c.structs.Load(t); ok {
		out, _ := cached.([]structField)
		return out
	}
	out := collect(t, nil)
	slices.SortStableFunc(out, func(a, b structField) int { return len(a.index) - len(b.index) })
	seen := map[string]bool{}
	out = slices.DeleteFunc(out, func(f structField) bool {
		twice := seen[f.name]
		seen[f.name] = true
		return twice
	})
	slices.SortFunc(out, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	c.structs.Store(t, out)
	return out
}

func collect(t reflect.Type, index []int) []structField {
	var out []structField
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		tag := f.Tag.Get("json")
		name, opts, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !reflect.PointerTo(f.Type).Implements(marshalerType):
			out = append(out, collect(f.Type, at)...)
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		has := func(opt string) bool { return slices.Contains(strings.Split(opts, ","), opt) }
		out = append(out, structField{name: name, index: at, omitEmpty: has("omitempty"), omitZero: has("omitzero")})
	}
	return out
}

// errMismatch is the cause of a *ValueError for a value of another kind.
var errMismatch = errors.New("the value does not fit the type")
