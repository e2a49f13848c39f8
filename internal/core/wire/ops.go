package wire

// ClientOp is one write of a client.
//
// A problem that concerns one operation alone does not fail its frame: it is
// kept in Invalid, the other fields hold what could be decoded, and the server
// refuses this operation by its ID.
//
//wire:tolerant
//wire:check
type ClientOp struct {
	ID           string              `wire:"id,omitempty"` // of the client's operation log, a decimal number
	MapName      string              `wire:"mapName"`
	Key          string              `wire:"key,key"`
	OpType       string              `wire:"opType,omitempty"` // PUT, REMOVE, OR_ADD or OR_REMOVE
	Record       Nullable[LWWRecord] `wire:"record"`           // nil is a removal
	ORRecord     Opt[ORRecord]       `wire:"orRecord"`
	ORTag        Opt[string]         `wire:"orTag"`                  // the tag to remove
	WriteConcern WriteConcern        `wire:"writeConcern,omitempty"` // overrides that of the batch
	Timeout      int64               `wire:"timeout,omitempty"`      // ms to wait for the write concern

	Invalid *DecodeError `wire:"-"`
}

// OpBatchPool keeps the memory of batches: one is decoded for every frame of
// writes, and its operations are large. It is safe for concurrent use.
type OpBatchPool interface {
	// Get returns a batch without operations, perhaps with room for some.
	Get() *OpBatch

	// Put takes one that nobody uses any more.
	Put(m *OpBatch)
}

// maxPooledOps is the largest batch whose memory is kept.
const maxPooledOps = 1024

func (d *decoder) takeOpBatch() *OpBatch {
	if d.lim.OpBatches == nil {
		return new(OpBatch)
	}
	m := d.lim.OpBatches.Get()
	m.pool = d.lim.OpBatches
	return m
}

// Release gives the memory of a decoded batch back to the pool that it came
// from, if it came from one. The batch and its slice of operations must not be
// used afterwards; strings and values taken from them stay valid, they belong to
// the frame. Calling it is optional.
func (m *OpBatch) Release() {
	if m.pool == nil || cap(m.Ops) > maxPooledOps {
		return
	}
	clear(m.Ops)
	pool := m.pool
	*m = OpBatch{Ops: m.Ops[:0]}
	pool.Put(m)
}

// ClientOpMessage is a single operation outside a batch, as old clients send it.
//
//wire:message CLIENT_OP payload c2s
type ClientOpMessage struct {
	ClientOp
}

// OpBatch carries all operations of a client that are not yet acknowledged, in
// the order of their ids.
//
//wire:message OP_BATCH payload c2s
//wire:check
//wire:pooled
type OpBatch struct {
	Ops          []ClientOp   `wire:"ops,ops"`
	WriteConcern WriteConcern `wire:"writeConcern,omitempty,tolerant"`
	Timeout      int64        `wire:"timeout,omitempty,tolerant"` // ms to wait for the write concern

	// Invalid is a problem with a field of the batch itself. Decoding also puts
	// it into every operation that has none of its own.
	Invalid *DecodeError `wire:"-"`

	pool OpBatchPool `wire:"-"` // Limits.OpBatches; see Release
}

// OpAck acknowledges every operation up to LastID: a client deletes them all
// from its log, whatever their results. A LastID that is no number acknowledges
// everything, so it is only ever the id of an operation, repeated verbatim.
//
//wire:message OP_ACK payload s2c
type OpAck struct {
	LastID        string       `wire:"lastId"`
	AchievedLevel WriteConcern `wire:"achievedLevel,omitempty"`
	Results       []OpResult   `wire:"results,omitempty,ops"`
}

// OpResult is the outcome of one operation.
type OpResult struct {
	OpID          string       `wire:"opId"`
	Success       bool         `wire:"success"`
	AchievedLevel WriteConcern `wire:"achievedLevel"`
	Error         string       `wire:"error,omitempty,text"`
}

// OpRejected refuses one operation for good. It does not take the operation
// out of the client's log; the OP_ACK after it does.
//
//wire:message OP_REJECTED payload s2c
type OpRejected struct {
	OpID   string `wire:"opId"`
	Reason string `wire:"reason,text"`
	Code   int64  `wire:"code,omitempty"`
}

// WriteConcern is how far a write must have come before it is acknowledged.
// Empty means that nothing was asked for.
type WriteConcern string

// The write concerns, weakest first.
const (
	FireAndForget WriteConcern = "FIRE_AND_FORGET" // received
	Memory        WriteConcern = "MEMORY"          // received
	Applied       WriteConcern = "APPLIED"         // merged
	Replicated    WriteConcern = "REPLICATED"      // on the backups
	Persisted     WriteConcern = "PERSISTED"       // durable
)

// Rank orders write concerns: 0 for none, 1 for the weakest.
func (w WriteConcern) Rank() int {
	switch w {
	case FireAndForget:
		return 1
	case Memory:
		return 2
	case Applied:
		return 3
	case Replicated:
		return 4
	case Persisted:
		return 5
	}
	return 0
}

// AppendOpAck appends the frame of an OP_ACK without allocating a message.
func AppendOpAck(dst []byte, lastID string, level WriteConcern, results []OpResult) []byte {
	m := OpAck{LastID: lastID, AchievedLevel: level, Results: results}
	return m.AppendTo(dst)
}
