package backing

import (
	"context"
	"iter"
)

// Store is the durable home of rows.
//
// # Atomicity
//
// Apply and Clear are checkpoints: each becomes visible and durable as a whole
// or not at all, mark included, whatever happens to the process or the power
// meanwhile. They take effect in the order in which they return; concurrent
// calls are legal and take turns. What a reader can see is durable: a row or a
// mark that was read once is there after any crash. A mark is never ahead of
// the rows that can be read; it may be behind them for a moment.
//
// A call that fails with ErrInvalid or ErrStale, or because its context ended,
// changed nothing. A call that fails in any other way may turn out to have been
// done, entirely, when the store next recovers; until then its rows, but not
// its mark, may be seen. The caller repeats the call, or makes a later
// checkpoint that covers it. Both are always legal, because a checkpoint writes
// states and a repeated mark is not backwards.
//
// # Ownership
//
// A store keeps nothing that it is given: rows, states and marks belong to the
// caller again when the call returns. What Load and Mark return belongs to the
// caller. A row handed to a scan's function is the store's: its strings and its
// state are valid only until the function returns.
//
// # Concurrency and cancellation
//
// All methods may be called from any goroutine. Readers never wait for a
// checkpoint, except while the store recovers from a failure. A function given
// to Scan must not call the same store. A context that ends stops a call before
// its effect or not at all; it never leaves half of one.
type Store interface {
	// Apply writes one checkpoint: rows, strictly ascending by key, and the
	// mark that the store reaches with them. Nil rows, or none, only moves the
	// mark. On return without error the checkpoint is durable, and the log
	// before mark.LSN may be dropped.
	//
	// Rows are read once, in one go, and streamed: the memory of a row may be
	// reused by whoever produces them once the next row is asked for, so that
	// a scan of another store can be applied as it is. Rows may be read to some
	// point and then no further when the call fails. Apply may wait for the
	// store to get its own work done; that is the back pressure.
	Apply(ctx context.Context, rows iter.Seq[Write], mark Mark) error

	// Clear is a checkpoint that removes every row in the ranges, which may
	// come in any order, overlap or be empty. It costs about as much as Apply
	// of as many rows as there are ranges, however many rows they hold.
	Clear(ctx context.Context, ranges []Range, mark Mark) error

	// Mark returns the mark of the last durable checkpoint, and the zero Mark
	// if there was none. Only what it says permits dropping log.
	Mark(ctx context.Context) (Mark, error)

	// Load returns the row at key, or false. The row has the caller's Key.
	Load(ctx context.Context, key Key) (Row, bool, error)

	// Scan calls fn with each row in r, ascending, until fn says that it wants
	// no more or returns an error, which Scan then returns as it is. The scan
	// sees the store as of its start. It holds on to replaced data while it
	// lasts: read long ranges in slices, with Key.Next between them.
	Scan(ctx context.Context, r Range, fn func(Row) (more bool, err error)) error

	// Maps lists the maps that have rows, by tenant and name.
	Maps(ctx context.Context) ([]MapInfo, error)

	// Flush concerns stores that pass checkpoints on to a slower place after
	// they made them durable nearby. Soft begins to pass on what is waiting;
	// hard returns when all that was applied before the call has arrived. A
	// store without such a place returns nil, or why it takes no checkpoints.
	Flush(ctx context.Context, hard bool) error

	// Stats returns how the store is doing. It is cheap enough to be called
	// every second and zero after Close.
	Stats() Stats

	// Close waits for running calls and ends the store; it makes nothing more
	// durable than it was. Calls during and after it return ErrClosed, a second
	// Close included.
	Close() error
}

// MapInfo describes one map that has rows.
type MapInfo struct {
	Tenant uint32
	Map    string

	// Kind is the kind of the map's first row.
	Kind uint8

	// Rows is how many rows there are: the number if Exact, else an estimate
	// good for planning and for people, within a factor of two or so.
	Rows  uint64
	Exact bool
}

// Stats is how a store is doing. A figure that a store does not have is zero.
type Stats struct {
	// Checkpoints, Rows and Bytes count what was applied since the store was
	// opened: calls of Apply and Clear, rows with deletes, bytes as handed over.
	Checkpoints uint64
	Rows        uint64
	Bytes       uint64

	// Failures counts failed checkpoints and failed work in the background;
	// Recoveries counts how often the store had to recover from one.
	Failures   uint64
	Recoveries uint64

	// Rewinds counts how often the store was found to have lost what it had
	// confirmed, as a database has that was replaced by a replica.
	Rewinds uint64

	// DiskBytes is the space taken, and PendingBytes the part of it that
	// upkeep in the background has yet to rewrite.
	DiskBytes    uint64
	PendingBytes uint64

	// ReadDepth is how many places a read may have to look into, and Waits how
	// often a checkpoint had to wait for that number to come down.
	ReadDepth int
	Waits     uint64

	// CacheHits and CacheMisses count blocks asked of the store's cache.
	CacheHits   uint64
	CacheMisses uint64
}
