package hash

import (
	"unicode/utf8"
	"unsafe"
)

const (
	offset32 = 0x811c9dc5
	prime32  = 0x01000193
)

// Key returns the 32-bit FNV-1a hash of the UTF-16 code units of s, which is
// UTF-8. A byte that is not part of valid UTF-8 counts as U+FFFD, which is what
// a decoder in the browser would have put there.
func Key(s string) uint32 { return uint32(Init.String(s)) }

// FNV is the state of a hash under way. It is a value: a state may be kept and
// continued in several ways. The zero FNV is not the start, Init is.
type FNV uint32

// Init is the state before any input; Init.Sum() is the hash of "".
const Init FNV = offset32

// String adds the UTF-16 code units of s. Splitting a text over several calls
// changes nothing as long as no character is cut in two.
func (h FNV) String(s string) FNV {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return h.wide(s[i:])
		}
		h = (h ^ FNV(c)) * prime32
	}
	return h
}

// Text is String for bytes. It does not keep b.
func (h FNV) Text(b []byte) FNV {
	return h.String(unsafe.String(unsafe.SliceData(b), len(b)))
}

// wide is String from the first non-ASCII character on.
func (h FNV) wide(s string) FNV {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			h = (h ^ FNV(c)) * prime32
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r >= 0x10000 {
			r -= 0x10000
			h = (h ^ FNV(0xd800+r>>10)) * prime32
			r = 0xdc00 + r&0x3ff
		}
		h = (h ^ FNV(r)) * prime32
	}
	return h
}

// Byte adds one ASCII character. A byte from 0x80 on is added as the code unit
// of that number (Latin-1), not as a piece of UTF-8.
func (h FNV) Byte(b byte) FNV { return (h ^ FNV(b)) * prime32 }

// Uint adds the decimal digits of v.
func (h FNV) Uint(v uint64) FNV {
	var digits [20]byte // 2^64-1 has 20 digits
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + v%10)
		v /= 10
		if v == 0 {
			break
		}
	}
	for _, d := range digits[i:] {
		h = (h ^ FNV(d)) * prime32
	}
	return h
}

// Int adds the decimal digits of v, after a '-' when it is negative.
func (h FNV) Int(v int64) FNV {
	if v < 0 {
		return h.Byte('-').Uint(-uint64(v))
	}
	return h.Uint(uint64(v))
}

// Sum returns the hash of everything added so far.
func (h FNV) Sum() uint32 { return uint32(h) }
