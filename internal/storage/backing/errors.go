package backing

import "errors"

// What a caller branches on. Errors of a store match exactly one of these, or
// the error of the caller's context; more is said in the text around them.
var (
	// ErrInvalid is a call that breaks the rules of the seam: rows out of
	// order, a limit exceeded. Nothing was written; trying again is of no use.
	ErrInvalid = errors.New("backing: invalid call")

	// ErrStale is a mark that would go backwards. Nothing was written.
	ErrStale = errors.New("backing: mark goes backwards")

	// ErrClosed is any call after Close.
	ErrClosed = errors.New("backing: store is closed")

	// ErrLocked is an Open of a store that another process, or this one, has
	// open. The text names it.
	ErrLocked = errors.New("backing: store is in use")

	// ErrFormat is an Open of a store whose format this version does not know,
	// or of something that is no store of ours.
	ErrFormat = errors.New("backing: unknown format")

	// ErrCorrupt means that stored bytes are not what was written. Reads of
	// other rows may still work. It does not go away by itself.
	ErrCorrupt = errors.New("backing: corrupt")

	// ErrFull means that there was no room, on disk or by quota. The store
	// stays readable; the same call succeeds once there is room.
	ErrFull = errors.New("backing: no space left")

	// ErrIO is any other failure of the disk or of the way to it. The store
	// stays readable as far as the disk lets it; the same call may be tried
	// again and succeeds once the fault is gone.
	ErrIO = errors.New("backing: input or output failed")
)

// KindOf returns the one of the errors above that err matches, or nil.
func KindOf(err error) error {
	for _, kind := range []error{ErrInvalid, ErrStale, ErrClosed, ErrLocked, ErrFormat, ErrCorrupt, ErrFull, ErrIO} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return nil
}

// HasKind reports whether err matches one of the errors above.
func HasKind(err error) bool { return KindOf(err) != nil }
