// Package crdt holds the three kinds of replicated state: the last-writer-wins
// record of a key, the observed-remove set of records of a key, and the PN
// counter.
//
// All three work on their encoded form. What a record table keeps, what the log
// carries and what a checkpoint writes is the same string, and merging reads it
// where it lies: AcceptLWW compares a timestamp with the bytes of a stored
// record, ORState.Add walks the encoded set and writes the next one. The layouts
// are in docs/format/state.md; each begins with a byte that names kind and
// version, and each state has exactly one encoding, so that equal states are
// equal strings.
//
// # Ownership
//
// States are immutable. Values, tags and node names that come out of one are
// views of it and must not be written to. Functions that make a state append it
// to a dst given by the caller, who owns the result; dst must not overlap their
// other inputs. They keep nothing.
//
// # Bytes from outside
//
// Parse and Validate accept arbitrary bytes and return errors that wrap
// ErrCorrupt. Functions without an error result take bytes that are no state for
// the empty state, or for as much of one as can be read; they are meant for
// states that were validated when they came in.
//
// # Laws
//
// Merging is commutative, associative and idempotent, provided that a timestamp
// names one write (LWW) and that a tag at a timestamp names one value (OR),
// which holds as long as every node signs with its own name. A removed tag never
// comes back, also when its removal arrives before its addition. The entry hash
// of a set depends on its live records only. laws_test.go has the tests.
package crdt
