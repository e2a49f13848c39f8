package record

import (
	"encoding/binary"
	"unsafe"
)

// Entry is the record of one key.
type Entry struct {
	// blob is the key's length as an unsigned varint, the key, and the state.
	// It is never modified.
	blob string

	// Seq is the position in the partition's stream that wrote the state.
	Seq uint64

	// Arrival is the node's clock at that moment: milliseconds in the upper 48
	// bits, counter in the lower 16.
	Arrival uint64

	// Sum is the entry hash that the Merkle tree holds for this key, 0 for none.
	// While Stale is set it is the hash of an earlier state.
	Sum uint32

	flags uint32
}

const (
	flagDirty = 1 << 0
	flagStale = 1 << 1
)

// Key is the entry's key.
func (e *Entry) Key() string {
	n, w := e.keyLen()
	return e.blob[w : w+n]
}

// State is the entry's encoded state, in the encoding of its map's kind.
func (e *Entry) State() string {
	n, w := e.keyLen()
	return e.blob[w+n:]
}

// Cost is the memory that the entry takes, in bytes, without its share of the
// page's unused slots.
func (e *Entry) Cost() int { return len(e.blob) + int(unsafe.Sizeof(*e)) + 4 }

// Dirty reports whether the entry changed since it was last collected for a
// checkpoint.
func (e *Entry) Dirty() bool { return e.flags&flagDirty != 0 }

// SetDirty sets or clears the mark that Dirty reports.
func (e *Entry) SetDirty(on bool) { e.set(flagDirty, on) }

// Stale reports whether Sum has to be computed again.
func (e *Entry) Stale() bool { return e.flags&flagStale != 0 }

// SetStale sets or clears the mark that Stale reports.
func (e *Entry) SetStale(on bool) { e.set(flagStale, on) }

func (e *Entry) set(flag uint32, on bool) {
	if on {
		e.flags |= flag
	} else {
		e.flags &^= flag
	}
}

// SetState replaces the entry's state. It copies state.
func (e *Entry) SetState(state []byte) {
	n, w := e.keyLen()
	e.blob = join(e.blob[:w+n], state)
}

func (e *Entry) keyLen() (n, width int) {
	if c := e.blob[0]; c < 0x80 {
		return int(c), 1
	}
	return e.longKeyLen()
}

func (e *Entry) longKeyLen() (n, width int) {
	var v uint64
	for i := 0; ; i++ {
		c := e.blob[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int(v), i + 1
		}
	}
}

// newBlob lays out key and state in one allocation.
func newBlob(key string, state []byte) string {
	b := make([]byte, 0, len(key)+len(state)+binary.MaxVarintLen32)
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	return freeze(append(b, state...))
}

func join(head string, state []byte) string {
	b := make([]byte, 0, len(head)+len(state))
	b = append(b, head...)
	return freeze(append(b, state...))
}

// freeze turns bytes that nobody else holds into a string without a copy.
func freeze(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
