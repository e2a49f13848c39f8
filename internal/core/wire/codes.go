package wire

// Code is a reason to refuse something, as ERROR, OP_REJECTED and the error
// fields of responses carry it. This file is the only place where codes are
// defined. A code has a number, which older peers look at, and a name, which
// is unique: several names share a number.
type Code uint8

// The codes. Their constants have no meaning on the wire.
const (
	CodeMalformed Code = iota + 1
	CodeInvalidField
	CodeInvalidName
	CodeInvalidTimestamp
	CodeInvalidQuery
	CodeInvalidCursor
	CodeSchemaViolation
	CodeUnauthenticated
	CodeAuthFailed
	CodeForbidden
	CodeReservedMap
	CodeNotFound
	CodeTimeout
	CodeConflict
	CodeStaleWrite
	CodeMapTypeMismatch
	CodeTooLarge
	CodeOverloaded
	CodeInternal
	CodeNotImplemented
	CodeFeatureDisabled
	CodeUnavailable
	CodeWriteConcernUnavailable
	CodeSnapshotOverflow
)

// Retry advises what can make a refused request succeed.
type Retry uint8

// The advice.
const (
	RetryNever   Retry = iota // the same request will be refused again
	RetryBackoff              // the same request may succeed later
	RetryAuth                 // authenticate (again) first
	RetryResync               // synchronise the map first
)

type codeInfo struct {
	number int
	name   string
	retry  Retry
	text   string
}

var codeInfos = [...]codeInfo{
	CodeMalformed:               {400, "MALFORMED_FRAME", RetryNever, "The frame is not one MessagePack map with a \"type\"; send one message per frame."},
	CodeInvalidField:            {400, "INVALID_FIELD", RetryNever, "A field is missing or has a wrong kind or value; compare the message with the protocol reference."},
	CodeInvalidName:             {400, "INVALID_NAME", RetryNever, "The name is empty, too long or contains characters that names of its kind may not have; choose another."},
	CodeInvalidTimestamp:        {400, "INVALID_TIMESTAMP", RetryNever, "The timestamp is not a valid clock reading; give millis, counter and a nodeId without a colon."},
	CodeInvalidQuery:            {400, "INVALID_QUERY", RetryNever, "The query cannot be evaluated; correct the part that the message names."},
	CodeInvalidCursor:           {400, "INVALID_CURSOR", RetryNever, "The cursor has expired or belongs to another query; start again from the first page."},
	CodeSchemaViolation:         {400, "SCHEMA_VIOLATION", RetryNever, "The value does not match the schema of the map; correct the field that the message names."},
	CodeUnauthenticated:         {401, "UNAUTHENTICATED", RetryAuth, "Authenticate first: send AUTH, or a bearer token over HTTP."},
	CodeAuthFailed:              {401, "AUTH_FAILED", RetryAuth, "The token is invalid or has expired; get another one."},
	CodeForbidden:               {403, "FORBIDDEN", RetryNever, "A policy denies this; ask whoever administers the server for the right."},
	CodeReservedMap:             {403, "RESERVED_MAP", RetryNever, "Names with this prefix belong to the server; choose another map name."},
	CodeNotFound:                {404, "NOT_FOUND", RetryNever, "There is nothing of that name; check the name."},
	CodeTimeout:                 {408, "TIMEOUT", RetryBackoff, "The request was not finished in time; try again, perhaps with a longer timeout."},
	CodeConflict:                {409, "CONFLICT", RetryNever, "It exists already or is in another state; read it and decide again."},
	CodeStaleWrite:              {409, "STALE_WRITE", RetryResync, "The write is older than the deletions that the server remembers; synchronise the map and write again."},
	CodeMapTypeMismatch:         {409, "MAP_TYPE_MISMATCH", RetryNever, "The map holds records of another kind; use the operations of that kind or another map."},
	CodeTooLarge:                {413, "TOO_LARGE", RetryNever, "The message exceeds a limit of the server; send less at once."},
	CodeOverloaded:              {429, "OVERLOADED", RetryBackoff, "Too many operations at once; slow down and send it again."},
	CodeInternal:                {500, "INTERNAL", RetryBackoff, "The server failed to do this; try again, and look at its log if it persists."},
	CodeNotImplemented:          {501, "NOT_IMPLEMENTED", RetryNever, "The server does not do this; do not send it again."},
	CodeFeatureDisabled:         {501, "FEATURE_DISABLED", RetryNever, "The feature is switched off on this server; whoever runs it can enable it."},
	CodeUnavailable:             {503, "UNAVAILABLE", RetryBackoff, "A part that is needed is not available now; try again."},
	CodeWriteConcernUnavailable: {503, "WRITE_CONCERN_UNAVAILABLE", RetryBackoff, "The write concern cannot be reached here; ask for a lower one or try again."},
	CodeSnapshotOverflow:        {503, "QUERY_SNAPSHOT_OVERFLOW", RetryBackoff, "Too much changed while the query was answered; subscribe again."},
}

