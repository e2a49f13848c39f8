// Package hash holds the two hash functions that clients and servers agree on.
//
// Key is FNV-1a over the UTF-16 code units of a string, the form in which a
// browser sees it: one 32-bit step per unit, a character outside the basic
// plane counting as its two surrogates. It decides the partition of a key, its
// place in the Merkle tree and, over a longer text, the entry hashes there.
// FNV is the same function fed piece by piece, so that such a text never has to
// be built.
//
// Mix and Combine fold entry hashes into one value that does not depend on
// their order, which is what lets a Merkle leaf be updated in place.
//
// Both are part of the protocol: a different result for one input makes every
// replica resynchronise. spec/vectors/hash.json and combine.json pin them.
//
// Neither function is meant to withstand somebody who looks for collisions.
package hash
