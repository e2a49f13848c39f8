package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// VectorSearch asks for the nearest vectors.
//
//wire:message VECTOR_SEARCH payload c2s
type VectorSearch struct {
	ID          string             `wire:"id"`
	MapName     string             `wire:"mapName"`
	IndexName   string             `wire:"indexName,omitempty"`
	QueryVector []byte             `wire:"queryVector"` // little-endian float32
	K           Opt[int64]         `wire:"k"`           // 10 if absent
	EfSearch    Opt[int64]         `wire:"efSearch"`
	Options     Opt[VectorOptions] `wire:"options"`
}

// VectorOptions tune a vector search.
type VectorOptions struct {
	IncludeValue   Opt[bool]    `wire:"includeValue"` // true if absent
	IncludeVectors Opt[bool]    `wire:"includeVectors"`
	MinScore       Opt[float64] `wire:"minScore"`
	Filter         value.Raw    `wire:"filter,omitempty"`
}

// VectorSearchResp answers VECTOR_SEARCH.
//
//wire:message VECTOR_SEARCH_RESP payload s2c
type VectorSearchResp struct {
	ID              string      `wire:"id"`
	Results         []VectorHit `wire:"results"`
	TotalCandidates int64       `wire:"totalCandidates"`
	SearchTimeMs    float64     `wire:"searchTimeMs"`
	Error           string      `wire:"error,omitempty,text"`
}

// VectorHit is one result of a vector search.
type VectorHit struct {
	Key    string    `wire:"key,key"`
	Score  float64   `wire:"score"`
	Value  value.Raw `wire:"value,omitempty"`
	Vector []byte    `wire:"vector,omitempty"` // little-endian float32
}
