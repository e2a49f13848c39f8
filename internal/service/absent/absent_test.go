package absent_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/service/absent"
	"github.com/topgunbuild/topgun-go/internal/service/servicetest"
)

// TestWhatIsNotThereSaysSo: for every message of a capability that the server
// lacks there is one answer, which names the request and which nobody can take
// for success; or an error that names type and request.
func TestWhatIsNotThereSaysSo(t *testing.T) {
	requests := []struct {
		message wire.Message
		says    func(m wire.Message) (request, failure string)
	}{
		{&wire.LockRequest{RequestID: "r", Name: "n"}, nil},
		{&wire.LockRelease{RequestID: "r", Name: "n"}, nil},
		{&wire.JournalSubscribe{RequestID: "r"}, nil},
		{&wire.JournalRead{RequestID: "r"}, nil},
		{&wire.Search{RequestID: "r"}, func(m wire.Message) (string, string) { a := m.(*wire.SearchResp); return a.RequestID, a.Error }},
		{&wire.SearchSub{SubscriptionID: "r"}, func(m wire.Message) (string, string) { a := m.(*wire.SearchResp); return a.RequestID, a.Error }},
		{&wire.HybridSearch{RequestID: "r"}, func(m wire.Message) (string, string) { a := m.(*wire.HybridSearchResp); return a.RequestID, a.Error }},
		{&wire.HybridSearchSub{SubscriptionID: "r"}, func(m wire.Message) (string, string) { a := m.(*wire.HybridSearchResp); return a.RequestID, a.Error }},
		{&wire.VectorSearch{ID: "r"}, func(m wire.Message) (string, string) { a := m.(*wire.VectorSearchResp); return a.ID, a.Error }},
		{&wire.SQLQuery{QueryID: "r"}, func(m wire.Message) (string, string) { a := m.(*wire.SQLQueryResp); return a.QueryID, a.Error }},
		{&wire.EntryProcess{RequestID: "r"}, func(m wire.Message) (string, string) {
			a := m.(*wire.EntryProcessResponse)
			if a.Success {
				return a.RequestID, ""
			}
			return a.RequestID, a.Error
		}},
		{&wire.EntryProcessBatch{RequestID: "r", Keys: []string{"a", "b"}}, func(m wire.Message) (string, string) {
			a := m.(*wire.EntryProcessBatchResponse)
			var failures []string
			for _, r := range a.Results {
				if r.Result.Success {
					return a.RequestID, ""
				}
				failures = append(failures, r.Key+r.Result.Error)
			}
			return a.RequestID, strings.Join(failures, " ")
		}},
		{&wire.RegisterResolver{RequestID: "r"}, func(m wire.Message) (string, string) {
			a := m.(*wire.RegisterResolverResponse)
			if a.Success {
				return a.RequestID, ""
			}
			return a.RequestID, a.Error
		}},
		{&wire.UnregisterResolver{RequestID: "r"}, func(m wire.Message) (string, string) {
			a := m.(*wire.UnregisterResolverResponse)
			if a.Success {
				return a.RequestID, ""
			}
			return a.RequestID, a.Error
		}},
		{&wire.ListResolvers{RequestID: "r"}, func(m wire.Message) (string, string) {
			a := m.(*wire.ListResolversResponse)
			if len(a.Resolvers) > 0 {
				return a.RequestID, ""
			}
			return a.RequestID, "an empty list is the truth"
		}},
	}
	s := absent.Service{}
	answered := map[wire.Type]bool{}
	for _, r := range requests {
		answered[r.message.Type()] = true
		c := servicetest.NewCaller(1, 1)
		err := s.Handle(c.Caller, r.message, 1)
		if r.says == nil {
			var e *service.Error
			if !errors.As(err, &e) || e.Code != wire.CodeNotImplemented || e.Type != r.message.Type() || e.Request != "r" || len(c.Take(t)) != 0 {
				t.Errorf("%s: %v", r.message.Type(), err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", r.message.Type(), err)
			continue
		}
		if request, failure := r.says(servicetest.One[wire.Message](t, c)); request != "r" || failure == "" {
			t.Errorf("%s: the answer is to %q and says %q", r.message.Type(), request, failure)
		}
	}
	for _, typ := range s.Handles() {
		if !answered[typ] {
			t.Errorf("%s is not in the table", typ)
		}
	}
	s.Leave(&service.Caller{})
}
