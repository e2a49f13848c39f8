package value_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/value/valuetest"
)

func raw(tb testing.TB, v any) value.Raw {
	tb.Helper()
	b, err := value.FromAny(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestLookup(t *testing.T) {
	type m = map[string]any
	for _, tc := range []struct {
		name, path string
		doc        any
		want       any
		ok         bool
	}{
		{"a field", "b", m{"a": 1, "b": 2}, int64(2), true},
		{"a field that is nil is there", "a", m{"a": nil}, nil, true},
		{"an absent field", "c", m{"a": 1}, nil, false},
		{"a prefix of a key is not the key", "ab", m{"abc": 1}, nil, false},
		{"a key that is a prefix is not the key", "abc", m{"ab": 1}, nil, false},
		{"a key that is a prefix of a segment", "ab.c", m{"a": m{".c": 1, "c": 2, "b.c": 3}}, nil, false},
		{"a nested field", "a.b.c", m{"a": m{"b": m{"c": 3}}}, int64(3), true},
		{"a field below a scalar", "a.b", m{"a": 1}, nil, false},
		{"a literal key with the dots wins", "a.b", m{"a": m{"b": 1}, "a.b": 2}, int64(2), true},
		{"a literal key with some of the dots wins", "a.b.c", m{"a": m{"b": m{"c": 1}}, "a.b": m{"c": 2}}, int64(2), true},
		{"the longest key is followed and no other", "a.b.c", m{"a": m{"b": m{"c": 1}}, "a.b": m{}}, nil, false},
		{"an element", "tags.1", m{"tags": []any{"x", "y"}}, "y", true},
		{"an element behind the last", "tags.2", m{"tags": []any{"x", "y"}}, nil, false},
		{"an index with a leading zero", "tags.01", m{"tags": []any{"x", "y"}}, nil, false},
		{"a negative index", "tags.-1", m{"tags": []any{"x"}}, nil, false},
		{"an index too large for an integer", "tags.18446744073709551616", m{"tags": []any{"x"}}, nil, false},
		{"a field of an element", "a.0.b", m{"a": []any{m{"b": 7}}}, int64(7), true},
		{"an element of an element", "a.1.0", m{"a": []any{0, []any{5}}}, int64(5), true},
		{"an array as the document", "0", []any{9}, int64(9), true},
		{"a key that looks like an index", "0", m{"0": 9}, int64(9), true},
		{"the empty key", "", m{"": 4}, int64(4), true},
		{"an empty segment", "a..b", m{"a": m{"": m{"b": 6}}}, int64(6), true},
		{"a dot at the end", "a.", m{"a": m{"": 6}}, int64(6), true},
		{"a scalar as the document", "a", 1, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := value.Lookup(raw(t, tc.doc), value.ParsePath(tc.path))
			if ok != tc.ok || !oracleEqual(got.Any(), tc.want) {
				t.Errorf("got %v, %v; want %v, %v", got.Any(), ok, tc.want, tc.ok)
			}
		})
	}
}

func TestLookupTakesTheLastOfEqualKeys(t *testing.T) {
	doc := value.Raw(unhex(t, "83a16101a16102a16203"))
	got, ok := value.Lookup(doc, value.ParsePath("a"))
	if !ok || got.Any() != int64(2) {
		t.Errorf("got %v, %v; want 2", got.Any(), ok)
	}
}

func TestLookupNamesScalarKeysByTheirText(t *testing.T) {
	// {1: 10, 1.5: 20, true: 30, nil: 40, [1]: 50}
	doc := value.Raw(unhex(t, "85010acb3ff800000000000014c31ec028910132"))
	for path, want := range map[string]int64{"1": 10, "1.5": 20, "true": 30, "null": 40} {
		if got, ok := value.Lookup(doc, value.ParsePath(path)); !ok || got.Any() != want {
			t.Errorf("%s: got %v, %v; want %d", path, got.Any(), ok, want)
		}
	}
	if n := len(doc.Any().(map[string]any)); n != 4 {
		t.Errorf("%d fields, want 4 without the one whose key is an array", n)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	doc, path := raw(t, map[string]any{"a": map[string]any{"b": []any{1, 2}}, "z": "x"}), value.ParsePath("a.b.1")
	n := testing.AllocsPerRun(100, func() {
		if _, ok := value.Lookup(doc, path); !ok {
			t.Fatal("not found")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func paths() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(valuetest.Keys), 1, 4).Draw(t, "segments"), ".")
	})
}

func TestLookupAgreesWithItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := rapid.OneOf(valuetest.Map(4).AsAny(), valuetest.Array(4).AsAny()).Draw(t, "doc")
		path := paths().Draw(t, "path")
		got, ok := value.Lookup(valuetest.Encode(t, doc), value.ParsePath(path))
		want, wantOK := oracleLookup(doc, path)
		if ok != wantOK || !oracleEqual(got.Any(), want) {
			t.Fatalf("got %v, %v; want %v, %v", got.Any(), ok, want, wantOK)
		}
	})
}

func FuzzLookup(f *testing.F) {
	f.Add([]byte(document()), "tags.1")
	f.Add(unhex(f, "82a161a162a3612e6207"), "a.b")
	f.Add(unhex(f, "85010acb3ff800000000000014c31ec02891ff32"), "1.5")
	f.Add(unhex(f, "ddffffffff"), "999999999")
	f.Add(nested(300), "0.0.0")
	f.Add(unhex(f, "3030"), "0") // bytes behind a number
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		v, ok := value.Lookup(b, value.ParsePath(path))
		if ok && value.Check(v) != nil {
			t.Fatalf("found %x, which is not a value", v)
		}
		if !ok && v != nil {
			t.Fatalf("found nothing and %x", v)
		}
		// Whatever else reads values must stand the same bytes.
		text := value.AppendCanonical(nil, b)
		normal := value.AppendNormal(nil, b)
		if err := value.Check(normal); err != nil {
			t.Fatalf("normal form: %v", err)
		}
		if again := value.AppendCanonical(nil, normal); value.KindOf(b) != value.KindExt && string(again) != string(text) {
			t.Fatalf("canonical text %q, of the normal form %q", text, again)
		}
		if value.Compare(b, b) != 0 || !value.Equal(b, b) {
			t.Fatal("not equal to itself")
		}
		if err := value.Check(value.Project(b, []string{path, "a"})); err != nil {
			t.Fatalf("projection: %v", err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	doc := document()
	for _, s := range []string{"name", "tags", "tags.1", "absent"} {
		path := value.ParsePath(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				value.Lookup(doc, path)
			}
		})
	}
}
