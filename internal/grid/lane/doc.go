// Package lane drives the partitions of a node. A lane owns some of them, and
// nothing else touches their state.
//
// # Order
//
// The lane is the one place that knows the order in which a change becomes
// real:
//
//  1. step: the tasks of a group run, and replicas merge operations;
//  2. append: the group's changes go to the log, nearly always as one frame;
//  3. durable: the log's committer has synced the frame;
//  4. publish: the changes go to the feed;
//  5. release: the tasks of the group hear that they are done, in order.
//
// The lane steps the next group while the log syncs the one before. A group
// that changed nothing still waits for the groups before it, because what its
// tasks have read may come from them (law 1, DURABLE-BEFORE-VISIBLE).
//
// # Failure
//
// When an append or a sync fails, everything merged on top of it is wrong: the
// tasks of all groups beyond the durable position are released with
// ErrUnavailable, the partitions they changed are dropped and loaded again from
// the store and the log, and the lane goes on in the log's next generation
// (law 2, FAILED-SYNC-RELOADS). Until the log has recovered, writing tasks are
// released with ErrUnavailable at once, and reading tasks go on.
//
// # Concurrency
//
// A Lane is an actor: one goroutine, or the simulator, drives Step. Submit may
// be called from anywhere. The lane waits for nobody.
package lane
