package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// SQLQuery asks for the result of an SQL statement.
//
//wire:message SQL_QUERY payload c2s
type SQLQuery struct {
	SQL     string `wire:"sql,text"`
	QueryID string `wire:"queryId"`
}

// SQLQueryResp answers SQL_QUERY.
//
//wire:message SQL_QUERY_RESP payload s2c
type SQLQueryResp struct {
	QueryID string      `wire:"queryId"`
	Columns []string    `wire:"columns"`
	Rows    []value.Raw `wire:"rows"` // each an array of values
	Error   string      `wire:"error,omitempty,text"`
	Code    string      `wire:"code,omitempty"` // the name of a code
}
