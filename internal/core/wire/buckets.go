package wire

import (
	"iter"
	"math/bits"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Buckets are the hashes of the children of a Merkle node, by hex digit. On the
// wire they are a map {digit: hash}. The zero Buckets have no children.
//
//wire:codec {digit: u32}
type Buckets struct {
	present uint16
	hashes  [16]uint32
}

const hexDigits = "0123456789abcdef"

// Set gives the child of a digit (0 to 15) a hash.
func (b *Buckets) Set(digit int, hash uint32) {
	b.present |= 1 << (digit & 15)
	b.hashes[digit&15] = hash
}

// Get returns the hash of a child and whether there is one.
func (b *Buckets) Get(digit int) (hash uint32, ok bool) {
	return b.hashes[digit&15], b.present>>(digit&15)&1 == 1
}

// Len is the number of children.
func (b *Buckets) Len() int { return bits.OnesCount16(b.present) }

// All yields the digits that are present, in order, with their hashes.
func (b *Buckets) All() iter.Seq2[int, uint32] {
	return func(yield func(int, uint32) bool) {
		for i, h := range b.hashes {
			if b.present>>i&1 == 1 && !yield(i, h) {
				return
			}
		}
	}
}

func (b *Buckets) decode(d *decoder) {
	for range d.object(len(b.hashes)) {
		key := d.Str()
		digit := bucketDigit(key)
		if digit < 0 && d.Err() == nil {
			d.invalid("key is not a lower-case hex digit")
		}
		hash := d.hash()
		if d.Err() != nil {
			d.at(key)
			return
		}
		b.Set(digit, hash)
	}
}

func bucketDigit(s string) int {
	if len(s) != 1 {
		return -1
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

func (b *Buckets) appendTo(dst []byte) []byte {
	dst = value.AppendMap(dst, b.Len())
	for digit, hash := range b.All() {
		dst = value.AppendStr(dst, hexDigits[digit:digit+1])
		dst = value.AppendUint(dst, uint64(hash))
	}
	return dst
}