func (c Code) info() codeInfo {
	if int(c) < len(codeInfos) && c != 0 {
		return codeInfos[c]
	}
	return codeInfos[CodeInternal]
}

// Number is the code's number on the wire, in the ranges of HTTP. A Code that
// is not defined counts as CodeInternal, here and below.
func (c Code) Number() int { return c.info().number }

// Name is the code's name on the wire.
func (c Code) Name() string { return c.info().name }

// Retry advises what can make the request succeed.
func (c Code) Retry() Retry { return c.info().retry }

// Text says what to do, in one sentence for people.
func (c Code) Text() string { return c.info().text }

// String is the name.
func (c Code) String() string { return c.Name() }

// CloseCode is the code with which the server closes a WebSocket. Codes below
// 4000 are those of RFC 6455. They are not Codes: a request is refused with a
// Code, a connection ends with a CloseCode.
type CloseCode uint16

// The close codes.
const (
	CloseNormal           CloseCode = 1000
	CloseGoingAway        CloseCode = 1001
	CloseProtocolError    CloseCode = 1002
	CloseTooBig           CloseCode = 1009
	CloseInternalError    CloseCode = 1011
	CloseTryAgainLater    CloseCode = 1013
	CloseRejected         CloseCode = 4000
	CloseUnauthorized     CloseCode = 4001
	CloseHeartbeatTimeout CloseCode = 4002
	CloseSlowConsumer     CloseCode = 4003
	CloseHandshakeTimeout CloseCode = 4004
)

// CloseCodes lists all close codes in ascending order.
var CloseCodes = [...]CloseCode{
	CloseNormal, CloseGoingAway, CloseProtocolError, CloseTooBig, CloseInternalError, CloseTryAgainLater,
	CloseRejected, CloseUnauthorized, CloseHeartbeatTimeout, CloseSlowConsumer, CloseHandshakeTimeout,
}

// Reason is the text sent with the code.
func (c CloseCode) Reason() string {
	switch c {
	case CloseNormal:
		return "closed"
	case CloseGoingAway:
		return "server is stopping; reconnect"
	case CloseProtocolError:
		return "protocol error; check the client's version"
	case CloseTooBig:
		return "message too big; send smaller messages"
	case CloseInternalError:
		return "internal error; reconnect"
	case CloseTryAgainLater:
		return "overloaded; reconnect later"
	case CloseRejected:
		return "rejected by the server's rules"
	case CloseUnauthorized:
		return "unauthorized; get a new token"
	case CloseHeartbeatTimeout:
		return "no heartbeat; reconnect"
	case CloseSlowConsumer:
		return "messages were not read in time; reconnect and synchronise"
	case CloseHandshakeTimeout:
		return "no authentication in time; reconnect"
	}
	return "closed"
}

// Reconnect reports whether a client may come back without a new token or
// another program.
func (c CloseCode) Reconnect() bool {
	switch c {
	case CloseProtocolError, CloseTooBig, CloseRejected, CloseUnauthorized:
		return false
	}
	return true
}
