package value

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Ext is an extension value: an application's type number and opaque bytes.
// The server carries extensions and gives them no meaning.
type Ext struct {
	Type int8
	Data []byte
}

// parseExt returns the parts of a complete extension value, Data in place.
func parseExt(v Raw) Ext {
	h, err := header(v)
	if err != nil || h.kind != KindExt {
		return Ext{}
	}
	return Ext{Type: int8(v[h.body-1]), Data: v[h.body:h.end():h.end()]}
}

// AppendExt appends an extension value in its shortest form.
func AppendExt(dst []byte, typ int8, data []byte) []byte {
	switch n := len(data); {
	case n == 1 || n == 2 || n == 4 || n == 8 || n == 16:
		dst = append(dst, leadFixExt+byte(bits.TrailingZeros(uint(n))))
	case n <= math.MaxUint8:
		dst = append(dst, leadExt8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, leadExt16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, leadExt32), uint32(n))
	}
	return append(append(dst, byte(typ)), data...)
}
