package change

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// Position names a place in the stream of one partition. Seq counts the
// changes of the partition from 1. Epoch changes when the stream cannot be
// continued (a restore, a truncated log), so that a reader can tell "you missed
// some" from "start again".
type Position struct {
	Partition partition.ID
	Epoch     uint32
	Seq       uint64
}

// String is "partition/epoch:seq".
func (p Position) String() string {
	return fmt.Sprintf("%d/%d:%d", p.Partition, p.Epoch, p.Seq)
}

// Kind says which replicated data type a map or a key holds. A map has one
// kind, fixed by its first record.
type Kind uint8

// The kinds, as stored on disk.
const (
	KindNone    Kind = 0
	KindLWW     Kind = 1 // last-writer-wins register; state: crdt.LWW
	KindOR      Kind = 2 // observed-remove set; state: crdt.ORState
	KindCounter Kind = 3 // PN counter; state: crdt.CounterState
	KindRestamp Kind = 4 // memory of a re-stamped write; state: see package records
	KindHorizon Kind = 5 // a partition's age horizon; state: see package records
)

// String is the kind's name in messages to people.
func (k Kind) String() string {
	switch k {
	case KindLWW:
		return "LWW map"
	case KindOR:
		return "OR map"
	case KindCounter:
		return "PN counter"
	case KindRestamp:
		return "re-stamp memory"
	case KindHorizon:
		return "age horizon"
	default:
		return "no kind"
	}
}

// Verb says what happened to the key.
type Verb uint8

// The verbs, as stored on disk.
const (
	Put    Verb = 1 // LWW: a value was written
	Remove Verb = 2 // LWW: a tombstone was written
	Add    Verb = 3 // OR: a record was added under Tag
	Drop   Verb = 4 // OR: Tag was removed
	Merge  Verb = 5 // counter: a state was merged
	Forget Verb = 6 // tombstones were reclaimed; see Record
	Raise  Verb = 7 // horizon: it moved on
)

// Origin says through which door a change came in.
type Origin uint8

// The origins, as stored on disk.
const (
	OriginSession Origin = 1 // a client's operation
	OriginSync    Origin = 2 // a client's pushed difference
	OriginHTTP    Origin = 3 // an HTTP request
	OriginSystem  Origin = 4 // the server itself
)

// Author is who made a change. One value is shared by all changes of a session
// and never modified.
type Author struct {
	Origin    Origin
	Principal string
	Device    string

	// Session excludes the writer from the events of its own write. It has no
	// meaning after a restart and is not stored.
	Session uint64
}

// Record is one change of one key.
//
// Before and After are states of the kind's encoding. For KindLWW and
// KindCounter they are the key's whole state; for KindOR they hold what
// concerns Tag only, since a key's set may be large. An empty
// Before means that there was none.
//
// A Forget has no After: with KindLWW the key is gone, Before was its tombstone;
// with KindOR the tombstones in Before are gone, and the key with them when it
// holds nothing else.
//
// Record is shared between readers once it is published: nobody modifies it or
// the bytes it refers to.
type Record struct {
	Pos    Position
	Tenant uint32
	Map    string
	Key    string
	Kind   Kind
	Verb   Verb
	Tag    string // KindOR only

	Before, After string

	// WholeBefore and Whole are the key's whole states for KindOR, where somebody
	// watches the map (records.Kinds.Watch). They are not stored.
	WholeBefore, Whole string

	// Arrival is the node's clock when the change was merged: transaction time.
	Arrival hlc.Timestamp

	// Original is the timestamp the writer had given, when it was too far ahead
	// and the record was re-stamped; zero otherwise.
	Original hlc.Timestamp

	Author *Author

	// Request is the writer's id of the operation. It is stored with the record
	// but not kept in memory: readers of the feed see it empty.
	Request string

	// KeyHash is the hash of Key; derived, not stored.
	KeyHash uint32
}
