package service

import (
	"errors"
	"fmt"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// Limits bounds what one operation may carry. The zero value of every field
// means its default.
type Limits struct {
	// KeyBytes is the longest key. Default 4 KiB.
	KeyBytes int

	// ValueBytes is the largest value. Default 1 MiB.
	ValueBytes int
}

// WithDefaults returns the limits with zero fields replaced.
func (l Limits) WithDefaults() Limits {
	if l.KeyBytes == 0 {
		l.KeyBytes = 4 << 10
	}
	if l.ValueBytes == 0 {
		l.ValueBytes = 1 << 20
	}
	return l
}

// Admit is the check that every operation of a client passes before it enters
// the grid, whatever message it came in (law 7, ONE-DOOR). It returns why the
// operation is refused for good, or nil.
func (l Limits) Admit(op *records.Op) error {
	switch {
	case records.Reserved(op.Map):
		return &Error{Code: wire.CodeReservedMap}
	case op.Map == "" || strings.Contains(op.Map, ":"):
		return &Error{Code: wire.CodeInvalidName, Text: "a map name may not be empty or contain a colon; choose another"}
	case len(op.Key) > l.KeyBytes:
		return &Error{Code: wire.CodeTooLarge, Text: fmt.Sprintf("the key has %d bytes, the limit is %d; use a shorter one", len(op.Key), l.KeyBytes)}
	case op.Verb == change.Put && len(op.TS.Node) > records.MaxNode:
		return &Error{Code: wire.CodeTooLarge, Text: fmt.Sprintf("the timestamp's nodeId has %d bytes, the limit is %d; use a shorter one", len(op.TS.Node), records.MaxNode)}
	case len(op.Value) > l.ValueBytes:
		return &Error{Code: wire.CodeTooLarge, Text: fmt.Sprintf("the value has %d bytes, the limit is %d; store large data elsewhere", len(op.Value), l.ValueBytes)}
	}
	return nil
}

// Turned is what a handler returns when the engine has not admitted the message
// of that type: ErrBusy, or an *Error when waiting is of no use.
func Turned(err error, typ wire.Type, request string) error {
	if errors.Is(err, engine.ErrBusy) {
		return ErrBusy
	}
	return &Error{
		Code: CodeOf(err), Type: typ, Request: request,
		Text: fmt.Sprintf("the operations were not stored and have to be sent again: %v", err),
	}
}
