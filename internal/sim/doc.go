// Package sim runs a server and its clients in one goroutine, over a simulated
// clock, network and disk, in an order drawn from a seed.
//
// Everything that could happen at any time in a real deployment is an action
// that the scheduler may choose next: an actor of the server takes a step, a
// frame arrives, a client writes, a connection breaks, a sync fails, the power
// goes and leaves torn sectors, a disk is slow, a clock is wrong, a frame comes
// twice, a connection lingers that the client has given up, a client stays away
// for longer than deletions are remembered. The same seed makes the same choices, so a finding is replayed by its
// seed: `make sim SEED=…`. Two runs of one seed give the same trace, byte for
// byte; a test holds the server to that.
//
// What is simulated is the world, not the server: the node is the one of
// internal/app, the log is the real one over a memory file system that loses
// what was not synced, and the store is the in-memory one that passes the suite
// of all stores.
//
// Checkers look at what must hold whatever happened; each has a file of its own,
// check_*.go.
package sim
