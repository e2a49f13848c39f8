//go:build !mistakes

package mistake

// The mistakes. Each names the law that it breaks.
const (
	// AckBeforeSync releases tasks without waiting for the log (law 3).
	AckBeforeSync = false

	// PublishBeforeSync offers changes to followers without waiting for the log
	// (law 1).
	PublishBeforeSync = false

	// DropReadableLog drops log before the checkpoint that replaces it is
	// durable (§6).
	DropReadableLog = false

	// RestampAgain forgets that a write was re-stamped before (law 5).
	RestampAgain = false

	// LoseTombstone stores nothing for a removal of a tag that is not there
	// (law 6).
	LoseTombstone = false

	// ArrivalWins lets the later arrival win, whatever the clocks say (law 5).
	ArrivalWins = false

	// SkipReplay starts from the store alone (§6).
	SkipReplay = false

	// EmitAgain treats a re-delivered write as a new one (law 4).
	EmitAgain = false

	// LoseDeletion drops the key that is removed and leaves no tombstone (law 6).
	LoseDeletion = false

	// TieByArrival lets the later arrival win between two writes of the same
	// millisecond and counter (law 5).
	TieByArrival = false

	// ReclaimUnconfirmed forgets removals that a device may not know (law 6).
	ReclaimUnconfirmed = false

	// NoHorizon forgets deletions without refusing what is older (law 6).
	NoHorizon = false

	// LoseWhatFailed has the lanes take nothing back of a checkpoint that failed
	// (§6).
	LoseWhatFailed = false
)

// Mistakes of live queries.
const (
	// QueryForgetsBefore looks only at what a record becomes to find the
	// standing queries that a change affects.
	QueryForgetsBefore = false

	// QueryWindowShrinks does not fill a window that ran short.
	QueryWindowShrinks = false

	// QueryGroupsOnlyGrow takes no record out of its group.
	QueryGroupsOnlyGrow = false

	// QueryScanIsAlone leaves out the changes of keys that a pass has seen.
	QueryScanIsAlone = false

	// QueryResumesLate forgets the first of the changes that a client has
	// missed.
	QueryResumesLate = false

	// QuerySkipsFence answers from what is kept without waiting for the
	// session's own writes.
	QuerySkipsFence = false

	// QueryCountsShown counts only the rows that are shown.
	QueryCountsShown = false
)

// Mistakes of the store behind the node's own.
const (
	// AckBeforeFar acknowledges without waiting at the gate.
	AckBeforeFar = false

	// MarkBeforeRows moves the far mark with the first batch of a checkpoint.
	MarkBeforeRows = false

	// CatchUpKeepsDeleted leaves rows alone that only the far store has.
	CatchUpKeepsDeleted = false

	// NoFence writes to a database whatever its fence says.
	NoFence = false
)
