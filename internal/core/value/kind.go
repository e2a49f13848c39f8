package value

// Kind says what a value is, from its first byte.
type Kind uint8

// The kinds of values. KindInvalid stands for no bytes at all and for the one
// lead byte that MessagePack never uses.
const (
	KindInvalid Kind = iota
	KindNil
	KindBool
	KindInt // any integer form, signed or unsigned
	KindFloat
	KindStr
	KindBin
	KindArray
	KindMap
	KindExt
)

var kindNames = [...]string{
	"no value", "nil", "bool", "int", "float", "string", "binary", "array", "map", "extension",
}

// String names the kind as error messages do.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[KindInvalid]
}

// Number reports whether the kind is an integer or a float.
func (k Kind) Number() bool { return k == KindInt || k == KindFloat }

// KindOf returns the kind of the first value of b, KindInvalid if b is empty.
func KindOf(b []byte) Kind {
	if len(b) == 0 {
		return KindInvalid
	}
	return leads[b[0]].kind
}

// Lead bytes of the encoding that are named in more than one place.
const (
	leadNil    = 0xc0
	leadFalse  = 0xc2
	leadTrue   = 0xc3
	leadBin8   = 0xc4
	leadBin16  = 0xc5
	leadBin32  = 0xc6
	leadExt8   = 0xc7
	leadExt16  = 0xc8
	leadExt32  = 0xc9
	leadFloat4 = 0xca
	leadFloat8 = 0xcb
	leadUint8  = 0xcc
	leadUint16 = 0xcd
	leadUint32 = 0xce
	leadUint64 = 0xcf
	leadInt8   = 0xd0
	leadInt16  = 0xd1
	leadInt32  = 0xd2
	leadInt64  = 0xd3
	leadFixExt = 0xd4 // the first of five, for 1, 2, 4, 8 and 16 bytes
	leadStr8   = 0xd9
	leadStr16  = 0xda
	leadStr32  = 0xdb
	leadArr16  = 0xdc
	leadArr32  = 0xdd
	leadMap16  = 0xde
	leadMap32  = 0xdf
)

// lead is what a first byte tells about its value.
type lead struct {
	kind  Kind
	fixed uint8 // bytes before the payload: the lead, its length field, an extension's type
	width uint8 // bytes of the length field: 0, 1, 2 or 4
	count uint8 // the length itself when it is part of the lead byte
}

// leads describes all 256 first bytes.
var leads = makeLeads()

// sizes holds the whole length of values that their first byte alone tells:
// nil, booleans, numbers, short strings and fixed extensions. It is 0 for all
// others. Most values of most documents are of these.
var sizes = makeSizes()

func makeSizes() (t [256]uint8) {
	for c, l := range leads {
		if l.width == 0 && l.kind != KindInvalid && l.kind != KindArray && l.kind != KindMap {
			t[c] = l.fixed + l.count
		}
	}
	return t
}

func makeLeads() (t [256]lead) {
	for c := range t {
		switch {
		case c <= 0x7f || c >= 0xe0:
			t[c] = lead{kind: KindInt, fixed: 1}
		case c <= 0x8f:
			t[c] = lead{kind: KindMap, fixed: 1, count: uint8(c & 0x0f)}
		case c <= 0x9f:
			t[c] = lead{kind: KindArray, fixed: 1, count: uint8(c & 0x0f)}
		case c <= 0xbf:
			t[c] = lead{kind: KindStr, fixed: 1, count: uint8(c & 0x1f)}
		}
	}
	t[leadNil] = lead{kind: KindNil, fixed: 1}
	t[leadFalse] = lead{kind: KindBool, fixed: 1}
	t[leadTrue] = lead{kind: KindBool, fixed: 1}
	t[leadFloat4] = lead{kind: KindFloat, fixed: 5}
	t[leadFloat8] = lead{kind: KindFloat, fixed: 9}
	for i, width := range []uint8{1, 2, 4, 8} {
		t[leadUint8+i] = lead{kind: KindInt, fixed: 1 + width}
		t[leadInt8+i] = lead{kind: KindInt, fixed: 1 + width}
	}
	for i, width := range []uint8{1, 2, 4} {
		t[leadBin8+i] = lead{kind: KindBin, fixed: 1 + width, width: width}
		t[leadExt8+i] = lead{kind: KindExt, fixed: 2 + width, width: width}
		t[leadStr8+i] = lead{kind: KindStr, fixed: 1 + width, width: width}
	}
	for i, width := range []uint8{2, 4} {
		t[leadArr16+i] = lead{kind: KindArray, fixed: 1 + width, width: width}
		t[leadMap16+i] = lead{kind: KindMap, fixed: 1 + width, width: width}
	}
	for i := range 5 {
		t[leadFixExt+i] = lead{kind: KindExt, fixed: 2, count: 1 << i}
	}
	return t
}
