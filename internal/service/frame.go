package service

// Frame is one outgoing message. Head followed by Body are the bytes of one
// MessagePack document and travel as one WebSocket message. Both may be shared with
// other frames and are never modified. Either may be empty.
type Frame struct {
	Head, Body []byte

	// Asked says that the client has asked for the message, and that whoever sends
	// it sees to it that few such messages wait: it does not count when a session
	// is ended because too much waits for it.
	Asked bool
}

// Len is the size of the message in bytes.
func (f Frame) Len() int { return len(f.Head) + len(f.Body) }
