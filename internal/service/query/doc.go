// Package query answers queries over maps and keeps their results live. It also
// tells sessions that hold replicas of a map what happens to it. What a query
// means is written down for users in docs/services/query.md.
//
// # Live results
//
// A standing query is one distinct question: map, condition, order, limit,
// fields and start. Sessions that ask the same share it. Its window is the first
// rows of all that match, in the order asked for; an update is whatever makes a
// client's rows equal to the window after the change. So the live result is
// always what the query would give if it were run again.
//
// A window holds somewhat more rows than it shows. When removals have used up
// that reserve while further rows matched, the window is filled by another pass,
// and the difference between the rows shown before and after it is sent. While
// it runs nothing is sent, so that no client sees a window with a hole. Groups
// and totals are not filled: a change is taken out of them as it was before and
// put in as it is after.
//
// # Who is visited
//
// Standing queries with one condition share it, and conditions are in an index
// by what they test (core/conditions). A change evaluates the conditions that
// the index finds for the record before and after, each once.
//
// # No gap and no repeat
//
// A pass asks every lane for slices of the map, which come back through the
// inbox of the feed, in the place where they were read. A change of a key that
// the pass has seen is applied to its results; a change of a key that it has not
// seen yet is not, because the slice to come contains it. Nothing is buffered,
// however long a pass takes. When the inbox overflows, every standing query
// begins again. A pass serves all queries of its map that wait when it begins.
//
// A session that asks what is kept already is answered when a fence has come
// back from every lane, and so with its own writes.
//
// # Positions
//
// The changes of a map are numbered as they are looked at, and the last of them
// are remembered (history). What a client held at a number follows from what is
// shown now with the changes since undone, and so does what it has missed.
//
// # Concurrency
//
// Service is an actor. Messages of sessions come as commands, changes through
// the inbox; all state belongs to Step.
package query
