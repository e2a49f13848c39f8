package service

import (
	"errors"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/lane"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// codes maps what the floors below return to what clients are told. It is the
// only place where that is decided.
var codes = []struct {
	err  error
	code wire.Code
}{
	{policy.ErrDenied, wire.CodeForbidden},
	{records.ErrKind, wire.CodeMapTypeMismatch},
	{records.ErrStale, wire.CodeStaleWrite},
	{records.ErrTooLarge, wire.CodeTooLarge},
	{records.ErrInvalid, wire.CodeInvalidField},
	{records.ErrBusy, wire.CodeUnavailable},
	{lane.ErrUnavailable, wire.CodeUnavailable},
	{crdt.ErrNoTag, wire.CodeInvalidField},
	{crdt.ErrNotCount, wire.CodeInvalidField},
}

func codeOf(err error) wire.Code {
	var bad *wire.DecodeError
	if errors.As(err, &bad) {
		return bad.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return wire.CodeInternal
}
