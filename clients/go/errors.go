package topgun

import (
	"errors"
	"fmt"
	"strings"
)

// What callers branch on. The types below carry the details and match these.
var (
	// ErrClosed means that the client, or the subscription, has been closed.
	ErrClosed = errors.New("topgun: closed")

	// ErrNotFound means that a map holds nothing under the key.
	ErrNotFound = errors.New("topgun: not found")

	// ErrQueueFull means that too much waits to be sent; nothing was written.
	// The error is a *QueueFullError.
	ErrQueueFull = errors.New("topgun: queue full")

	// ErrTooLarge means that a key or a value exceeds a limit; nothing was
	// written. The error is a *TooLargeError.
	ErrTooLarge = errors.New("topgun: too large")

	// ErrInvalidName means a name that the server does not allow: maps need at
	// least one character and no colon, topics and counters 1 to 256 characters of
	// A-Z a-z 0-9 _ . : / -.
	ErrInvalidName = errors.New("topgun: invalid name")

	// ErrMapKind means that the client holds a map of the other kind under this
	// name.
	ErrMapKind = errors.New("topgun: the map is open as one of the other kind")

	// ErrNilValue means an attempt to set a key to nil, which would delete it.
	ErrNilValue = errors.New("topgun: a value may not be nil; use Remove")

	// ErrInvalidAmount means that a counter was to change by a number that is not
	// finite and positive, or would leave the range of float64.
	ErrInvalidAmount = errors.New("topgun: not a finite, positive amount")

	// ErrInvalidTTL means a time to live of less than a millisecond.
	ErrInvalidTTL = errors.New("topgun: a time to live has at least a millisecond")

	// ErrInvalidValue means a Go value that has no encoding, or bytes that do not
	// fit the Go type.
	ErrInvalidValue = errors.New("topgun: invalid value")

	// ErrRejected means that the server refused an operation for good. The error
	// is a *RejectedError.
	ErrRejected = errors.New("topgun: rejected")

	// ErrUnauthorized means that the server did not accept the client. The error
	// is an *AuthError.
	ErrUnauthorized = errors.New("topgun: unauthorized")

	// ErrDisconnected means that there is no connection, or no longer. The error
	// is a *ConnectionError.
	ErrDisconnected = errors.New("topgun: disconnected")

	// ErrHeartbeat means that the server was silent for 15 s.
	ErrHeartbeat = errors.New("topgun: no sign of life from the server")

	// ErrInvalidQuery means a query that cannot be answered. The error is a
	// *QueryError.
	ErrInvalidQuery = errors.New("topgun: query refused")
)

// QueueFullError says which limit was reached.
type QueueFullError struct {
	Queue string // "operations" or "publications"
	Limit int    // of Unit
	Unit  string // "operations", "bytes" or "messages"
}

// Error describes the limit.
func (e *QueueFullError) Error() string {
	return fmt.Sprintf("%v: %s are limited to %d %s that wait to be sent", ErrQueueFull, e.Queue, e.Limit, e.Unit)
}

// Is reports whether target is ErrQueueFull.
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }

// TooLargeError says what exceeded which limit, in bytes.
type TooLargeError struct {
	What        string // "key" or "value"
	Size, Limit int
}

// Error describes the excess.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%v: the %s has %d bytes, the limit is %d", ErrTooLarge, e.What, e.Size, e.Limit)
}

// Is reports whether target is ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// RejectedError names an operation that the server refused for good. It has
// been taken back from the replica.
type RejectedError struct {
	Op     string // the operation's id, a decimal number
	Kind   string // PUT, REMOVE, OR_ADD or OR_REMOVE
	Map    string
	Key    string
	Code   int    // as in HTTP; 0 if the server gave none
	Name   string // the code's name, such as FORBIDDEN; empty if the server gave none
	Reason string // for people
}

// Error says what was refused and why.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("%v: operation %s, %s of %q in %q: %d %s", ErrRejected, e.Op, e.Kind, e.Key, e.Map, e.Code, e.Reason)
}

// Is reports whether target is ErrRejected.
func (e *RejectedError) Is(target error) bool { return target == ErrRejected }

// ServerError is an ERROR message of the server. Nothing waits for it, but it
// tells why something may be missing.
type ServerError struct {
	Code    int    // as in HTTP
	Name    string // of the code, such as OVERLOADED; empty if not given
	Message string // for people
	Type    string // of the message that was refused, such as TOPIC_SUB; empty if not given
	Request string // its id, or what it was about; empty if not given
}

// Error repeats the message.
func (e *ServerError) Error() string {
	about := strings.TrimSpace(e.Type + " " + e.Request)
	return strings.TrimSpace(fmt.Sprintf("topgun: the server says %d %s: %s %s", e.Code, e.Name, e.Message, about))
}

// AuthError says why the server did not accept the client.
type AuthError struct {
	Code   int // as in HTTP; 0 if the server gave none
	Reason string
	Err    error // of the token provider; nil if the server refused
}

// Error gives the reason.
func (e *AuthError) Error() string { return fmt.Sprintf("%v: %s", ErrUnauthorized, e.Reason) }

// Is reports whether target is ErrUnauthorized.
func (e *AuthError) Is(target error) bool { return target == ErrUnauthorized }

// Unwrap returns the token provider's error.
func (e *AuthError) Unwrap() error { return e.Err }

// ConnectionError says why there is no connection.
type ConnectionError struct {
	Doing string // "dial", "handshake", "read", "write" or "wait"
	Err   error
}

// Error says what was done and what came of it.
func (e *ConnectionError) Error() string {
	return fmt.Sprintf("%v: %s: %v", ErrDisconnected, e.Doing, e.Err)
}

// Is reports whether target is ErrDisconnected.
func (e *ConnectionError) Is(target error) bool { return target == ErrDisconnected }

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.Err }

// QueryError says why a query has no result.
type QueryError struct {
	Name   string // of the code, such as INVALID_QUERY
	Reason string
}

// Error gives the reason.
func (e *QueryError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrInvalidQuery, e.Name, e.Reason)
}

// Is reports whether target is ErrInvalidQuery.
func (e *QueryError) Is(target error) bool { return target == ErrInvalidQuery }

// ValueError says what could not be encoded or decoded, and where.
type ValueError struct {
	Key  string // of the record; empty if there is none
	Path string // within the value, such as address.city; empty for the whole
	Err  error
}

// Error names the place.
func (e *ValueError) Error() string {
	place := ""
	if e.Path != "" {
		place = " at " + e.Path
	}
	if e.Key != "" {
		place += fmt.Sprintf(" of key %q", e.Key)
	}
	return fmt.Sprintf("%v%s: %v", ErrInvalidValue, place, e.Err)
}

// Is reports whether target is ErrInvalidValue.
func (e *ValueError) Is(target error) bool { return target == ErrInvalidValue }

// Unwrap returns the cause.
func (e *ValueError) Unwrap() error { return e.Err }

// ConcernError says that a write is carried out, but that the server cannot
// bring it as far as the write asked for. It stays in the replica.
type ConcernError struct {
	// Reached is how far the write has come.
	Reached Concern

	// Reason is the server's.
	Reason string
}

func (e *ConcernError) Error() string {
	return fmt.Sprintf("topgun: the write has only reached %s: %s", e.Reached, e.Reason)
}
