package service

import (
	"errors"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// ErrBusy is returned by a handler that cannot take a message now. Nothing has
// happened; the session reads no further until Caller.Wake is called, and then
// offers the same message again.
var ErrBusy = errors.New("service: busy")

// Error refuses a request for which the protocol has no typed answer. The
// session sends it as an ERROR message.
type Error struct {
	Code wire.Code

	// Text says what was wrong and what to do; empty means the code's own text.
	Text string

	// Type and Request name the message that was refused; Request may be empty.
	Type    wire.Type
	Request string
}

// Error is the text for people.
func (e *Error) Error() string {
	if e.Text != "" {
		return e.Text
	}
	return e.Code.Text()
}

// Message is the refusal on the wire. Its details name the code, and the type
// and id of the request.
func (e *Error) Message() *wire.Error {
	n := 1
	if e.Type != 0 {
		n++
	}
	if e.Request != "" {
		n++
	}
	d := value.AppendMap(nil, n)
	d = value.AppendStr(value.AppendStr(d, "name"), e.Code.Name())
	if e.Type != 0 {
		d = value.AppendStr(value.AppendStr(d, "type"), e.Type.String())
	}
	if e.Request != "" {
		d = value.AppendStr(value.AppendStr(d, "request"), e.Request)
	}
	return &wire.Error{Code: int64(e.Code.Number()), Message: e.Error(), Details: d}
}

// CodeOf is the code for an error of the grid or of a service.
func CodeOf(err error) wire.Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return codeOf(err)
}
