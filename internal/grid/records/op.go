package records

import (
	"errors"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// Why a replica does not carry out an operation. The first group refuses it for
// good; ErrBusy is transient, the operation has to come again.
var (
	ErrKind     = errors.New("records: the map holds another kind of data")
	ErrTooLarge = errors.New("records: the key's state would become too large")
	ErrInvalid  = errors.New("records: the operation cannot be carried out")
	ErrStale    = errors.New("records: the write is older than the deletions that are remembered, and what it writes is not there")

	ErrBusy = errors.New("records: too many timestamps ahead of the clock are remembered")
)

// Op is one admitted operation. Strings and values may alias the frame they
// came in; a replica copies what it keeps.
type Op struct {
	Verb change.Verb
	Kind change.Kind
	Map  string
	Key  string
	Hash uint32 // hash.Key(Key)

	Value value.Raw     // Put, Add
	TS    hlc.Timestamp // Put, Remove, Add; zero in a Remove that carried none
	TTL   int64         // Put, Add: milliseconds, 0 for none

	// HasTTL is set when an Add carried a TTL, be it 0: that is part of its hash.
	HasTTL bool

	Tag string // Add, Drop

	// Since refuses an Add of a tag that is not there and is older than this, in
	// milliseconds since the Unix epoch: its sender would have sent it before.
	Since int64

	Counter crdt.CounterState // Merge

	// Asked says that the store was asked for the key and that what it had was
	// restored; the lane sets it.
	Asked bool

	// Near is where the key is expected; the lane sets it.
	Near record.Guess

	Check   policy.Check // nil allows
	Author  *change.Author
	Request string
}

// Status says what became of an operation.
type Status uint8

// The outcomes of Step.
const (
	// Unchanged: the state already covers the operation, because it was applied
	// before or because a later one won.
	Unchanged Status = iota

	// Applied: the state changed.
	Applied

	// Refused: see Result.Err.
	Refused

	// Asks: nothing was done, because the key's state has to be restored from the
	// store first.
	Asks
)

// Result is the outcome of one operation.
type Result struct {
	Status Status

	// Err is why the operation was refused.
	Err error

	// Restamped is set when the writer's timestamp was too far ahead of the
	// clock, now or when the operation came before, and its record was stored
	// under Stamp. Stored is the key's state now, which may be a later one. The
	// writer has to be sent both.
	Restamped bool
	Stamp     hlc.Timestamp
	Stored    string
}

// Time is what a replica knows of the world during one step.
type Time struct {
	// Arrival is given to every change of the step.
	Arrival hlc.Timestamp

	// Sys is the wall clock in milliseconds since the Unix epoch.
	Sys int64

	// Stamp returns a new timestamp of this node's clock, greater than all before
	// and than seen, which the clock may not have been told of yet.
	Stamp func(seen hlc.Timestamp) hlc.Timestamp
}

// Seconds is the wall clock as entries keep it: in seconds since the Unix epoch.
func (t Time) Seconds() uint32 { return uint32(t.Sys / 1000) }

// Effects collects what the steps of one batch cause, in order.
type Effects struct {
	// Log are the changes, in the order of the partition's stream.
	Log []change.Record

	// Seen is the latest timestamp of the batch that may move the node's clock.
	Seen hlc.Timestamp
}

// before is how many bytes there were before the changes from at on.
func (fx *Effects) before(at int) (n int) {
	for i := at; i < len(fx.Log); i++ {
		n += len(fx.Log[i].Before)
	}
	return n
}

func (fx *Effects) saw(ts hlc.Timestamp) {
	if hlc.Compare(ts, fx.Seen) > 0 {
		fx.Seen = ts
	}
}
