package records

import "github.com/topgunbuild/topgun-go/internal/core/change"

// Validate reports whether a state is one of its kind, as InstallRow does. The
// error matches crdt.ErrCorrupt.
func Validate(kind change.Kind, state []byte) error { return validate(kind, state) }
