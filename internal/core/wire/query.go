package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// QuerySub subscribes to a query, replacing a subscription of the same id. It
// is always answered by one QUERY_RESP.
//
//wire:message QUERY_SUB payload c2s
type QuerySub struct {
	QueryID string   `wire:"queryId"`
	MapName string   `wire:"mapName"`
	Query   Query    `wire:"query"`
	Fields  []string `wire:"fields,omitempty"` // projection; none means all fields

	// Positions asks for a position with the answer and every update, and says
	// that the client knows what resumed means. Since is the last one that it was
	// sent for the same query: what it has missed is sent, if that is still
	// known.
	Positions bool   `wire:"positions,omitempty"`
	Since     string `wire:"since,omitempty,text"`
}

// Query selects, orders and groups records of a map.
type Query struct {
	Where        value.Raw     `wire:"where,omitempty,map"`     // field to literal, or to an operator map
	Predicate    value.Raw     `wire:"predicate,omitempty,map"` // a node; goes before where
	Sort         Sort          `wire:"sort,omitempty"`
	Limit        Opt[int64]    `wire:"limit"`
	Cursor       string        `wire:"cursor,omitempty,text"` // opaque, from nextCursor
	GroupBy      []string      `wire:"groupBy,omitempty"`
	Aggregations []Aggregation `wire:"aggregations,omitempty"`
	TotalCount   bool          `wire:"totalCount,omitempty"` // asks for totalCount, and QUERY_TOTAL when it changes
}

// Aggregation is one aggregate of each group.
type Aggregation struct {
	Func  AggregateFunc `wire:"func"`
	Field string        `wire:"field,omitempty"` // not needed by count
}

// AggregateFunc is a function over the rows of a group.
type AggregateFunc string

// The aggregate functions.
const (
	AggregateCount AggregateFunc = "count"
	AggregateSum   AggregateFunc = "sum"
	AggregateMin   AggregateFunc = "min"
	AggregateMax   AggregateFunc = "max"
	AggregateAvg   AggregateFunc = "avg"
)

// QueryUnsub ends a subscription. There is no reply.
//
//wire:message QUERY_UNSUB payload c2s
type QueryUnsub struct {
	QueryID string `wire:"queryId"`
}

// QueryResp is the whole result of a query: the client drops rows that are not
// in it.
//
//wire:message QUERY_RESP payload s2c
type QueryResp struct {
	QueryID        string       `wire:"queryId"`
	Results        []QueryRow   `wire:"results"`
	NextCursor     string       `wire:"nextCursor,omitempty,text"`
	HasMore        bool         `wire:"hasMore,omitempty"`
	CursorStatus   CursorStatus `wire:"cursorStatus,omitempty"`
	MerkleRootHash uint32       `wire:"merkleRootHash,omitempty"`
	Error          string       `wire:"error,omitempty,text"`
	Code           string       `wire:"code,omitempty"` // the name of a code
	TotalCount     Opt[int64]   `wire:"totalCount"`     // all rows that match, whatever limit and cursor

	// Position is where the result stands, if positions were asked for. Resumed
	// says that the rows which the client held at since stay, and updates with
	// what it has missed follow; results is empty then. Those updates may have a
	// row that is there enter, and a row that is not there leave.
	Position string `wire:"position,omitempty,text"`
	Resumed  bool   `wire:"resumed,omitempty"`
}

// QueryRow is one row of a result.
type QueryRow struct {
	Key   string    `wire:"key,key"`
	Value value.Raw `wire:"value"`
}

// CursorStatus says what became of the cursor of a query.
type CursorStatus string

// The cursor states.
const (
	CursorNone    CursorStatus = "none"    // no cursor was given
	CursorValid   CursorStatus = "valid"   // the result continues after it
	CursorExpired CursorStatus = "expired" // too old
	CursorInvalid CursorStatus = "invalid" // of another query, or not a cursor
)

// QueryUpdate is one change of the result of a subscription, sent after its
// QUERY_RESP. With LEAVE the value is nil.
//
//wire:message QUERY_UPDATE payload s2c
type QueryUpdate struct {
	QueryID    string     `wire:"queryId"`
	Key        string     `wire:"key,key"`
	Value      value.Raw  `wire:"value"`
	ChangeType ChangeType `wire:"changeType"`
	Position   string     `wire:"position,omitempty,text"` // where the result stands, if positions were asked for
}

// QueryTotal says that the number of rows that match has changed, for a
// subscription that asked for totalCount.
//
//wire:message QUERY_TOTAL payload s2c
type QueryTotal struct {
	QueryID    string `wire:"queryId"`
	TotalCount int64  `wire:"totalCount"`
}

// ChangeType says how a row of a live result changed.
type ChangeType string

// The changes.
const (
	ChangeEnter  ChangeType = "ENTER"
	ChangeUpdate ChangeType = "UPDATE"
	ChangeLeave  ChangeType = "LEAVE"
)

// QuerySyncInit offers the root of the client's result after a reconnect. No
// reply is needed.
//
//wire:message QUERY_SYNC_INIT payload c2s
type QuerySyncInit struct {
	QueryID  string `wire:"queryId"`
	RootHash uint32 `wire:"rootHash"`
}

// HybridQuerySubscribe is sent by clients whose predicate contains full-text
// operators. No client handles an answer; it is ignored.
//
//wire:message HYBRID_QUERY_SUBSCRIBE payload c2s
type HybridQuerySubscribe struct {
	SubscriptionID string     `wire:"subscriptionId"`
	MapName        string     `wire:"mapName"`
	Predicate      value.Raw  `wire:"predicate,omitempty,map"`
	Where          value.Raw  `wire:"where,omitempty,map"`
	Sort           Sort       `wire:"sort,omitempty"`
	Limit          Opt[int64] `wire:"limit"`
	Cursor         string     `wire:"cursor,omitempty,text"`
}

// HybridQueryUnsubscribe ends a HYBRID_QUERY_SUBSCRIBE. It is ignored.
//
//wire:message HYBRID_QUERY_UNSUBSCRIBE payload c2s
type HybridQueryUnsubscribe struct {
	SubscriptionID string `wire:"subscriptionId"`
}
