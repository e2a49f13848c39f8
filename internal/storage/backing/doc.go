// Package backing is the seam to the durable home of the grid's state: what a
// store must do, and the words it is said in.
//
// The log holds every change; a store holds the last state of every key as of
// some position of the log, its Mark. It is written in checkpoints: the states
// that changed since the last one, sorted, together with the mark that they
// reach, all of it or nothing. After a crash the node loads the store and
// replays the log behind the mark, so a store may lag but must never be torn,
// and must never claim a mark that a power cut could take back.
//
// The order of keys is (tenant, map, partition, hash, key), each compared as a
// number or as bytes. It is part of the seam because a leaf of the Merkle tree
// is a range of it, and because a scan of the store is merged with what is
// dirty in memory.
//
// Implementations stand in packages of their own beside this one and all run
// backingtest.Run:
//
//   - embedded: sorted tables on the local disk, the default;
//   - postgres: a PostgreSQL database;
//   - writebehind: any of them with another behind it;
//   - memory: ordered rows in memory, for the simulator and for tests;
//   - null: keeps nothing, for a node that is a cache.
//
// The seam knows no record format: Kind and State are bytes it carries.
package backing
