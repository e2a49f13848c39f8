// Package writebehind is the backing store that keeps rows in two places: near,
// where a checkpoint is durable when Apply returns and where everything is read;
// and far, which gets what near has, later.
//
// What a checkpoint wrote near is staged in memory. A key that is written again
// before it has gone on goes on once, in its last state. After Delay the staged
// rows go to the far store in batches, in the order of keys; the far mark moves
// with the last of them, so it never claims what is not there. Batches follow
// one another, so the far store sees the states of a key in their order. A
// batch that fails is tried again, after a pause that doubles.
//
// Staging is bounded and is only a short cut. When it overflows, after a
// restart that lost it, and when a far store is new, both stores are read side
// by side, in slices and in the order of keys, and what differs is written: rows
// that were changed, and rows that are gone. So near decides what far should
// hold, and a far store that was away for however long is brought up to it
// without holding up anybody.
//
// What is lost when the near place is lost for good is what had not gone on:
// the changes since the last checkpoint, and behind it Delay and the time that
// the far store takes, or was away.
package writebehind
