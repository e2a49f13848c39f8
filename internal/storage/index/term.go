package index

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// termLimit is how many bytes of a text a term holds. Longer ones share the term
// of their beginning.
const termLimit = 256

// A hash term is a byte that says whether a field is missing, and the hash.
const (
	hashBytes   = 9
	hashPresent = 0x00
	hashMissing = 0x01
)

// maxElements bounds the terms of one record in an inverted index; what an array
// has beyond them is found by reading the record: it gets the term of all those.
const maxElements = 256

// The first byte of the terms of an inverted index.
const (
	invertedElement = 0x01 // and the ordered encoding of the element
	invertedText    = 0x02 // the value is a string, which contains may search
	invertedMore    = 0x03 // an array with more than maxElements
)

// hashTerm appends the term of the values of all fields.
func hashTerm(dst []byte, values []value.Raw) []byte {
	var d xxhash.Digest
	d.Reset()
	flag := byte(hashPresent)
	var buf []byte
	for _, v := range values {
		if missing(v) {
			flag = hashMissing
		}
		buf, _ = value.AppendOrdered(buf[:0], v, len(v))
		_, _ = d.Write(buf) // a digest takes everything
	}
	return binary.BigEndian.AppendUint64(append(dst, flag), d.Sum64())
}

func missing(v value.Raw) bool { return len(v) == 0 || v.Kind() == value.KindNil }

// orderedTerm appends the term of the values of all fields, and reports whether
// all of each was encoded.
func orderedTerm(dst []byte, values []value.Raw) (term []byte, whole bool) {
	whole = true
	for _, v := range values {
		var all bool
		dst, all = value.AppendOrdered(dst, v, termLimit)
		whole = whole && all
	}
	return dst, whole
}

// invertedTerms returns the distinct terms of one value.
func invertedTerms(v value.Raw) [][]byte {
	switch v.Kind() {
	case value.KindStr:
		return [][]byte{{invertedText}}
	case value.KindArray:
	default:
		return nil
	}
	var terms [][]byte
	for e := range value.Elements(v) {
		if len(terms) == maxElements {
			return [][]byte{{invertedMore}}
		}
		t, _ := value.AppendOrdered([]byte{invertedElement}, e, termLimit)
		terms = append(terms, t)
	}
	slices.SortFunc(terms, slices.Compare)
	return slices.CompactFunc(terms, slices.Equal)
}

// termLen is the length of the term that an entry of an index begins with.
func (x *Index) termLen(entry []byte) int {
	switch x.Kind {
	case Hash:
		return hashBytes
	case Inverted:
		if entry[0] != invertedElement {
			return 1
		}
		return 1 + value.OrderedLen(entry[1:])
	}
	n := 0
	for range x.Fields {
		n += value.OrderedLen(entry[n:])
	}
	return n
}

// after is the least byte string that is greater than all that begin with b, nil
// when there is none. It changes b.
func after(b []byte) []byte {
	for i, c := range slices.Backward(b) {
		if c != 0xff {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}
