package wire

import (
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// HTTPSyncRequest is the body of POST /sync. Clients without a WebSocket poll
// with it.
//
//wire:message HTTP_SYNC_REQUEST body c2s
type HTTPSyncRequest struct {
	ClientID   string        `wire:"clientId,omitempty"`
	ClientHLC  hlc.Timestamp `wire:"clientHlc,omitempty"`
	Operations []ClientOp    `wire:"operations,omitempty,ops"`
	SyncMaps   []HTTPSyncMap `wire:"syncMaps,omitempty"`
	Queries    []HTTPQuery   `wire:"queries,omitempty"`
	Searches   []HTTPSearch  `wire:"searches,omitempty"`
}

// HTTPSyncMap asks for the changes of an LWW map.
type HTTPSyncMap struct {
	MapName           string        `wire:"mapName"`
	LastSyncTimestamp hlc.Timestamp `wire:"lastSyncTimestamp"` // zero the first time
}

// HTTPQuery asks for the result of a query.
type HTTPQuery struct {
	QueryID string     `wire:"queryId"`
	MapName string     `wire:"mapName"`
	Filter  value.Raw  `wire:"filter"` // a where map or nil
	Limit   Opt[int64] `wire:"limit"`
	Offset  Opt[int64] `wire:"offset"` // without a cursor
	Cursor  string     `wire:"cursor,omitempty,text"`
}

// HTTPSearch asks for the result of a full-text search.
type HTTPSearch struct {
	SearchID string             `wire:"searchId"`
	MapName  string             `wire:"mapName"`
	Query    string             `wire:"query,text"`
	Options  Opt[SearchOptions] `wire:"options"`
}

// HTTPSyncResponse is the body of the response to POST /sync.
//
//wire:message HTTP_SYNC_RESPONSE body s2c
type HTTPSyncResponse struct {
	ServerHLC     hlc.Timestamp      `wire:"serverHlc"` // merged into the client's clock
	Ack           Opt[HTTPAck]       `wire:"ack"`
	Deltas        []HTTPDelta        `wire:"deltas,omitempty"`
	QueryResults  []HTTPQueryResult  `wire:"queryResults,omitempty"`
	SearchResults []HTTPSearchResult `wire:"searchResults,omitempty"`
	Errors        []HTTPError        `wire:"errors,omitempty"` // not read by clients
}

// HTTPAck acknowledges operations as OpAck does.
type HTTPAck struct {
	LastID  string     `wire:"lastId"`
	Results []OpResult `wire:"results,omitempty,ops"`
}

// HTTPDelta holds the changes of a map.
type HTTPDelta struct {
	MapName             string        `wire:"mapName"`
	Records             []HTTPRecord  `wire:"records"`
	ServerSyncTimestamp hlc.Timestamp `wire:"serverSyncTimestamp"` // the next LastSyncTimestamp
}

// HTTPRecord is one changed record, with a tombstone for REMOVE.
type HTTPRecord struct {
	Key       string    `wire:"key,key"`
	Record    LWWRecord `wire:"record"`
	EventType EventType `wire:"eventType"` // PUT or REMOVE
}

// HTTPQueryResult answers an HTTPQuery.
type HTTPQueryResult struct {
	QueryID    string      `wire:"queryId"`
	Results    []value.Raw `wire:"results"` // {key, value} each
	HasMore    bool        `wire:"hasMore,omitempty"`
	NextCursor string      `wire:"nextCursor,omitempty,text"`
}

// HTTPSearchResult answers an HTTPSearch.
type HTTPSearchResult struct {
	SearchID   string      `wire:"searchId"`
	Results    []value.Raw `wire:"results"`
	TotalCount Opt[int64]  `wire:"totalCount"`
}

// HTTPError is a problem with one part of the request.
type HTTPError struct {
	Code    int64     `wire:"code"`
	Message string    `wire:"message,text"`
	Context value.Raw `wire:"context,omitempty"` // the id of the part
}

// DecodeHTTPSyncRequest decodes the body of POST /sync under the rules of
// Decode. An empty body is an empty request.
func DecodeHTTPSyncRequest(body []byte, lim Limits) (*HTTPSyncRequest, error) {
	m := new(HTTPSyncRequest)
	if len(body) == 0 {
		return m, nil
	}
	return m, decodeBody(body, lim, m)
}

// DecodeHTTPSyncResponse decodes the body of the response to POST /sync.
func DecodeHTTPSyncResponse(body []byte, lim Limits) (*HTTPSyncResponse, error) {
	m := new(HTTPSyncResponse)
	return m, decodeBody(body, lim, m)
}

// decodeBody decodes a document without a "type" into m.
func decodeBody(body []byte, lim Limits, m interface{ decode(*decoder) }) error {
	d := decoder{reader: newReader(body), lim: lim.withDefaults()}
	if err := d.lim.admit(body); err != nil {
		return err
	}
	if d.Kind() != value.KindMap {
		return &DecodeError{Code: CodeMalformed, Reason: "not a map", Err: ErrMalformed}
	}
	m.decode(&d)
	d.finish(0)
	if err := d.Err(); err != nil {
		return decodeError(0, d.path, err)
	}
	return nil
}
