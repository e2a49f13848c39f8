package value_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

func TestFromAnyEncodesGoTypes(t *testing.T) {
	type name string
	seven, none := 7, (*int)(nil)
	for _, tc := range []struct{ in, want any }{
		{int8(-3), int64(-3)},
		{uint16(9), int64(9)},
		{uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{float32(1.5), 1.5},
		{2.0, 2.0},
		{name("x"), "x"},
		{&seven, int64(7)},
		{none, nil},
		{[]string{"a"}, []any{"a"}},
		{[2]bool{true, false}, []any{true, false}},
		{map[name][]int{"k": {1}}, map[string]any{"k": []any{int64(1)}}},
		{[]byte{1}, []byte{1}},
		{[]any{value.Raw{0x93, 1, 2, 3}, value.Raw(nil)}, []any{[]any{int64(1), int64(2), int64(3)}, nil}},
		{value.Ext{Type: -1, Data: []byte{1, 2, 3}}, value.Ext{Type: -1, Data: []byte{1, 2, 3}}},
	} {
		if got := raw(t, tc.in).Any(); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%#v: got %#v, want %#v", tc.in, got, tc.want)
		}
	}
}

func TestFromAnyRefusesWhatHasNoEncoding(t *testing.T) {
	var unsupported *value.UnsupportedError
	for _, v := range []any{struct{}{}, make(chan int), map[int]int{1: 2}, []any{func() {}}} {
		if b, err := value.FromAny(v); b != nil || !errors.As(err, &unsupported) {
			t.Errorf("%T: got %x, %v", v, b, err)
		}
	}
	for _, v := range []value.Raw{{0xc1}, {1, 2}, {0x91}} {
		if _, err := value.FromAny([]any{v, 0}); err == nil {
			t.Errorf("%x passes as a value", v)
		}
	}
}

func TestFromAnyBoundsTheDepth(t *testing.T) {
	circle := []any{nil}
	circle[0] = circle
	if _, err := value.FromAny(circle); !errors.Is(err, value.ErrDepth) {
		t.Errorf("circle: %v", err)
	}
	if _, err := value.FromAny([]any{value.Raw(nested(value.MaxDepth))}); !errors.Is(err, value.ErrDepth) {
		t.Errorf("around a deep Raw: %v", err)
	}
	var v any
	for range value.MaxDepth {
		v = []any{v}
	}
	if got := raw(t, v).Any(); !reflect.DeepEqual(got, v) {
		t.Error("the deepest value does not come back")
	}
}

func TestAnyOfNoValueIsNil(t *testing.T) {
	for _, b := range []value.Raw{nil, {0xc1}, {0x91}, {1, 2}, nested(300)} {
		if got := b.Any(); got != nil {
			t.Errorf("%.10x: got %v", []byte(b), got)
		}
	}
}

func TestAnySharesNothing(t *testing.T) {
	b := raw(t, map[string]any{"k": "text", "b": []byte("text")})
	got := b.Any()
	for i := range b {
		b[i] = 0
	}
	if want := (map[string]any{"k": "text", "b": []byte("text")}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestValuesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := valuetest.Any(4).Draw(t, "value")
		b, err := value.FromAny(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []value.Raw{b, valuetest.Encode(t, v)} {
			if got := form.Any(); !oracleEqual(got, v) {
				t.Fatalf("got %v", got)
			}
		}
	})
}

func TestIteratorsYieldViews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields, list := valuetest.Map(3).Draw(t, "map"), valuetest.Array(3).Draw(t, "array")
		got := map[string]any{}
		for k, v := range value.Fields(valuetest.Encode(t, fields)) {
			got[k] = v.Any()
		}
		if !oracleEqual(got, fields) {
			t.Fatalf("fields: got %v", got)
		}
		var items []any
		for v := range value.Elements(valuetest.Encode(t, list)) {
			items = append(items, v.Any())
		}
		if !oracleEqual(items, list) {
			t.Fatalf("elements: got %v", items)
		}
	})
}

func TestIteratorsStopAndStayEmpty(t *testing.T) {
	b := raw(t, []any{1, 2, 3})
	n := 0
	for range value.Elements(b) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d elements before the break", n)
	}
	for range value.Fields(b) {
		t.Error("an array has fields")
	}
	for range value.Elements(raw(t, map[string]any{"a": 1})) {
		t.Error("a map has elements")
	}
	for range value.Elements(value.Raw{0x92, 0xc1, 0xc1}) {
		t.Error("a malformed element came out")
	}
}

func TestProject(t *testing.T) {
	type m = map[string]any
	doc := m{"a": 1, "b": m{"c": 2}, "d": []any{3, 4}, "n": nil, "x.y": 5}
	for _, tc := range []struct {
		name   string
		doc    any
		fields []string
		want   any
	}{
		{"some fields", doc, []string{"d", "a"}, m{"a": int64(1), "d": []any{int64(3), int64(4)}}},
		{"absent fields stay absent, nil stays", doc, []string{"n", "zz"}, m{"n": nil}},
		{"a path keeps its name", doc, []string{"b.c", "d.1", "x.y"}, m{"b.c": int64(2), "d.1": int64(4), "x.y": int64(5)}},
		{"a name given twice", doc, []string{"a", "a"}, m{"a": int64(1)}},
		{"no fields", doc, nil, m{}},
		{"a document that is an array", []any{1}, []string{"0"}, m{}},
		{"a document that is nil", nil, []string{"a"}, m{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := value.Project(raw(t, tc.doc), tc.fields)
			if err := value.Check(got); err != nil || !reflect.DeepEqual(got.Any(), tc.want) {
				t.Errorf("got %v (%v), want %v", got.Any(), err, tc.want)
			}
		})
	}
}

func TestProjectShrinksWideHeaders(t *testing.T) {
	fields := make([]string, 20)
	for i := range fields {
		fields[i] = string(rune('a' + i))
	}
	got := value.Project(raw(t, map[string]any{"c": 1}), fields)
	if string(got) != "\x81\xa1c\x01" {
		t.Errorf("got %x", []byte(got))
	}
}
