// Package transfer writes the contents of a node as lines of JSON, for people
// and other programs, and brings such lines into a node.
//
// A line is one key: an LWW record, the records and removed tags of an OR key,
// or a PN counter. It carries the timestamps, so that bringing it in is a merge
// like any other: the later edit stays, and doing it again changes nothing. What
// is brought in enters by the same door as every client's writes, as the
// principal whose token is used.
//
// The format is in docs/format/jsonlines.md.
package transfer
