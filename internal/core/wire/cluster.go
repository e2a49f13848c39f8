package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// ClusterSubRegister opens a subscription on another member.
//
//wire:message CLUSTER_SUB_REGISTER payload s2s
type ClusterSubRegister struct {
	SubscriptionID    string                    `wire:"subscriptionId"`
	CoordinatorNodeID string                    `wire:"coordinatorNodeId"`
	MapName           string                    `wire:"mapName"`
	Kind              ClusterSubKind            `wire:"type"`
	SearchQuery       string                    `wire:"searchQuery,omitempty,text"`
	SearchOptions     Opt[ClusterSearchOptions] `wire:"searchOptions"`
	QueryPredicate    value.Raw                 `wire:"queryPredicate,omitempty"`
	QuerySort         Sort                      `wire:"querySort,omitempty"`
}

// ClusterSubKind is what a cluster subscription watches.
type ClusterSubKind string

// The kinds of cluster subscriptions.
const (
	ClusterSubSearch ClusterSubKind = "SEARCH"
	ClusterSubQuery  ClusterSubKind = "QUERY"
)

// ClusterSubAck answers CLUSTER_SUB_REGISTER.
//
//wire:message CLUSTER_SUB_ACK payload s2s
type ClusterSubAck struct {
	SubscriptionID string       `wire:"subscriptionId"`
	NodeID         string       `wire:"nodeId"`
	Success        bool         `wire:"success"`
	Error          string       `wire:"error,omitempty,text"`
	InitialResults []ClusterHit `wire:"initialResults,omitempty"`
	TotalHits      Opt[int64]   `wire:"totalHits"`
}

// ClusterHit is one result found by another member.
type ClusterHit struct {
	Key          string       `wire:"key,key"`
	Value        value.Raw    `wire:"value"`
	Score        Opt[float64] `wire:"score"`
	MatchedTerms []string     `wire:"matchedTerms,omitempty"`
}

// ClusterSubUpdate is one change of a cluster subscription.
//
//wire:message CLUSTER_SUB_UPDATE payload s2s
type ClusterSubUpdate struct {
	SubscriptionID string       `wire:"subscriptionId"`
	SourceNodeID   string       `wire:"sourceNodeId"`
	Key            string       `wire:"key,key"`
	Value          value.Raw    `wire:"value"`
	Score          Opt[float64] `wire:"score"`
	MatchedTerms   []string     `wire:"matchedTerms,omitempty"`
	ChangeType     ChangeType   `wire:"changeType"`
	Timestamp      int64        `wire:"timestamp"` // epoch ms
}

// ClusterSubUnregister closes a cluster subscription.
//
//wire:message CLUSTER_SUB_UNREGISTER payload s2s
type ClusterSubUnregister struct {
	SubscriptionID string `wire:"subscriptionId"`
}

// ClusterSearchReq asks another member for its part of a search.
//
//wire:message CLUSTER_SEARCH_REQ payload s2s
type ClusterSearchReq struct {
	RequestID string               `wire:"requestId"`
	MapName   string               `wire:"mapName"`
	Query     string               `wire:"query,text"`
	Options   ClusterSearchOptions `wire:"options"`
	TimeoutMs int64                `wire:"timeoutMs,omitempty"`
}

// ClusterSearchOptions tune a search across members.
type ClusterSearchOptions struct {
	Limit               Opt[int64]   `wire:"limit"` // 1 to 1000
	MinScore            Opt[float64] `wire:"minScore"`
	Boost               NumberMap    `wire:"boost,omitempty"`
	IncludeMatchedTerms Opt[bool]    `wire:"includeMatchedTerms"`
	AfterScore          Opt[float64] `wire:"afterScore"`
	AfterKey            Opt[string]  `wire:"afterKey,key"`
}

// ClusterSearchResp answers CLUSTER_SEARCH_REQ.
//
//wire:message CLUSTER_SEARCH_RESP payload s2s
type ClusterSearchResp struct {
	RequestID       string       `wire:"requestId"`
	NodeID          string       `wire:"nodeId"`
	Results         []ClusterHit `wire:"results"`
	TotalHits       int64        `wire:"totalHits"`
	ExecutionTimeMs float64      `wire:"executionTimeMs"`
	Error           string       `wire:"error,omitempty,text"`
}

// ClusterSearchSubscribe subscribes to a search on another member.
//
//wire:message CLUSTER_SEARCH_SUBSCRIBE payload s2s
type ClusterSearchSubscribe struct {
	SubscriptionID string                    `wire:"subscriptionId"`
	MapName        string                    `wire:"mapName"`
	Query          string                    `wire:"query,text"`
	Options        Opt[ClusterSearchOptions] `wire:"options"`
}

// ClusterSearchUnsubscribe ends a CLUSTER_SEARCH_SUBSCRIBE.
//
//wire:message CLUSTER_SEARCH_UNSUBSCRIBE payload s2s
type ClusterSearchUnsubscribe struct {
	SubscriptionID string `wire:"subscriptionId"`
}

// ClusterSearchUpdate is one change of a search on another member.
//
//wire:message CLUSTER_SEARCH_UPDATE payload s2s
type ClusterSearchUpdate struct {
	SubscriptionID string     `wire:"subscriptionId"`
	NodeID         string     `wire:"nodeId"`
	Key            string     `wire:"key,key"`
	Value          value.Raw  `wire:"value"`
	Score          float64    `wire:"score"`
	MatchedTerms   []string   `wire:"matchedTerms,omitempty"`
	ChangeType     ChangeType `wire:"changeType"`
}
