package wire

import "github.com/topgunbuild/topgun-go/internal/core/hlc"

// Event is one change of a map as clients that replicate it receive it.
type Event struct {
	MapName   string         `wire:"mapName"`
	EventType EventType      `wire:"eventType"`
	Key       string         `wire:"key,key"`
	Record    Opt[LWWRecord] `wire:"record"`   // of PUT, and the tombstone of REMOVE
	ORRecord  Opt[ORRecord]  `wire:"orRecord"` // of OR_ADD
	ORTag     string         `wire:"orTag,omitempty"`
	Epoch     int64          `wire:"epoch,omitempty"`
}

// ServerEvent announces one change. Clients ignore a REMOVE without a record.
//
//wire:message SERVER_EVENT payload s2c
type ServerEvent struct {
	Timestamp hlc.Timestamp `wire:"timestamp,omitempty,top"` // merged into the client's clock
	Event
}

// ServerBatchEvent announces several changes.
//
//wire:message SERVER_BATCH_EVENT payload s2c
type ServerBatchEvent struct {
	Timestamp hlc.Timestamp `wire:"timestamp,omitempty,top"` // merged into the client's clock
	Events    []Event       `wire:"events"`
}

// EventType is the kind of change that an Event announces.
type EventType string

// The event types.
const (
	EventPut      EventType = "PUT"
	EventRemove   EventType = "REMOVE"
	EventORAdd    EventType = "OR_ADD"
	EventORRemove EventType = "OR_REMOVE"
)
