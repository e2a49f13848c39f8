package wire

import (
	"encoding/binary"
	"fmt"
)

// Batch carries several messages in one frame. Servers send it only to clients
// that asked for it; no known client sends it.
//
//wire:message BATCH flat both
type Batch struct {
	Count int64  `wire:"count,omitempty"` // informational
	Data  []byte `wire:"data"`            // u32 count, then each message after its u32 length, all little-endian
}

// Messages returns the frames in the batch, as views of its data, in order. It
// accepts both layouts: what servers send (a little-endian u32 count, then each
// message after its little-endian u32 length) and the other one (each message
// after its big-endian u32 length). The one that consumes the data exactly is
// meant.
//
// The error is a *DecodeError: ErrTooLarge beyond lim.BatchItems messages,
// ErrInvalid if neither layout fits. Whether a message may itself be a batch is
// for the caller to say.
func (m *Batch) Messages(lim Limits) ([][]byte, error) {
	lim = lim.withDefaults()
	if len(m.Data) >= 4 {
		count := binary.LittleEndian.Uint32(m.Data)
		if out, n, ok := splitBatch(m.Data[4:], binary.LittleEndian, lim.BatchItems); ok && uint32(n) == count {
			return out, batchLimit(n, lim.BatchItems)
		}
	}
	out, n, ok := splitBatch(m.Data, binary.BigEndian, lim.BatchItems)
	if !ok {
		return nil, &DecodeError{
			Code: CodeInvalidField, Type: TypeBatch, Field: "data", Err: ErrInvalid,
			Reason: fmt.Sprintf("%d bytes are no sequence of messages with their lengths", len(m.Data)),
		}
	}
	return out, batchLimit(n, lim.BatchItems)
}

// splitBatch cuts data into n messages and returns them if there are at most
// limit. ok is false if a length is 0 or the last message does not end with the
// data.
func splitBatch(data []byte, order binary.ByteOrder, limit int) (out [][]byte, n int, ok bool) {
	for rest := data; len(rest) > 0; n++ {
		if len(rest) < 4 {
			return nil, 0, false
		}
		size := uint64(order.Uint32(rest))
		if size == 0 || size > uint64(len(rest)-4) {
			return nil, 0, false
		}
		rest = rest[4+size:]
	}
	if n > limit {
		return nil, n, true
	}
	out = make([][]byte, n)
	for i := range out {
		end := 4 + int(order.Uint32(data))
		out[i], data = data[4:end:end], data[end:]
	}
	return out, n, true
}

func batchLimit(n, limit int) error {
	if n > limit {
		e := tooLarge("data", n, limit, "messages")
		e.Type, e.Field = TypeBatch, "data"
		return e
	}
	return nil
}

// AppendBatch appends the frame of a BATCH in the layout that clients read.
// A PONG must not be among the messages: clients see heartbeats only at the top
// level.
func AppendBatch(dst []byte, messages ...[]byte) []byte {
	size := 4
	for _, msg := range messages {
		size += 4 + len(msg)
	}
	data := make([]byte, 0, size)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(messages)))
	for _, msg := range messages {
		data = binary.LittleEndian.AppendUint32(data, uint32(len(msg)))
		data = append(data, msg...)
	}
	b := Batch{Count: int64(len(messages)), Data: data}
	return b.AppendTo(dst)
}
