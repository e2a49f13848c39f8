package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// HybridQuery is what a hybrid search looks for.
type HybridQuery struct {
	MapName      string         `wire:"mapName"`
	QueryText    string         `wire:"queryText,text"`
	Methods      []SearchMethod `wire:"methods,omitempty"`     // fullText if absent
	K            Opt[int64]     `wire:"k"`                     // 10 if absent
	QueryVector  []byte         `wire:"queryVector,omitempty"` // little-endian float32
	Predicate    value.Raw      `wire:"predicate,omitempty,map"`
	IncludeValue Opt[bool]      `wire:"includeValue"` // true if absent
	MinScore     Opt[float64]   `wire:"minScore"`     // of the fused score
}

// SearchMethod is one way to find records.
type SearchMethod string

// The search methods.
const (
	MethodExact    SearchMethod = "exact"
	MethodFullText SearchMethod = "fullText"
	MethodSemantic SearchMethod = "semantic"
)

// HybridSearch asks for a search that fuses several methods.
//
//wire:message HYBRID_SEARCH payload c2s
type HybridSearch struct {
	RequestID string `wire:"requestId"`
	HybridQuery
}

// HybridSearchResp answers HYBRID_SEARCH, and HYBRID_SEARCH_SUB with the
// subscription's id.
//
//wire:message HYBRID_SEARCH_RESP payload s2c
type HybridSearchResp struct {
	RequestID    string      `wire:"requestId"`
	Results      []HybridHit `wire:"results"`
	SearchTimeMs float64     `wire:"searchTimeMs"`
	Error        string      `wire:"error,omitempty,text"`
}

// HybridHit is one result of a hybrid search.
type HybridHit struct {
	Key          string    `wire:"key,key"`
	Score        float64   `wire:"score"`
	MethodScores NumberMap `wire:"methodScores"` // of the methods that found it
	Value        value.Raw `wire:"value,omitempty"`
}

// HybridSearchSub subscribes to a hybrid search.
//
//wire:message HYBRID_SEARCH_SUB payload c2s
type HybridSearchSub struct {
	SubscriptionID string `wire:"subscriptionId"`
	HybridQuery
}

// HybridSearchUpdate is one change of the result of a subscription.
//
//wire:message HYBRID_SEARCH_UPDATE payload s2c
type HybridSearchUpdate struct {
	SubscriptionID string     `wire:"subscriptionId"`
	Key            string     `wire:"key,key"`
	Score          float64    `wire:"score"`
	MethodScores   NumberMap  `wire:"methodScores"`
	Value          value.Raw  `wire:"value,omitempty"`
	ChangeType     ChangeType `wire:"changeType"`
}

// HybridSearchUnsub ends a subscription. There is no reply.
//
//wire:message HYBRID_SEARCH_UNSUB payload c2s
type HybridSearchUnsub struct {
	SubscriptionID string `wire:"subscriptionId"`
}
