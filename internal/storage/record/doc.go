// Package record keeps the records of one map in one partition in memory.
//
// A Table is an ordered list of entries, by key hash and then by key: the order
// of the durable store. So a leaf of the Merkle tree is one short range, a scan
// of the store and a scan of memory merge line by line, and a cursor is a place
// in the order that stays valid whatever is written meanwhile. Lookups compare
// keys and never rely on the hash alone, so nobody can slow a table down by
// choosing keys that collide.
//
// Entries lie in pages of at most 128; a page holds its hashes side by side for
// the search. An entry has one pointer, to the immutable bytes of its key and
// state, so that the garbage collector has little to follow.
//
// A Table belongs to one lane and is not safe for concurrent use. The strings
// it hands out are immutable and may be kept by anyone.
package record
