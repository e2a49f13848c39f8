// Package value works on MessagePack values where they lie: as bytes.
//
// A record's value is stored, compared, filtered, sorted and sent in the
// encoding in which the client wrote it. This package is the only place that
// knows that encoding:
//
//   - Raw is exactly one encoded value, Next finds where a value ends, Check
//     says whether bytes are a value at all;
//   - Reader decodes message fields in order, the Append functions encode them;
//   - Lookup follows a Path into a document, Project copies some of its fields;
//   - Equal and Compare are the equality and the total order of values;
//   - AppendCanonical writes the text over which entry hashes of observed-remove
//     maps are computed;
//   - FromAny and Raw.Any convert from and to Go values, for tests, tools and
//     clients; the server's own paths stay on the bytes.
//
// # Limits and hostile input
//
// Every function accepts any bytes and never panics. Nothing is allocated from
// a declared length before that length was checked against the bytes that are
// there, nothing recurses deeper than MaxDepth containers, and Next, the
// header of every other walk, is not recursive at all. Functions without an
// error result treat bytes that are not a value as missing; they are meant for
// values that passed Check (or Next) when they came in.
//
// # Ownership
//
// Strings, byte slices and Raw values that come out of a Reader, of Lookup or
// of an iterator are views of the input. They stay valid as long as the input
// is not modified, and they keep it in memory.
//
// # Numbers
//
// A client writes the same number as an integer or as a float depending on its
// size, so forms do not matter: 1, 1.0 as float32 and 1.0 as float64 are equal.
// Comparison is exact over the whole range of int64, uint64 and float64.
// Strings are compared as bytes and are not checked to be UTF-8. Extension
// types are opaque.
package value
