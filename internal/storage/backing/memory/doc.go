// Package memory is the backing store that keeps its rows in memory: for the
// simulator, where it stands for the disk, and for tests.
//
// It runs no goroutine, reads no clock and does the same thing every time. A
// checkpoint is durable in the sense of the simulator: it is part of every
// Clone taken afterwards, which is what a crash leaves behind.
//
// A checkpoint costs time in proportion to all rows, and a Clone nothing.
package memory
