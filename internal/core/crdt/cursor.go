package crdt

import (
	"encoding/binary"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// The first byte of a state: kind and version in the upper half, flags in the
// lower.
const (
	formatLWW     = 0x10
	formatOR      = 0x20
	formatCounter = 0x30
)

// cursor reads an encoded state from front to back. After the first failure it
// is bad, stays where it was, and every read returns zero.
type cursor struct {
	s   string
	at  int
	bad bool
}

func (c *cursor) fail() { c.bad = true }

func (c *cursor) done() bool { return c.at == len(c.s) }

func (c *cursor) corrupt(kind string) error { return &CorruptError{Kind: kind, Offset: c.at} }

// take returns the next n bytes.
func (c *cursor) take(n uint64) string {
	if c.bad || n > uint64(len(c.s)-c.at) {
		c.fail()
		return ""
	}
	from := c.at
	c.at += int(n)
	return c.s[from:c.at]
}

func (c *cursor) byte() byte {
	if c.bad || c.at >= len(c.s) {
		c.fail()
		return 0
	}
	b := c.s[c.at]
	c.at++
	return b
}

// uint reads an unsigned varint. One that is longer than it has to be is
// refused: a state has one encoding.
func (c *cursor) uint() uint64 {
	if c.at < len(c.s) && c.s[c.at] < 0x80 && !c.bad {
		c.at++
		return uint64(c.s[c.at-1])
	}
	return c.longUint()
}

func (c *cursor) longUint() uint64 {
	v, n := binary.Uvarint(bytesOf(c.s[c.at:]))
	if c.bad || n <= 0 || n > 1 && c.s[c.at+n-1] == 0 {
		c.fail()
		return 0
	}
	c.at += n
	return v
}

// int reads a zigzag varint.
func (c *cursor) int() int64 {
	u := c.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// text reads a length and so many bytes.
func (c *cursor) text() string { return c.take(c.uint()) }

// clockSize is the size of the encoded millis and counter of a timestamp.
const clockSize = 12

// clock reads millis and counter. The sign bit of millis is stored inverted, so
// that the order of the bytes is the order of the numbers.
func (c *cursor) clock() (millis int64, counter uint32) {
	b := c.take(clockSize)
	if c.bad {
		return 0, 0
	}
	return int64(beUint64(b) ^ 1<<63), beUint32(b[8:])
}

func appendClock(dst []byte, t hlc.Timestamp) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Millis)^1<<63)
	return binary.BigEndian.AppendUint32(dst, t.Counter)
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func beUint64(s string) uint64 {
	_ = s[7]
	return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
		uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
}

func beUint32(s string) uint32 {
	_ = s[3]
	return uint32(s[3]) | uint32(s[2])<<8 | uint32(s[1])<<16 | uint32(s[0])<<24
}

// bytesOf views an immutable string as bytes, which must not be modified.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
