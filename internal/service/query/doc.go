// Package query answers queries over maps and keeps their results live. It also
// tells sessions that hold replicas of a map what happens to it.
//
// # Live results
//
// A standing query is one distinct question: map, predicate, sort, limit and
// start. Sessions that ask the same share it. Its window is the first rows of
// all that match, in the order asked for; an update is whatever makes a client's
// rows equal to the window after the change. So the live result is always what
// the query would give if it were run again.
//
// A window holds somewhat more rows than it shows. When removals have used up
// that reserve while further rows matched, the window is filled by another scan,
// and the difference between the rows shown before and after it is sent. While
// it runs nothing is sent, so that no client sees a window with a hole.
//
// # No gap and no repeat
//
// A scan asks every lane for slices, which come back through the inbox of the
// feed, in the place where they were read. A change of a key that the scan has
// passed is applied to its result; a change of a key that it has not passed yet
// is not, because the slice to come contains it. Nothing is buffered, however
// long a scan takes. When the inbox overflows, every standing query scans again.
//
// # Concurrency
//
// Service is an actor. Messages of sessions come as commands, changes through
// the inbox; all state belongs to Step.
package query
