// Package merkle keeps the hash tree by which two replicas of a map find out
// where they differ.
//
// The tree has the shape that the protocol prescribes: a key belongs to the leaf
// of the first three hexadecimal digits of its hash, so there are 4096 leaves
// under two levels of sixteen children and a root. A leaf's hash is the sum of
// the mixed entry hashes of its keys, a node's the sum of the mixed hashes of
// its children (hash.Combine in both cases). What an entry hash covers is the
// matter of the map's kind, see package crdt.
//
// Because a leaf is a sum, changing a key is one subtraction and one addition,
// and leaves of trees over disjoint keys can be added up. Nothing above the
// leaves can; it is computed when somebody asks.
//
// Besides its sum a leaf counts its keys. A key may be in a leaf without an
// entry hash, as one with nothing but tombstones is: the other side has to be
// able to find it although it does not show in any hash.
//
// A Tree has one owner; reading it may change what it remembers.
//
// Laws, with their tests in tree_test.go: a tree that was updated equals one
// built anew from the same keys; hashes equal those computed from the definition;
// trees over disjoint keys add up to the tree over all of them.
package merkle
