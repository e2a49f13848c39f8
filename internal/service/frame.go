package service

// Frame is one outgoing message. Head followed by Body are the bytes of one
// MessagePack document and travel as one WebSocket message. Both may be shared with
// other frames and are never modified. Either may be empty.
type Frame struct {
	Head, Body []byte
}

// Len is the size of the message in bytes.
func (f Frame) Len() int { return len(f.Head) + len(f.Body) }
