package predicate

import (
	"unicode"
	"unicode/utf8"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// fold maps characters that differ by case only (Unicode simple folding, as in
// a regex that ignores case) to the smallest of them.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// char decodes the first character of s, which is not empty, folded.
func char(s []byte) (r rune, size int) {
	if s[0] < utf8.RuneSelf {
		return fold(rune(s[0])), 1
	}
	r, size = utf8.DecodeRune(s)
	return fold(r), size
}

// like reports whether all of s fits the pattern p: % stands for any run of
// characters, _ for one, and case does not matter. On a mismatch only the last
// % is extended, which is enough and bounds the time by len(p)*len(s).
func like(p, s []byte) bool {
	i, j := 0, 0
	star, from := -1, 0 // what follows the last %, and where that was tried
	for j < len(s) {
		if i < len(p) && p[i] == '%' {
			if i++; i == len(p) {
				return true
			}
			star, from = i, j
			continue
		}
		if i < len(p) {
			want, n := char(p[i:])
			got, m := char(s[j:])
			if p[i] == '_' || want == got {
				i, j = i+n, j+m
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, m := char(s[from:])
		from += m
		i, j = star, from
	}
	for i < len(p) && p[i] == '%' {
		i++
	}
	return i == len(p)
}

// needle is a string to look for whatever its case, prepared for a search in
// time linear in the text (Knuth, Morris and Pratt).
type needle struct {
	chars []rune
	back  []int // per character: how many begin the needle anew if the next differs
}

// makeNeedles returns a needle for each of the values that is a string.
func makeNeedles(values ...value.Raw) []needle {
	var out []needle
	for _, v := range values {
		if v.Kind() == value.KindStr {
			out = append(out, makeNeedle(view(v)))
		}
	}
	return out
}

func makeNeedle(s []byte) needle {
	var n needle
	for len(s) > 0 {
		r, size := char(s)
		n.chars = append(n.chars, r)
		s = s[size:]
	}
	n.back = make([]int, len(n.chars))
	for i, k := 1, 0; i < len(n.chars); i++ {
		k = n.step(k, n.chars[i])
		n.back[i] = k
	}
	return n
}

// step returns how many characters of the needle are matched after r, if k
// were before it.
func (n *needle) step(k int, r rune) int {
	for k > 0 && n.chars[k] != r {
		k = n.back[k-1]
	}
	if n.chars[k] == r {
		k++
	}
	return k
}

// in reports whether the needle occurs in s.
func (n *needle) in(s []byte) bool {
	if len(n.chars) == 0 {
		return true
	}
	k := 0
	for len(s) > 0 {
		r, size := char(s)
		if k = n.step(k, r); k == len(n.chars) {
			return true
		}
		s = s[size:]
	}
	return false
}
