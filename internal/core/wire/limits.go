package wire

// Limits bounds what Decode accepts. The zero value of every field means its
// default. Nesting is bounded by value.MaxDepth and not adjustable.
type Limits struct {
	// FrameBytes is the longest frame or HTTP body. Default 2 MiB.
	FrameBytes int

	// Ops is the largest number of operations in one frame. Default 10 000.
	Ops int

	// Items is the largest number of elements of any other list.
	// Default 65 536.
	Items int

	// BatchItems is the largest number of messages in one BATCH. Default 8192.
	BatchItems int

	// NameBytes is the longest id or name. Default 512 bytes.
	NameBytes int

	// KeyBytes is the longest key of a record. Default 64 KiB.
	KeyBytes int

	// TokenBytes is the longest credential. Default 16 KiB.
	TokenBytes int

	// TextBytes is the longest query, cursor, source code or message text.
	// Default 256 KiB.
	TextBytes int

	// OpBatches lends the memory of OP_BATCH messages. Default: each is new.
	OpBatches OpBatchPool
}

// withDefaults returns the limits with zero fields replaced.
func (l Limits) withDefaults() Limits {
	def := func(field *int, v int) {
		if *field == 0 {
			*field = v
		}
	}
	def(&l.FrameBytes, 2<<20) // 2 MiB
	def(&l.Ops, 10_000)
	def(&l.Items, 1<<16)
	def(&l.BatchItems, 8192)
	def(&l.NameBytes, 512)
	def(&l.KeyBytes, 64<<10) // 64 KiB
	def(&l.TokenBytes, 16<<10)
	def(&l.TextBytes, 256<<10)
	return l
}

// admit checks the size of a frame.
func (l *Limits) admit(frame []byte) error {
	if len(frame) > l.FrameBytes {
		return tooLarge("frame", len(frame), l.FrameBytes, "bytes")
	}
	return nil
}
