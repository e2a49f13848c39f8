package socket

import "encoding/binary"

// Opcodes of RFC 6455 §5.2.
const (
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA

	final  = 0x80
	masked = 0x80
)

// Frame returns message as one binary frame of a client. Its mask is zero, which
// leaves the payload as it is: it may be changed in place between two writes. The
// payload begins at the returned offset.
func Frame(message []byte) (frame []byte, payload int) {
	frame = appendHeader(make([]byte, 0, len(message)+14), opBinary, len(message))
	payload = len(frame)
	return append(frame, message...), payload
}

// appendHeader appends the header of a final frame with a mask of zeros.
func appendHeader(dst []byte, op byte, size int) []byte {
	dst = append(dst, final|op)
	switch {
	case size < 126:
		dst = append(dst, masked|byte(size))
	case size < 1<<16:
		dst = append(dst, masked|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	default:
		dst = append(dst, masked|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(size))
	}
	return append(dst, 0, 0, 0, 0)
}
