//go:build mistakes

package mistake

import "os"

var name = os.Getenv("TOPGUN_MISTAKE")

// The mistakes; see off.go.
var (
	AckBeforeSync     = name == "ack-before-sync"
	PublishBeforeSync = name == "publish-before-sync"
	DropReadableLog   = name == "drop-readable-log"
	RestampAgain      = name == "restamp-again"
	LoseTombstone     = name == "lose-tombstone"
	ArrivalWins       = name == "arrival-wins"
	SkipReplay        = name == "skip-replay"
	EmitAgain         = name == "emit-again"

	LoseDeletion       = name == "lose-deletion"
	TieByArrival       = name == "tie-by-arrival"
	ReclaimUnconfirmed = name == "reclaim-unconfirmed"
	NoHorizon          = name == "no-horizon"
	LoseWhatFailed     = name == "lose-what-failed"
)

// Mistakes of live queries.
var (
	QueryForgetsBefore  = name == "query-forgets-before"
	QueryWindowShrinks  = name == "query-window-shrinks"
	QueryGroupsOnlyGrow = name == "query-groups-only-grow"
	QueryScanIsAlone    = name == "query-scan-is-alone"
	QueryResumesLate    = name == "query-resumes-late"
	QuerySkipsFence     = name == "query-skips-fence"
	QueryCountsShown    = name == "query-counts-shown"
)

// Mistakes of the store behind the node's own.
var (
	AckBeforeFar        = name == "ack-before-far"
	MarkBeforeRows      = name == "mark-before-rows"
	CatchUpKeepsDeleted = name == "catch-up-keeps-deleted"
	NoFence             = name == "no-fence"
)
