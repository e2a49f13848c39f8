// Package policy decides who may do what.
//
// The decision on a write depends on the record before and after it, so it
// can only be made by the owner of the key while it merges. Admission therefore
// attaches a Check to the operation, and the record machine evaluates it
// between reading the old state and writing the new one. While no policy exists
// admission attaches none, and a nil Check allows.
package policy

import (
	"errors"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// ErrDenied is returned by a Check that refuses.
var ErrDenied = errors.New("policy: access denied")

// Principal is an authenticated caller.
type Principal struct {
	// ID is the subject of the caller's token; empty without authentication.
	ID string

	// Roles are the token's roles. They grant nothing by themselves.
	Roles []string
}

// Action is what a caller wants to do with a record.
type Action uint8

// The actions that rules speak about.
const (
	ActionRead Action = iota + 1
	ActionWrite
	ActionRemove
)

// Check decides on one change of one record. before and after are its values,
// nil where there is none. It returns nil or an error matching ErrDenied whose
// text may be shown to the caller.
//
// A Check runs on the lane that owns the key: it is pure, quick, and safe for
// concurrent use.
type Check interface {
	Allow(action Action, key string, before, after value.Raw) error
}
