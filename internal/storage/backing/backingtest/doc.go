// Package backingtest is the suite that every backing store passes, and the
// model that it is held against.
//
// A store's own test calls Run with a way to make fresh places to keep rows in.
// The suite is about what the seam promises to anyone; what a store does when
// the power fails or the disk does is tested beside the store, with Model as
// the measure.
package backingtest
