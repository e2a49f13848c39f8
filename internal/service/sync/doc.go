// Package sync brings replicas of maps up to date by comparing Merkle trees:
// SYNC_INIT and its kin for LWW maps, ORMAP_SYNC_INIT and its kin for OR maps.
//
// Every request is answered from the state of the moment. A walk that spans many
// requests may so see changes in its midst; it converges all the same, and a
// session that has begun one also receives the changes that follow (see
// Follower).
//
// The trees are kept by the lanes as records change; a request adds up the
// leaves below the path that it asks for, and reads records of one leaf only.
// The cost of a reconnect is in proportion to the leaves that differ.
//
// It also knows the devices that take part in OR maps and what each has
// confirmed, which decides when the removals of tags may be forgotten (see
// devices, covers), and tells replicas that are older than what the server
// remembers of deletions to begin anew.
//
// Invariants kept here: DELETE-STAYS, RECLAIM-CONFIRMED.
package sync
