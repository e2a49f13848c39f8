package index

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// field draws a value of a field, nil for none: few distinct ones of every type,
// and texts that are longer than a term.
func field(t *rapid.T, name string) any {
	switch rapid.IntRange(0, 6).Draw(t, name) {
	case 0:
		return nil
	case 1:
		return rapid.IntRange(-3, 3).Draw(t, name)
	case 2:
		return rapid.SampledFrom([]float64{-0.5, 0, 1, 2.5}).Draw(t, name)
	case 3:
		return rapid.SampledFrom([]string{"", "a", "aa", "ab", "b", "ba"}).Draw(t, name)
	case 4:
		return strings.Repeat("x", termLimit) + rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, name)
	case 5:
		return rapid.SliceOfN(rapid.SampledFrom([]any{1, 2, "a", "b", 1.5}), 0, 4).Draw(t, name)
	default:
		return rapid.Bool().Draw(t, name)
	}
}

func raw(t *rapid.T, v any) value.Raw {
	t.Helper()
	b, err := value.FromAny(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func document(t *rapid.T) value.Raw {
	doc := map[string]any{}
	for _, name := range []string{"a", "b"} {
		if v := field(t, name); v != nil || rapid.Bool().Draw(t, "as nil") {
			doc[name] = v
		}
	}
	return raw(t, doc)
}

// world is an index beside the records that it is made of.
type world struct {
	x       *Index
	records map[string]value.Raw
}

func newWorld(kind Kind, fields ...string) *world {
	return &world{New(Definition{Map: "m", Fields: fields, Kind: kind}), map[string]value.Raw{}}
}

// change makes one random change.
func (w *world) change(t *rapid.T) {
	key := fmt.Sprint("k", rapid.IntRange(0, 30).Draw(t, "key"))
	var next value.Raw
	if rapid.IntRange(0, 3).Draw(t, "verb") > 0 {
		next = document(t)
	}
	w.x.Update(key, w.records[key], next)
	if w.records[key] = next; next == nil {
		delete(w.records, key)
	}
}

func (w *world) field(key string, i int) value.Raw {
	v, _ := value.Lookup(w.records[key], w.x.paths[i])
	return v
}

// read returns the keys of a range, in slices of random length.
func (w *world) read(t *rapid.T, r Range) []string {
	var keys []string
	for c := (Cursor{}); !c.Done; {
		left := rapid.IntRange(1, 5).Draw(t, "slice")
		c = w.x.Read(r, c, func(key string, _ []byte) bool {
			keys = append(keys, key)
			left--
			return left > 0
		})
	}
	return keys
}

// TestRangesHaveWhatTheyAreFor compares what each kind of range returns with the
// records that it is for: all of them, and with terms that are whole no others.
func TestRangesHaveWhatTheyAreFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ordered, hashed := newWorld(Ordered, "a", "b"), newWorld(Hash, "a", "b")
		hashed.records = ordered.records
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			before := maps.Clone(ordered.records)
			ordered.change(t)
			for key := range before {
				if !bytes.Equal(before[key], ordered.records[key]) {
					hashed.x.Update(key, before[key], ordered.records[key])
				}
			}
			for key := range ordered.records {
				if before[key] == nil {
					hashed.x.Update(key, nil, ordered.records[key])
				}
			}
		}
		a, b, c := raw(t, field(t, "x")), raw(t, field(t, "y")), raw(t, field(t, "z"))
		type test struct {
			w    *world
			r    Range
			want func(key string) bool
			what string
		}
		eq := func(i int, v value.Raw) func(key string) bool {
			return func(key string) bool { return value.Equal(ordered.field(key, i), v) }
		}
		d := ordered.x.Definition
		tests := []test{
			{ordered, Range{}, func(string) bool { return true }, "everything"},
			{ordered, d.Equal(a), eq(0, a), "a ="},
			{ordered, d.Equal(a, b), func(k string) bool { return eq(0, a)(k) && eq(1, b)(k) }, "a = and b ="},
			{hashed, hashed.x.Equal(a, b), func(k string) bool { return eq(0, a)(k) && eq(1, b)(k) }, "hash of a and b"},
		}
		if value.Compare(b, c) <= 0 && sameType(b, c) {
			low, high := rapid.Bool().Draw(t, "open"), rapid.Bool().Draw(t, "open")
			tests = append(tests, test{ordered, d.Between([]value.Raw{a}, Bound{b, low}, Bound{c, high}), func(k string) bool {
				v := ordered.field(k, 1)
				lo, hi := value.Compare(v, b), value.Compare(v, c)
				return eq(0, a)(k) && sameType(v, b) && (lo > 0 || lo == 0 && !low) && (hi < 0 || hi == 0 && !high)
			}, "between"})
			tests = append(tests, test{ordered, d.Between(nil, Bound{b, low}, Bound{}), func(k string) bool {
				v := ordered.field(k, 0)
				lo := value.Compare(v, b)
				return sameType(v, b) && (lo > 0 || lo == 0 && !low)
			}, "above"})
		}
		x := strings.Repeat("x", termLimit)
		prefix := rapid.SampledFrom([]string{"", "a", "ab", "b", x[1:], x, x + "a", x + "x"}).Draw(t, "prefix")
		what := "prefix"
		if len(prefix) > termLimit {
			what = "long prefix, of which a term knows the beginning"
		}
		tests = append(tests, test{ordered, d.StartsWith(nil, prefix), func(k string) bool {
			v := ordered.field(k, 0)
			s, ok := v.Any().(string)
			return v.Kind() == value.KindStr && ok && strings.HasPrefix(s, prefix)
		}, what})
		for _, tt := range tests {
			for _, desc := range []bool{false, true} {
				tt.r.Desc = desc
				check(t, tt.w, tt.r, tt.want, tt.what)
			}
		}
		if !ordered.x.Whole() != slices.ContainsFunc(slices.Collect(maps.Keys(ordered.records)), func(k string) bool {
			return long(ordered.field(k, 0)) || long(ordered.field(k, 1))
		}) {
			t.Fatal("Whole is wrong")
		}
	})
}

