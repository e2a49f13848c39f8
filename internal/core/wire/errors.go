package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Error reports a problem that no typed response can carry. Clients only log
// it.
//
//wire:message ERROR payload s2c
type Error struct {
	Code    int64             `wire:"code"`
	Message string            `wire:"message,text"`
	Details value.Raw         `wire:"details,omitempty"` // where known: the type and the id of the request
	Routing Opt[RoutingError] `wire:"error,top"`
}

// RoutingError tells a client with a partition map of its own that the map is
// wrong. It lies beside the type of any message.
type RoutingError struct {
	Code    RoutingCode      `wire:"code"`
	Message string           `wire:"message,omitempty,text"`
	Hint    Opt[RoutingHint] `wire:"hint"`
}

// RoutingHint says which version of the map to ask for.
type RoutingHint struct {
	PartitionID   Opt[int64] `wire:"partitionId"`
	CurrentOwner  string     `wire:"currentOwner,omitempty"`
	MapVersion    int64      `wire:"mapVersion,omitempty"`
	ClientVersion int64      `wire:"clientVersion,omitempty"`
	ServerVersion int64      `wire:"serverVersion,omitempty"`
}

// RoutingCode is the kind of a RoutingError.
type RoutingCode string

// The routing codes.
const (
	NotOwner RoutingCode = "NOT_OWNER" // another member owns the partition
	StaleMap RoutingCode = "STALE_MAP" // the client's map is older than the server's
)

// NewError returns the ERROR that refuses a request. details name the code, the
// type of the request and its id, as far as they are known. An empty text stands
// for the code's own.
func NewError(code Code, text string, request Type, requestID string) *Error {
	if text == "" {
		text = code.Text()
	}
	names := [...]string{"name", "type", "requestId"}
	values := [...]string{code.Name(), request.String(), requestID}
	n := 0
	for _, v := range values {
		n += one(v != "")
	}
	details := value.AppendMap(nil, n)
	for i, v := range values {
		if v != "" {
			details = value.AppendStr(value.AppendStr(details, names[i]), v)
		}
	}
	return &Error{Code: int64(code.Number()), Message: text, Details: details}
}

// NewOpRejected returns the OP_REJECTED that refuses an operation. Its reason
// starts with the name of the code. An empty text stands for the code's own.
func NewOpRejected(opID string, code Code, text string) *OpRejected {
	if text == "" {
		text = code.Text()
	}
	return &OpRejected{OpID: opID, Reason: code.Name() + ": " + text, Code: int64(code.Number())}
}
