// Package hlc is the hybrid logical clock: timestamps that follow wall time as
// long as clocks agree and that still order cause before effect when they do
// not. Every record carries one, and the greater one wins.
//
// Timestamp is a value with a total order (millis, counter, node) and a text
// form, "millis:counter:node", which is the tag of OR-map records and part of
// entry hashes.
//
// Clock issues timestamps and learns from received ones. It reads no time: the
// caller says what the wall clock shows. A Clock is not safe for concurrent
// use; it has one owner.
//
// Laws, with their tests in clock_test.go: what Now returns is greater than
// everything the clock returned or accepted before; after an accepted Update
// the clock stands at or beyond both sides; a timestamp further ahead of the
// wall clock than MaxDrift never moves the clock.
package hlc