// long reports whether a value does not fit into a term.
func long(v value.Raw) bool {
	s, ok := v.Any().(string)
	return ok && len(s) > termLimit
}

func sameType(a, b value.Raw) bool {
	ka, kb := a.Kind(), b.Kind()
	return ka == kb && (ka == value.KindStr || ka == value.KindBool) || ka.Number() && kb.Number()
}

func check(t *rapid.T, w *world, r Range, want func(string) bool, what string) {
	t.Helper()
	got := w.read(t, r)
	seen := map[string]bool{}
	for _, k := range got {
		if seen[k] {
			t.Fatalf("%s: key %s comes twice", what, k)
		}
		seen[k] = true
		if w.x.Whole() && w.x.Kind == Ordered && !want(k) && !strings.HasPrefix(what, "long") {
			t.Fatalf("%s: key %s with %x does not belong", what, k, w.records[k])
		}
	}
	for k := range w.records {
		if want(k) && !seen[k] {
			t.Fatalf("%s: key %s with %x is missing", what, k, w.records[k])
		}
	}
	if n := w.x.Count(r); n != len(got) {
		t.Fatalf("%s: Count is %d, there are %d", what, n, len(got))
	}
	if w.x.Kind == Ordered && w.x.Whole() {
		inOrder := slices.IsSortedFunc(got, func(a, b string) int {
			for i := range w.x.paths {
				if c := value.Compare(w.field(a, i), w.field(b, i)); c != 0 {
					if r.Desc {
						return -c
					}
					return c
				}
			}
			return strings.Compare(a, b)
		})
		if !inOrder {
			t.Fatalf("%s: %v is not in order", what, got)
		}
	}
}

func TestInvertedIndexFindsElements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(Inverted, "a")
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			w.change(t)
		}
		e := raw(t, rapid.SampledFrom([]any{1, 2, "a", "b", 1.5}).Draw(t, "element"))
		found := map[string]bool{}
		for _, r := range w.x.Contains(e) {
			for _, k := range w.read(t, r) {
				found[k] = true
			}
		}
		for k := range w.records {
			v := w.field(k, 0)
			has := v.Kind() == value.KindStr && e.Kind() == value.KindStr
			for el := range value.Elements(v) {
				has = has || value.Equal(el, e)
			}
			if has != found[k] {
				t.Fatalf("%v in %v: found %v", e.Any(), v.Any(), found[k])
			}
		}
	})
}

