// Package gridtest is a whole grid over a simulated world, stepped by its test:
// the engine with its lanes and checkpointer, the real log over a memory file
// system that loses what was not synced, and the in-memory store.
//
// Nothing in a World runs by itself. A test calls Settle, or the single steps,
// so that what happens between two lines of it is what the lines say. Tests of
// concurrency give the actors goroutines of their own.
package gridtest
