// Package absent answers the messages of capabilities that this server does not
// have. A client that waits for a typed answer gets one that says so; where the
// protocol has none that can carry an error, it gets an ERROR that names the
// type and the request. Nothing that an existing client would take for success
// is ever sent.
package absent

import (
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Service refuses; see the package comment.
type Service struct{}

// Handles implements service.Service.
func (Service) Handles() []wire.Type {
	return []wire.Type{
		wire.TypeLockRequest, wire.TypeLockRelease,
		wire.TypeJournalSubscribe, wire.TypeJournalRead,
		wire.TypeSearch, wire.TypeSearchSub, wire.TypeHybridSearch, wire.TypeHybridSearchSub, wire.TypeVectorSearch,
		wire.TypeSQLQuery,
		wire.TypeEntryProcess, wire.TypeEntryProcessBatch,
		wire.TypeRegisterResolver, wire.TypeUnregisterResolver, wire.TypeListResolvers,
	}
}

// Leave implements service.Service.
func (Service) Leave(*service.Caller) {}

// Handle implements service.Service.
func (Service) Handle(c *service.Caller, m wire.Message, _ int) error {
	if answer := typed(m); answer != nil {
		c.Send(answer)
		return nil
	}
	return &service.Error{Code: wire.CodeNotImplemented, Text: text, Type: m.Type(), Request: request(m)}
}

const text = "this server does not have this capability yet"

// typed is the answer for messages whose response can carry an error.
func typed(m wire.Message) wire.Message {
	switch m := m.(type) {
	case *wire.Search:
		return &wire.SearchResp{RequestID: m.RequestID, Error: text}
	case *wire.SearchSub:
		return &wire.SearchResp{RequestID: m.SubscriptionID, Error: text}
	case *wire.HybridSearch:
		return &wire.HybridSearchResp{RequestID: m.RequestID, Error: text}
	case *wire.HybridSearchSub:
		return &wire.HybridSearchResp{RequestID: m.SubscriptionID, Error: text}
	case *wire.VectorSearch:
		return &wire.VectorSearchResp{ID: m.ID, Error: text}
	case *wire.SQLQuery:
		return &wire.SQLQueryResp{QueryID: m.QueryID, Error: text, Code: wire.CodeFeatureDisabled.Name()}
	case *wire.EntryProcess:
		return &wire.EntryProcessResponse{RequestID: m.RequestID, Error: text}
	case *wire.EntryProcessBatch:
		return processBatch(m)
	case *wire.RegisterResolver:
		return &wire.RegisterResolverResponse{RequestID: m.RequestID, Error: text}
	case *wire.UnregisterResolver:
		return &wire.UnregisterResolverResponse{RequestID: m.RequestID, Error: text}
	case *wire.ListResolvers:
		return &wire.ListResolversResponse{RequestID: m.RequestID}
	}
	return nil
}

// processBatch fails every key: the response has no error of its own.
func processBatch(m *wire.EntryProcessBatch) wire.Message {
	resp := &wire.EntryProcessBatchResponse{RequestID: m.RequestID}
	for _, key := range m.Keys {
		resp.Results = append(resp.Results, wire.KeyedResult{Key: key, Result: wire.ProcessResult{Error: text}})
	}
	return resp
}

// request is the id of a message that is answered with an ERROR.
func request(m wire.Message) string {
	switch m := m.(type) {
	case *wire.LockRequest:
		return m.RequestID
	case *wire.LockRelease:
		return m.RequestID
	case *wire.JournalSubscribe:
		return m.RequestID
	case *wire.JournalRead:
		return m.RequestID
	}
	return ""
}
