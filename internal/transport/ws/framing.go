package ws

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// opcode says what a frame is (RFC 6455 §5.2).
type opcode byte

const (
	opContinue opcode = 0x0
	opText     opcode = 0x1
	opBinary   opcode = 0x2
	opClose    opcode = 0x8
	opPing     opcode = 0x9
	opPong     opcode = 0xa
)

// isControl reports whether op is a close, a ping, a pong or one of the
// undefined control frames.
func (op opcode) isControl() bool { return op&0x8 != 0 }

const (
	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0f
	maskBit = 0x80
	lenBits = 0x7f

	len16 = 126 // the length follows in 2 bytes
	len64 = 127 // the length follows in 8 bytes

	// maxControl is the longest payload of a control frame.
	maxControl = 125
)

// What a peer may get wrong about framing. All are closed with 1002.
var (
	errReserved   = violation("reserved bits or an unknown opcode in a frame")
	errUnmasked   = violation("a client's frames must be masked")
	errControl    = violation("a control frame is fragmented or longer than 125 bytes")
	errSequence   = violation("a continuation without a beginning, or a beginning inside a message")
	errLength     = violation("a frame's length is out of range")
	errClosePart  = violation("a close frame without a valid code and reason")
	errTooBig     = &service.CloseError{Code: wire.CloseTooBig}
	closeNoStatus = wire.CloseCode(1005) // never on the wire: a close frame without a code
	closeAbnormal = wire.CloseCode(1006) // never on the wire: gone without a close frame
)

// violation is the end of a connection whose peer does not speak RFC 6455.
func violation(reason string) *service.CloseError {
	return &service.CloseError{Code: wire.CloseProtocolError, Reason: reason}
}

// appendHeader appends the header of a whole, unmasked message of n bytes.
func appendHeader(dst []byte, op opcode, n int) []byte {
	dst = append(dst, finBit|byte(op))
	switch {
	case n < len16:
		return append(dst, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, len16), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, len64), uint64(n))
	}
}

// appendClose appends a close frame, without code and reason for
// closeNoStatus. The reason is cut to what fits, between characters. Other
// codes that may not be sent become an internal error.
func appendClose(dst []byte, code wire.CloseCode, reason string) []byte {
	if code == closeNoStatus {
		return appendHeader(dst, opClose, 0)
	}
	if !sendable(code) {
		code = wire.CloseInternalError
	}
	if most := maxControl - 2; len(reason) > most {
		for most > 0 && !utf8.RuneStart(reason[most]) {
			most--
		}
		reason = reason[:most]
	}
	dst = appendHeader(dst, opClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// parseClose reads the payload of a peer's close frame. The code to answer is
// the code that came.
func parseClose(payload []byte) (wire.CloseCode, error) {
	if len(payload) == 0 {
		return closeNoStatus, nil
	}
	if len(payload) == 1 || !utf8.Valid(payload[2:]) {
		return 0, errClosePart
	}
	code := wire.CloseCode(binary.BigEndian.Uint16(payload))
	if !sendable(code) {
		return 0, errClosePart
	}
	return code, nil
}

// sendable reports whether a close frame may carry the code.
func sendable(code wire.CloseCode) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// unmask undoes a client's masking in place. key is the masking key as a
// little-endian number, so that its first byte is the lowest.
func unmask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 32 {
		le := binary.LittleEndian
		le.PutUint64(b, le.Uint64(b)^wide)
		le.PutUint64(b[8:], le.Uint64(b[8:])^wide)
		le.PutUint64(b[16:], le.Uint64(b[16:])^wide)
		le.PutUint64(b[24:], le.Uint64(b[24:])^wide)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
}
