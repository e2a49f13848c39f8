package wire

import (
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// appendRaw appends a value as it is, nil if there is none.
func appendRaw(dst []byte, v value.Raw) []byte {
	if len(v) == 0 {
		return value.AppendNil(dst)
	}
	return append(dst, v...)
}

// appendTimestamp appends {millis, counter, nodeId}.
func appendTimestamp(dst []byte, t hlc.Timestamp) []byte {
	dst = append(dst, "\x83\xa6millis"...)
	dst = value.AppendInt(dst, t.Millis)
	dst = append(dst, "\xa7counter"...)
	dst = value.AppendUint(dst, uint64(t.Counter))
	dst = append(dst, "\xa6nodeId"...)
	return value.AppendStr(dst, t.Node)
}

// one is 1 if a field is there.
func one(there bool) int {
	if there {
		return 1
	}
	return 0
}
