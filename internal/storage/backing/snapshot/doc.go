// Package snapshot is the stream format of a backup: the rows of a store, the
// piece of the log behind them, and how far both reach.
//
// A snapshot is fuzzy by itself and exact as a whole: rows are read from a store
// whose mark says which changes it has at least, and the frames are the log from
// that mark to a position taken after the rows were fixed. Rows and frames
// together are the state of the node at that position. Frames may repeat, and
// may speak of what a row already covers; whoever installs them skips what is not
// beyond the row's sequence number, as a start of the server does.
//
// An incremental snapshot has a base, another snapshot of the same log. It holds
// the rows beyond the positions that the base has reached, and names the keys of
// all others: what it does not name is gone. A deletion may be forgotten between
// two backups, and its key must not come back from the older one. A chain is a
// full snapshot followed by incremental ones, each with the one before as its
// base.
//
// The stream is a sequence of checksummed blocks; docs/format/backup.md draws
// them. A stream that ends before its trailer is refused: there is no half of a
// snapshot.
package snapshot
