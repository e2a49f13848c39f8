package wire

import (
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// JournalSubscribe subscribes to the event journal. There is no reply.
//
//wire:message JOURNAL_SUBSCRIBE flat c2s
type JournalSubscribe struct {
	RequestID    string        `wire:"requestId"`              // becomes the subscription's id
	FromSequence string        `wire:"fromSequence,omitempty"` // decimal, inclusive
	MapName      string        `wire:"mapName,omitempty"`
	Types        []JournalType `wire:"types,omitempty"` // none means all
}

// JournalUnsubscribe ends a subscription. There is no reply.
//
//wire:message JOURNAL_UNSUBSCRIBE flat c2s
type JournalUnsubscribe struct {
	SubscriptionID string `wire:"subscriptionId"`
}

// JournalEvent delivers one entry, once per connection.
//
//wire:message JOURNAL_EVENT flat s2c
type JournalEvent struct {
	Event JournalEntry `wire:"event"`
}

// JournalEntry is one change as the journal keeps it.
type JournalEntry struct {
	Sequence      string        `wire:"sequence"` // decimal digits
	Type          JournalType   `wire:"type"`
	MapName       string        `wire:"mapName"`
	Key           string        `wire:"key,key"`
	Value         value.Raw     `wire:"value,omitempty"`
	PreviousValue value.Raw     `wire:"previousValue,omitempty"`
	Timestamp     hlc.Timestamp `wire:"timestamp"`
	NodeID        string        `wire:"nodeId"`
	Metadata      value.Raw     `wire:"metadata,omitempty"`
}

// JournalType is the kind of change of a JournalEntry.
type JournalType string

// The journal types.
const (
	JournalPut    JournalType = "PUT"    // a new key
	JournalUpdate JournalType = "UPDATE" // an existing key
	JournalDelete JournalType = "DELETE"
)

// JournalRead asks for a page of the journal.
//
//wire:message JOURNAL_READ flat c2s
type JournalRead struct {
	RequestID    string     `wire:"requestId"`
	FromSequence string     `wire:"fromSequence"` // decimal, inclusive
	Limit        Opt[int64] `wire:"limit"`        // 100 if absent
	MapName      string     `wire:"mapName,omitempty"`
}

// JournalReadResponse answers JOURNAL_READ.
//
//wire:message JOURNAL_READ_RESPONSE flat s2c
type JournalReadResponse struct {
	RequestID string         `wire:"requestId"`
	Events    []JournalEntry `wire:"events"`
	HasMore   bool           `wire:"hasMore"`
}
