package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// The first byte of every key says what it is; docs/format/store.md.
const (
	spaceMeta byte = 0x01
	spaceRows byte = 0x02
	spaceEnd  byte = 0x03
)

// keyMark is where the mark stands.
var keyMark = []byte{spaceMeta, 'm'}

// A map name ends with these two bytes, and a zero byte inside it is written as
// zero and 0xff. So a name sorts before every longer name that begins with it,
// and no name is the beginning of another.
const (
	nameEscape = "\x00\xff"
	nameEnd    = "\x00\x01"
)

// tailBytes is what lies between the name and the key: partition and hash.
const tailBytes = 2 + 4

// appendMapPrefix appends what the keys of all rows of one map begin with.
func appendMapPrefix(dst []byte, tenant uint32, name string) []byte {
	dst = append(dst, spaceRows)
	dst = binary.BigEndian.AppendUint32(dst, tenant)
	for {
		i := strings.IndexByte(name, 0)
		if i < 0 {
			break
		}
		dst = append(dst, name[:i]...)
		dst = append(dst, nameEscape...)
		name = name[i+1:]
	}
	dst = append(dst, name...)
	return append(dst, nameEnd...)
}

// appendKey appends the key of a row.
func appendKey(dst []byte, k *backing.Key) []byte {
	dst = appendMapPrefix(dst, k.Tenant, k.Map)
	dst = binary.BigEndian.AppendUint16(dst, uint16(k.Partition))
	dst = binary.BigEndian.AppendUint32(dst, k.Hash)
	return append(dst, k.Key...)
}

// bounds returns the encoded ends of r, the upper one exclusive.
func bounds(r backing.Range) (lower, upper []byte) {
	lower = appendKey(nil, &r.From)
	if r.Unbounded() {
		return lower, []byte{spaceEnd}
	}
	return lower, appendKey(nil, &r.To)
}

// A keyReader decodes the keys of rows as a scan meets them. It remembers the
// map that it is in, since nearly every key is of the same map as the last.
type keyReader struct {
	prefix []byte // of the last key, up to and with the end of the name
	tenant uint32
	name   string
}

// read decodes b. The Key string of the result is a view of b.
func (kr *keyReader) read(b []byte) (backing.Key, error) {
	if len(kr.prefix) == 0 || !bytes.HasPrefix(b, kr.prefix) {
		if err := kr.readPrefix(b); err != nil {
			return backing.Key{}, err
		}
	}
	rest := b[len(kr.prefix):]
	if len(rest) < tailBytes {
		return backing.Key{}, fmt.Errorf("row key %x ends early: %w", b, backing.ErrCorrupt)
	}
	return backing.Key{
		Tenant:    kr.tenant,
		Map:       kr.name,
		Partition: partition.ID(binary.BigEndian.Uint16(rest)),
		Hash:      binary.BigEndian.Uint32(rest[2:]),
		Key:       view(rest[tailBytes:]),
	}, nil
}

func (kr *keyReader) readPrefix(b []byte) error {
	const head = 1 + 4
	if len(b) < head || b[0] != spaceRows {
		return fmt.Errorf("key %x is not of a row: %w", b, backing.ErrCorrupt)
	}
	var name []byte
	for rest := b[head:]; ; {
		i := bytes.IndexByte(rest, 0)
		if i < 0 || i+1 >= len(rest) {
			return fmt.Errorf("row key %x has no end of name: %w", b, backing.ErrCorrupt)
		}
		name = append(name, rest[:i]...)
		switch end := string(rest[i : i+2]); end {
		case nameEscape:
			name = append(name, 0)
			rest = rest[i+2:]
		case nameEnd:
			kr.prefix = append(kr.prefix[:0], b[:len(b)-len(rest)+i+2]...)
			kr.tenant = binary.BigEndian.Uint32(b[1:])
			kr.name = string(name)
			return nil
		default:
			return fmt.Errorf("row key %x has %x in a name: %w", b, end, backing.ErrCorrupt)
		}
	}
}

// view is b as a string, without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
