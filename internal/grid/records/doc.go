// Package records is the state machine of maps and counters: what one partition
// holds and how an operation changes it.
//
// A Replica is one partition on this node. It merges operations into encoded
// states, keeps the Merkle sums, remembers which keys a checkpoint must write,
// and describes each change as a change.Record. It does nothing else: no I/O, no
// clock, no lock, no goroutine. The lane that owns it is the only caller; see
// package lane for what happens to the records.
//
// What the replicas of one lane have in common lives in Shared: the maps by
// name, and one Merkle tree per map over all partitions of the lane. The trees
// of several lanes add up leaf by leaf.
//
// Records whose time is over end here, and tombstones are forgotten here: see
// Shared.Sweep.
//
// Invariants kept here: DELETE-STAYS, STALE-REFUSED, EXPIRY-CONVERGES, CLOCK-DECIDES, REDELIVERY-SILENT (see
// INVARIANTS.md).
package records
