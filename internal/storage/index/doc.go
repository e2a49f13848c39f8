// Package index keeps secondary indexes of one map on one lane.
//
// An index is an ordered set of entries, each the term of a record followed by
// its key. A term is the ordered encoding of the indexed fields (package value),
// so a range of values is a range of entries, and within one term entries are in
// the order of their keys: the order in which live queries break ties. The three
// kinds differ in what the terms are:
//
//   - Ordered: the values of the fields, one term a record. Serves equality,
//     ranges, prefixes and order.
//   - Hash: a hash of the values, one term a record. Serves equality, in nine
//     bytes whatever the values are.
//   - Inverted: one term for each distinct element of an array, or the value
//     itself. Serves contains.
//
// An index names candidates: who reads it tests the record again, so that long
// values may share a term and hashes may collide.
//
// A Set holds its entries in pages of some 4 KiB without pointers. An Index
// belongs to one lane and is not safe for concurrent use.
package index
