package hash_test

import (
	"slices"
	"strconv"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
)

// plain is the definition: a rune slice, its UTF-16 units, one step each.
func plain(s string) uint32 {
	h := uint32(0x811c9dc5)
	for _, u := range utf16.Encode([]rune(s)) {
		h = (h ^ uint32(u)) * 0x01000193
	}
	return h
}

func TestKeyOfKnownStrings(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint32
	}{
		{"", 0x811c9dc5},
		{"a", 0xe40c292c},
		{"hello", 0x4f9f2cab},
		{"é", 0x6c0b6c44},
		{"日本語", 0x5406374e},
		{"😀", 0xcb31c4b8},
		{"a\xffb", plain("a\ufffdb")},
		{"cut \xf0\x9f", plain("cut \ufffd\ufffd")},
	} {
		if got := hash.Key(c.in); got != c.want {
			t.Errorf("Key(%q) = %#08x, want %#08x", c.in, got, c.want)
		}
	}
}

func TestKeyEqualsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if got, want := hash.Key(s), plain(s); got != want {
			t.Fatalf("Key(%q) = %d, want %d", s, got, want)
		}
	})
}

func TestPiecesHashLikeTheWholeText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		i, u := rapid.Int64().Draw(t, "i"), rapid.Uint64().Draw(t, "u")
		got := hash.Init.String(a).Byte(':').Int(i).Byte('|').Text([]byte(b)).Uint(u).Sum()
		text := a + ":" + strconv.FormatInt(i, 10) + "|" + b + strconv.FormatUint(u, 10)
		if want := plain(text); got != want {
			t.Fatalf("hash of the pieces of %q = %d, want %d", text, got, want)
		}
	})
}

func TestMixKeepsZeroAndIsReversible(t *testing.T) {
	if hash.Mix(0) != 0 {
		t.Errorf("Mix(0) = %d, want 0", hash.Mix(0))
	}
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.Uint32().Draw(t, "h")
		if got := unmix(hash.Mix(h)); got != h {
			t.Fatalf("unmix(Mix(%d)) = %d", h, got)
		}
	})
}

// unmix inverts hash.Mix: the multipliers are the modular inverses, and a
// xor-shift by s is undone by repeating it until the shift leaves the word.
func unmix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x7ed1b41d
	h ^= h>>13 ^ h>>26
	h *= 0xa5cb9243
	h ^= h >> 16
	return h
}

func TestCombineDoesNotSeeOrder(t *testing.T) {
	if got := hash.Combine(); got != 0 {
		t.Errorf("Combine() = %d, want 0", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		hs := rapid.SliceOf(rapid.Uint32()).Draw(t, "hs")
		shuffled := rapid.Permutation(hs).Draw(t, "shuffled")
		if a, b := hash.Combine(hs...), hash.Combine(shuffled...); a != b {
			t.Fatalf("Combine(%v) = %d, of the same in another order %d", hs, a, b)
		}
		cut := rapid.IntRange(0, len(hs)).Draw(t, "cut")
		sum := hash.Combine(hs[:cut]...) + hash.Combine(hs[cut:]...)
		if got := hash.Combine(slices.Clone(hs)...); got != sum {
			t.Fatalf("Combine of the whole is %d, the sum of its parts %d", got, sum)
		}
	})
}

var sink uint32

func BenchmarkKey(b *testing.B) {
	for _, c := range []struct{ name, key string }{
		{"ascii-8", "user:123"},
		{"ascii-36", "550e8400-e29b-41d4-a716-446655440000"},
		{"cyrillic-12", "Приветствие1"},
		{"emoji-4", "😀👍🏽🎉"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = hash.Key(c.key)
			}
		})
	}
}

func BenchmarkMix(b *testing.B) {
	for b.Loop() {
		sink = hash.Mix(sink + 1)
	}
}

func FuzzKeyEqualsTheDefinition(f *testing.F) {
	for _, s := range []string{"", "key1", "é😀", "\xff\xfe", "a\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := hash.Key(s), plain(s); got != want {
			t.Errorf("Key(%q) = %d, want %d", s, got, want)
		}
	})
}
