package crdt

import (
	"encoding/binary"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// ORRecord is one record of a key in an observed-remove map.
type ORRecord struct {
	// Tag names the record in the whole map, for ever. It is opaque and not
	// empty; clients use the text of TS.
	Tag string
	// Value is one encoded value, nil included. An empty Value means nil.
	Value value.Raw
	// TS decides between two records of one tag.
	TS hlc.Timestamp
	// TTL is how long after TS the record is visible, in milliseconds; 0 is for
	// ever.
	TTL int64
	// HasTTL says that the record carries a ttl at all. It is part of the entry
	// hash, a ttl of 0 included.
	HasTTL bool
}

// Visible reports whether r is not expired at nowMillis.
func (r ORRecord) Visible(nowMillis int64) bool { return !Expired(r.TS.Millis, r.TTL, nowMillis) }

const (
	recordTTL  = 1 << 0 // a ttl follows the node
	recordNode = 1 << 1 // the node is the end of the tag and not repeated

	recordFlags = recordTTL | recordNode
)

// appendRecord encodes one live record.
func appendRecord(dst []byte, r ORRecord) []byte {
	dst = appendText(dst, r.Tag)
	var flags byte
	if r.HasTTL {
		flags |= recordTTL
	}
	if tagEndsInNode(r.Tag, r.TS.Node) {
		flags |= recordNode
	}
	dst = appendClock(append(dst, flags), r.TS)
	dst = binary.AppendUvarint(dst, uint64(len(r.TS.Node)))
	if flags&recordNode == 0 {
		dst = append(dst, r.TS.Node...)
	}
	if r.HasTTL {
		dst = binary.AppendVarint(dst, r.TTL)
	}
	if len(r.Value) == 0 {
		return append(dst, 1, nilByte)
	}
	return appendText(dst, r.Value)
}

func tagEndsInNode(tag, node string) bool { return node != "" && strings.HasSuffix(tag, node) }

// record reads one live record. On failure the cursor is bad and the result is
// of no use.
func (c *cursor) record() ORRecord {
	r := ORRecord{Tag: c.text()}
	flags := c.byte()
	r.TS.Millis, r.TS.Counter = c.clock()
	switch n := c.uint(); {
	case flags&recordNode == 0:
		if r.TS.Node = c.take(n); tagEndsInNode(r.Tag, r.TS.Node) {
			c.fail() // written the long way
		}
	case n > 0 && n <= uint64(len(r.Tag)):
		r.TS.Node = r.Tag[uint64(len(r.Tag))-n:]
	default:
		c.fail()
	}
	if flags&recordTTL != 0 {
		r.HasTTL = true
		r.TTL = c.int()
	}
	r.Value = bytesOf(c.text())
	if flags&^recordFlags != 0 || r.Tag == "" || len(r.Value) == 0 {
		c.fail()
	}
	return r
}

// tombstone reads one tombstone.
func (c *cursor) tombstone() (tag string, removedAt int64) {
	if tag = c.text(); tag == "" {
		c.fail()
	}
	return tag, c.int()
}

func appendTombstone(dst []byte, tag string, removedAt int64) []byte {
	return binary.AppendVarint(appendText(dst, tag), removedAt)
}

// compareTags is the order in which JavaScript sorts tags, and so the order in
// which an entry hash takes them: by UTF-16 code unit. It differs from byte
// order only where a character above U+FFFF (first byte f0 or more), stored as
// two surrogates below U+E000, meets one from U+E000 on (first byte ee or ef).
func compareTags(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if x, y := a[i], b[i]; x != y {
			switch {
			case x >= 0xf0 && y >= 0xee && y < 0xf0:
				return -1
			case y >= 0xf0 && x >= 0xee && x < 0xf0:
				return +1
			case x < y:
				return -1
			}
			return +1
		}
	}
	return len(a) - len(b)
}
