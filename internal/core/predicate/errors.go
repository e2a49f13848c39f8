package predicate

import (
	"errors"
	"fmt"
)

// What a condition can be refused for.
var (
	// ErrSyntax means a tree that is not a condition.
	ErrSyntax = errors.New("predicate: malformed condition")
	// ErrLimit means a condition that exceeds a limit of this package.
	ErrLimit = errors.New("predicate: condition exceeds a limit")
	// ErrUnsupported means an operator that is not evaluated here: an unknown
	// one, or full-text search. Error.Op names it.
	ErrUnsupported = errors.New("predicate: unsupported operator")
)

// Error says which part of a condition was refused and why.
type Error struct {
	Path   string // e.g. predicate.children[2].op, or where.age.$gte
	Op     string // the operator as written, if it is what was refused
	Detail string // what is wrong there
	Err    error  // ErrSyntax, ErrLimit or ErrUnsupported
}

// Error describes the place and the reason. The text may be shown to whoever
// wrote the condition.
func (e *Error) Error() string { return fmt.Sprintf("%v: %s: %s", e.Err, e.Path, e.Detail) }

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// The parser and the compiler make errors without a path; each level on the
// way out puts its own segment in front.

func syntaxError(field, detail string) *Error {
	return &Error{Path: field, Detail: detail, Err: ErrSyntax}
}

func limitError(field, what string, limit int) *Error {
	return &Error{Path: field, Detail: fmt.Sprintf("more than %d %s", limit, what), Err: ErrLimit}
}

func unsupportedError(field, op string) *Error {
	return &Error{Path: field, Op: op, Detail: fmt.Sprintf("operator %q", op), Err: ErrUnsupported}
}

// within puts a segment in front of the path.
func (e *Error) within(segment string) *Error {
	if e.Path == "" {
		e.Path = segment
	} else {
		e.Path = segment + "." + e.Path
	}
	return e
}
