package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// Search asks for a full-text search.
//
//wire:message SEARCH payload c2s
type Search struct {
	RequestID string             `wire:"requestId"`
	MapName   string             `wire:"mapName"`
	Query     string             `wire:"query,text"`
	Options   Opt[SearchOptions] `wire:"options"`
}

// SearchOptions tune a full-text search.
type SearchOptions struct {
	Limit    Opt[int64]   `wire:"limit"`    // 10 if absent
	MinScore Opt[float64] `wire:"minScore"` // 0 if absent
	Boost    NumberMap    `wire:"boost,omitempty"`
}

// SearchResp answers SEARCH, and SEARCH_SUB with the subscription's id.
//
//wire:message SEARCH_RESP payload s2c
type SearchResp struct {
	RequestID  string      `wire:"requestId"`
	Results    []SearchHit `wire:"results"`
	TotalCount int64       `wire:"totalCount"`
	Error      string      `wire:"error,omitempty,text"`
}

// SearchHit is one result of a full-text search.
type SearchHit struct {
	Key          string    `wire:"key,key"`
	Value        value.Raw `wire:"value"`
	Score        float64   `wire:"score"`
	MatchedTerms []string  `wire:"matchedTerms"`
}

// SearchSub subscribes to a full-text search.
//
//wire:message SEARCH_SUB payload c2s
type SearchSub struct {
	SubscriptionID string             `wire:"subscriptionId"`
	MapName        string             `wire:"mapName"`
	Query          string             `wire:"query,text"`
	Options        Opt[SearchOptions] `wire:"options"`
}

// SearchUpdate is one change of the result of a subscription. With LEAVE the
// value is nil and the score 0.
//
//wire:message SEARCH_UPDATE payload s2c
type SearchUpdate struct {
	SubscriptionID string     `wire:"subscriptionId"`
	Key            string     `wire:"key,key"`
	Value          value.Raw  `wire:"value"`
	Score          float64    `wire:"score"`
	MatchedTerms   []string   `wire:"matchedTerms"`
	ChangeType     ChangeType `wire:"changeType"`
}

// SearchUnsub ends a subscription. There is no reply.
//
//wire:message SEARCH_UNSUB payload c2s
type SearchUnsub struct {
	SubscriptionID string `wire:"subscriptionId"`
}