func TestLongArraysHaveToBeRead(t *testing.T) {
	w := newWorld(Inverted, "a")
	doc := value.AppendStr(value.AppendMap(nil, 1), "a")
	doc = value.AppendArray(doc, maxElements+1)
	for i := range maxElements + 1 {
		doc = value.AppendInt(doc, int64(i))
	}
	w.x.Update("k", nil, doc)
	found := 0
	for _, r := range w.x.Contains(value.AppendInt(nil, maxElements)) {
		w.x.Read(r, Cursor{}, func(string, []byte) bool { found++; return true })
	}
	if found != 1 || w.x.Len() != 1 {
		t.Errorf("found %d times with %d entries", found, w.x.Len())
	}
	w.x.Update("k", doc, nil)
	if w.x.Len() != 0 {
		t.Errorf("%d entries are left", w.x.Len())
	}
}

// TestCoversWhatWasRead reads a range in slices while records change, applying
// the rule that a reader of the change stream applies: at the end it has exactly
// the records of the range.
func TestCoversWhatWasRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(Ordered, "a")
		for range rapid.IntRange(0, 40).Draw(t, "before") {
			w.change(t)
		}
		r := Range{Desc: rapid.Bool().Draw(t, "desc")}
		if rapid.Bool().Draw(t, "a part") {
			low := value.AppendInt(nil, -1)
			r = w.x.Between(nil, Bound{low, false}, Bound{})
			r.Desc = rapid.Bool().Draw(t, "desc")
		}
		got := map[string]string{}
		for c := (Cursor{}); !c.Done; {
			left := rapid.IntRange(1, 4).Draw(t, "slice")
			c = w.x.Read(r, c, func(key string, _ []byte) bool {
				got[key] = string(w.records[key])
				left--
				return left > 0
			})
			for range rapid.IntRange(0, 5).Draw(t, "meanwhile") {
				before := maps.Clone(w.records)
				w.change(t)
				for _, key := range slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(w.records))) {
					if bytes.Equal(before[key], w.records[key]) {
						continue
					}
					if w.x.Covers(r, c, key, w.records[key]) {
						got[key] = string(w.records[key])
					} else {
						delete(got, key)
					}
				}
			}
		}
		want := map[string]string{}
		w.x.Read(r, Cursor{}, func(key string, _ []byte) bool { want[key] = string(w.records[key]); return true })
		if !maps.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestDropTakesKeysOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.SampledFrom([]Kind{Ordered, Hash, Inverted}).Draw(t, "kind"), "a")
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			w.change(t)
		}
		gone := func(key string) bool { return key > "k2" }
		w.x.Drop(gone)
		want := New(w.x.Definition)
		for k, v := range w.records {
			if !gone(k) {
				want.Put(k, v)
			}
		}
		var got, wanted []string
		w.x.Read(Range{}, Cursor{}, func(k string, _ []byte) bool { got = append(got, k); return true })
		want.Read(Range{}, Cursor{}, func(k string, _ []byte) bool { wanted = append(wanted, k); return true })
		if !slices.Equal(got, wanted) {
			t.Fatalf("left are %v, want %v", got, wanted)
		}
	})
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	for _, d := range []Definition{
		{},
		{Map: "m", Kind: Hash},
		{Map: "m", Kind: Hash, Fields: []string{""}},
		{Map: "m", Kind: "btree", Fields: []string{"a"}},
		{Map: "m", Kind: Inverted, Fields: []string{"a", "b"}},
		{Map: "m", Kind: Ordered, Fields: []string{"a", "a"}},
		{Map: "m", Kind: Ordered, Fields: slices.Repeat([]string{"a"}, MaxFields+1)},
	} {
		if err := d.Validate(); !errors.Is(err, ErrDefinition) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if err := (Definition{Map: "m", Kind: Ordered, Fields: ParseAttribute("a.b, c")}).Validate(); err != nil {
		t.Error(err)
	}
}
