// Package backup copies the state of a running node, and makes a node of a copy.
//
// Take has a checkpoint made, fixes the rows of the store, and takes the log from
// the store's mark to the durable end as it is a moment later: rows and log
// together are the state at that position, while the node goes on. With a base,
// only rows beyond the base's positions are written, and of the others the keys:
// one whose deletion was forgotten since the base is in neither, and is gone.
//
// Restore gives an empty store the state of a chain of snapshots, as one
// checkpoint. Every partition begins a new epoch: positions that were handed out
// before name another history.
//
// The stream format is package snapshot's.
package backup
