package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// What can be wrong with a frame. Every error of Decode matches one of them.
var (
	// ErrMalformed means that the frame is not one MessagePack map with a
	// string named "type".
	ErrMalformed = errors.New("wire: malformed frame")
	// ErrUnknownType means a message type that this version does not define;
	// the error is an *UnknownTypeError.
	ErrUnknownType = errors.New("wire: unknown message type")
	// ErrInvalid means that a field is missing or has a wrong kind or value.
	ErrInvalid = errors.New("wire: invalid field")
	// ErrTooLarge means that a frame, a string or a list exceeds its limit.
	ErrTooLarge = errors.New("wire: limit exceeded")
)

// DecodeError says why a frame, or one operation of it, was refused. It holds
// no view of the frame.
type DecodeError struct {
	// Code is what to answer.
	Code Code

	// Type is the message's type, zero if the frame has none.
	Type Type

	// Field is the path of the field, as in "ops[3].record.timestamp"; empty
	// for the frame as a whole.
	Field string

	// Reason says what was wrong there.
	Reason string

	// Err is ErrMalformed, ErrInvalid or ErrTooLarge.
	Err error
}

// Error is a text that may be shown to the sender of the frame.
func (e *DecodeError) Error() string {
	place := e.Type.String()
	switch {
	case e.Type == 0:
		place = e.Field
	case e.Field != "":
		place += "." + e.Field
	}
	if place == "" {
		return fmt.Sprintf("%v: %s", e.Err, e.Reason)
	}
	return fmt.Sprintf("%v: %s: %s", e.Err, place, e.Reason)
}

// Unwrap returns the sentinel.
func (e *DecodeError) Unwrap() error { return e.Err }

// UnknownTypeError carries the name of a type that is not defined, cut to 64
// bytes.
type UnknownTypeError struct{ Name string }

// Error names the type.
func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("%v %q", ErrUnknownType, e.Name)
}

// Is reports whether target is ErrUnknownType.
func (e *UnknownTypeError) Is(target error) bool { return target == ErrUnknownType }

func unknownType(name string) error {
	return &UnknownTypeError{Name: strings.Clone(name[:min(len(name), 64)])}
}

// fault is a refusal on its way from the field where it was found to the
// DecodeError that also knows the path to it.
type fault struct {
	code   Code
	err    error
	reason string
}

func (f *fault) Error() string { return f.reason }

func tooLarge(what string, got, limit int, unit string) *DecodeError {
	return &DecodeError{
		Code: CodeTooLarge, Err: ErrTooLarge,
		Reason: fmt.Sprintf("%s has %d %s, the limit is %d; split it into smaller messages", what, got, unit, limit),
	}
}

// decodeError turns the failure of a decoder, at path, into a DecodeError.
func decodeError(t Type, path string, err error) *DecodeError {
	out := &DecodeError{Code: CodeInvalidField, Type: t, Field: path, Reason: err.Error(), Err: ErrInvalid}
	if structural(err) {
		out.Code, out.Err = CodeMalformed, ErrMalformed
		return out
	}
	switch err := err.(type) { //nolint:errorlint // failures of the reader are never wrapped
	case *fault:
		out.Code, out.Err = err.code, err.err
	case *value.ReadError:
		out.Reason = fmt.Sprintf("want %s, got %s", err.Want, err.Got)
		if errors.Is(err, value.ErrRange) {
			out.Reason = fmt.Sprintf("%s out of range", err.Want)
		}
	}
	return out
}
