package backing

import (
	"fmt"
	"unsafe"
)

// The limits of what a row may be. They are far above what the protocol admits
// and exist so that a store may rely on a bound.
const (
	// MaxMapBytes is the longest name of a map.
	MaxMapBytes = 64 << 10

	// MaxKeyBytes is the longest key.
	MaxKeyBytes = 1 << 20

	// MaxStateBytes is the longest state of one key.
	MaxStateBytes = 256 << 20
)

// Row is the state of one key.
type Row struct {
	Key

	// Kind says what State encodes. The store carries it and reports it in Maps.
	Kind uint8

	// Seq is the position in the partition's stream of the change that made
	// this state. Replay skips changes of the log that are not beyond it.
	Seq uint64

	// Arrival is the packed time at which that change arrived.
	Arrival uint64

	// State is the encoded record, carried unchanged. Empty is a legal state.
	State []byte
}

// Write is one row of a checkpoint: the row's new content, or its removal.
type Write struct {
	Row

	// Delete removes the row; State must then be empty. Removing a row that
	// is not there is no error.
	Delete bool
}

// Checker checks the rows of one checkpoint as they stream by; it is how every
// store keeps the same rules. The zero Checker is ready to use.
type Checker struct {
	some      bool
	last      Key // its strings are views of the two below
	name, key []byte
}

// Row returns ErrInvalid, naming the key, if w does not follow the row before
// it, breaks a limit, or deletes and carries a state at once. It keeps nothing
// of w.
func (c *Checker) Row(w *Write) error {
	switch {
	case len(w.Map) > MaxMapBytes:
		return fmt.Errorf("map name of %d bytes: %w", len(w.Map), ErrInvalid)
	case len(w.Key.Key) > MaxKeyBytes:
		return fmt.Errorf("key of %d bytes in map %q: %w", len(w.Key.Key), w.Map, ErrInvalid)
	case len(w.State) > MaxStateBytes:
		return fmt.Errorf("state of %d bytes at %v: %w", len(w.State), w.Key, ErrInvalid)
	case w.Delete && len(w.State) > 0:
		return fmt.Errorf("delete with a state at %v: %w", w.Key, ErrInvalid)
	case c.some && c.last.Compare(w.Key) >= 0:
		return fmt.Errorf("row %v after %v: %w", w.Key, c.last, ErrInvalid)
	}
	c.remember(w.Key)
	return nil
}

// remember copies k, reusing memory.
func (c *Checker) remember(k Key) {
	if !c.some || c.last.Map != k.Map {
		c.name = append(c.name[:0], k.Map...)
	}
	c.key = append(c.key[:0], k.Key...)
	c.some, c.last = true, k
	c.last.Map = unsafe.String(unsafe.SliceData(c.name), len(c.name))
	c.last.Key = unsafe.String(unsafe.SliceData(c.key), len(c.key))
}
