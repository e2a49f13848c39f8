// Package record keeps the records of one map in one partition in memory.
//
// A Table is an ordered list of entries, by key hash and then by key: the order
// of the durable store. So a leaf of the Merkle tree is one short range, a scan
// of the store and a scan of memory merge line by line, and a cursor is a place
// in the order that stays valid whatever is written meanwhile. Lookups compare
// keys and never rely on the hash alone, so nobody can slow a table down by
// choosing keys that collide.
//
// A page is one block of at most 4 KiB that holds the bytes of its entries and
// no pointer, and grows in steps of an eighth; see page. The garbage collector
// follows one pointer for some twenty records. Records of more than a kilobyte
// have a block of their own. The node that a last-writer-wins state ends its
// timestamp with is the same in many records and is kept once for the tables of
// a Pool.
//
// The tables of one lane share a Pool. Neither is safe for concurrent use.
//
// # Who owns the bytes
//
// A table overwrites its pages in place. Key and State copy, and what they
// return may be kept by anyone. KeyView and StateView do not, and end with the
// next change of any table of the pool; an Entry ends with the next change of
// its table.
package record
