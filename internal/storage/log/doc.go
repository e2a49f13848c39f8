// Package log is the one physical log of a node: segments of checksummed
// frames, made durable by group commit.
//
// A frame is one payload that the log does not look into. Append copies it into
// memory and hands out its LSN; Step writes everything appended so far with one
// write and one sync, and moves Durable. Frames that came between two Steps are
// a group. Nothing here starts a goroutine: Run is a thin loop around Step.
//
// Who may call what: Append and everything that only reads is safe for
// concurrent use, and Append never waits for the disk. Step, Recover and Close
// exclude each other; DropBefore excludes itself.
//
// What holds:
//
//   - An LSN is handed out once in the life of a log. LSNs grow in the order of
//     appends, across restarts too. They are positions, not byte counts: there
//     are gaps between segments.
//   - What Durable has reported is replayed by every later Open, in order, with
//     its LSN.
//   - When a write or a sync fails, everything beyond Durable has failed for
//     good: the generation changes, the segment is sealed and never written or
//     synced again, and Recover continues in a new segment whose header says
//     where the old one ends. The failed bytes may have reached the disk; they
//     are not replayed. Since later LSNs are greater than failed ones, a caller
//     who waits for an LSN must ask DurableAt with the generation that it
//     appended under, not Durable.
//   - Open cuts a torn end off the last segment, and only there; anything else
//     that does not verify is a CorruptError. What Open accepts it has made
//     durable before it returns.
//
// A torn end and a rotten one look alike within the last group. Beyond it they
// do not: each frame says where its group begins, a group is written only when
// the one before is durable, so a frame that verifies proves everything before
// its group to have been on disk.
//
// The layout of the files is in docs/format/log.md.
package log
