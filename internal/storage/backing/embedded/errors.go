package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// classify gives err, which happened while doing what, its place among the
// errors of the seam.
func classify(what string, err error) error {
	if err == nil {
		return nil
	}
	if backing.HasKind(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	kind := backing.ErrIO
	switch {
	case vfs.IsNoSpaceError(err), errors.Is(err, syscall.EDQUOT):
		kind = backing.ErrFull
	case pebble.IsCorruptionError(err):
		kind = backing.ErrCorrupt
	}
	return fmt.Errorf("%s: %w: %w", what, kind, err)
}

// classifyOpen does the same for an error of pebble's Open, which complains of
// damage in plain words. Damage is what is left when the file system did not
// fail; a file that is missing from a store is damage too.
func classifyOpen(what string, err, fault error) error {
	var errno syscall.Errno
	system := errors.As(err, &errno) && !errors.Is(err, os.ErrNotExist)
	if err != nil && fault == nil && !system {
		return fmt.Errorf("%s: %w: %w", what, backing.ErrCorrupt, err)
	}
	return classify(what, err)
}

// heldElsewhere reports whether an error of locking a file says that somebody
// has it. A lock of the same process is refused in words, that of another by a
// bare number: one of the two that POSIX allows, or that of a sharing violation
// on Windows. A number in the wrapping of a path is of the file and not of the
// lock.
func heldElsewhere(err error) bool {
	const sharingViolation = syscall.Errno(32)
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.As(err, &path):
		return false
	case errors.As(err, &errno):
		return errno == syscall.EAGAIN || errno == syscall.EACCES ||
			runtime.GOOS == "windows" && errno == sharingViolation
	default:
		return true
	}
}
