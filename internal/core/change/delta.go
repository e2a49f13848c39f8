package change

import (
	"encoding/binary"
	"math/bits"
)

// A state that replaces another usually has much in common with it: the writer,
// the names of fields, the values of most of them. So Before is written as its
// difference to After, when that is shorter: how many bytes it shares with the
// end of After, and for the bytes before these, in turns, how many are those of
// After in the same place and which are others. See docs/format/change.md.

// worthCopying is the shortest run of equal bytes that is not written out.
const worthCopying = 4

// appendDelta appends the difference, or reports false and appends nothing when
// there is none that is shorter than before.
func appendDelta(dst []byte, before, after string) ([]byte, bool) {
	start := len(dst)
	suffix := commonSuffix(before, after)
	head := before[:len(before)-suffix]
	base := after[:len(after)-suffix]
	dst = binary.AppendUvarint(dst, uint64(len(head)))
	dst = binary.AppendUvarint(dst, uint64(suffix))
	for at := 0; at < len(head); {
		same := commonPrefix(head[at:], base[min(at, len(base)):])
		at += same
		other := nextCommon(head, base, at) - at
		dst = binary.AppendUvarint(dst, uint64(same))
		dst = binary.AppendUvarint(dst, uint64(other))
		dst = append(dst, head[at:at+other]...)
		at += other
		if len(dst)-start >= len(before) {
			return dst[:start], false
		}
	}
	return dst, len(dst)-start < len(before)
}

// nextCommon is the first place from at on where worthCopying bytes are equal,
// or the end of head.
func nextCommon(head, base string, at int) int {
	equal := 0
	for i := at; i < min(len(head), len(base)); i++ {
		if head[i] != base[i] {
			equal = 0
			continue
		}
		if equal++; equal == worthCopying {
			return i + 1 - worthCopying
		}
	}
	return len(head)
}

// commonPrefix counts the equal bytes at the beginning of both.
func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := word(a, i) ^ word(b, i); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// commonSuffix counts the equal bytes at the end of both.
func commonSuffix(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := word(a, len(a)-i-8) ^ word(b, len(b)-i-8); x != 0 {
			return i + bits.LeadingZeros64(x)/8
		}
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

// word is the eight bytes of s at i, the first one lowest.
func word(s string, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// delta reads what appendDelta has written. The result is never longer than
// after and the rest of the batch together, so that no length that is read makes
// it allocate more.
func (d *decoder) delta(after string) string {
	head, suffix := d.uvarint(), d.uvarint()
	if suffix > uint64(len(after)) || head > uint64(len(after))+uint64(len(d.b)) {
		d.fail("difference beyond the state that it refers to")
		return ""
	}
	base := after[:len(after)-int(suffix)]
	out := make([]byte, 0, head+suffix)
	for uint64(len(out)) < head && d.err == nil {
		same, other := d.uvarint(), d.uvarint()
		at, left := uint64(len(out)), head-uint64(len(out))
		if same > left || other > left-same || same+other == 0 || other > uint64(len(d.b)) ||
			same > 0 && at+same > uint64(len(base)) {
			d.fail("difference contradicts itself")
			return ""
		}
		out = append(out, base[min(at, uint64(len(base))):][:same]...)
		out = append(out, d.b[:other]...)
		d.b = d.b[other:]
	}
	return string(append(out, after[len(base):]...))
}
