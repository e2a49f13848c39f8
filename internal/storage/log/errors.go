package log

import (
	"errors"
	"fmt"
)

// What callers branch on.
var (
	// ErrStale refuses an append under a generation that has failed: the caller
	// has merged on top of something that is gone and must load again first.
	ErrStale = errors.New("log: generation has failed")

	// ErrUnavailable refuses appends and steps between a failure and a
	// successful Recover. The text says what failed.
	ErrUnavailable = errors.New("log: unavailable after a failure")

	// ErrFull refuses an append while Options.MaxPending bytes wait for Step.
	ErrFull = errors.New("log: too many bytes pending")

	// ErrTooLarge refuses a payload of more than MaxFrame bytes, and more than
	// 1 GiB in one Append.
	ErrTooLarge = errors.New("log: payload too large")

	// ErrTruncated is returned for a position before the first retained frame.
	ErrTruncated = errors.New("log: position is no longer retained")

	// ErrConsumer refuses a consumer for its name, or because there are as many as
	// there may be. The text says which.
	ErrConsumer = errors.New("log: no such consumer can be")

	// ErrCorrupt matches every CorruptError.
	ErrCorrupt = errors.New("log: corrupt")

	// ErrVersion is returned for a segment that a later version has written.
	ErrVersion = errors.New("log: unknown format version")

	// ErrClosed is returned by a log after Close.
	ErrClosed = errors.New("log: closed")
)

// CorruptError says where the log does not verify although it once did. It
// matches ErrCorrupt.
type CorruptError struct {
	Segment string // file name
	Offset  int64  // bytes from the start of the file
	Reason  string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("log: corrupt: segment %s at byte %d: %s", e.Segment, e.Offset, e.Reason)
}

// Is makes every CorruptError match ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
