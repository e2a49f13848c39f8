package wire

import (
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// LWWRecord is the state of one key of a last-writer-wins map.
type LWWRecord struct {
	Value     value.Raw     `wire:"value"` // nil is a tombstone
	Timestamp hlc.Timestamp `wire:"timestamp"`
	TTL       int64         `wire:"ttlMs,omitempty"` // ms; 0 is none
}

// Tombstone reports whether the record says that the key was removed.
func (r *LWWRecord) Tombstone() bool { return absent(r.Value) }

// ORRecord is one value of a key of an observed-remove map.
type ORRecord struct {
	Value     value.Raw     `wire:"value"`
	Timestamp hlc.Timestamp `wire:"timestamp"`
	Tag       string        `wire:"tag"`
	TTL       Opt[int64]    `wire:"ttlMs"` // ms; whether it is there is part of the entry's hash
}

// absent reports whether v is nothing or an encoded nil.
func absent(v value.Raw) bool { return len(v) == 0 || v.Kind() == value.KindNil }
