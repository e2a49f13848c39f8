package crdt

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt is wrapped by the error for bytes that are not a state.
	ErrCorrupt = errors.New("corrupt state")

	// ErrNoTag is returned for an OR record or removal with an empty tag.
	ErrNoTag = errors.New("empty tag")

	// ErrNotCount is wrapped by CountError.
	ErrNotCount = errors.New("not a finite, non-negative number")
)

// CorruptError says what was being read and how far it went. It matches
// ErrCorrupt.
type CorruptError struct {
	Kind   string // "lww", "or" or "counter"
	Offset int    // in bytes, where reading stopped
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s at byte %d of a %s state", ErrCorrupt, e.Offset, e.Kind)
}

// Unwrap returns ErrCorrupt.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// CountError is the refusal of a number in a counter. It matches ErrNotCount.
type CountError struct {
	Node  string
	Count float64
}

func (e *CountError) Error() string {
	return fmt.Sprintf("count %v of node %.80q: %s", e.Count, e.Node, ErrNotCount)
}

// Unwrap returns ErrNotCount.
func (e *CountError) Unwrap() error { return ErrNotCount }
