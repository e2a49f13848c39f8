// Package clock declares how the rest of the system reads time and randomness.
//
// Both are things the world does to a node, so both are handed in: production
// code gets the real ones from internal/app, tests and the simulator get ones
// they control. The package itself reads neither.
package clock

import "time"

// Clock tells the time and wakes its owner up. Implementations are safe for
// concurrent use.
type Clock interface {
	// Now is the wall clock. It may jump in either direction.
	Now() time.Time

	// NewTimer returns a timer that fires once after d. A d of zero or less
	// fires at once.
	NewTimer(d time.Duration) Timer
}

// Timer is one pending wake-up.
type Timer interface {
	// C delivers the time at which the timer fired; it has room for one value,
	// so an owner that looks later still sees it.
	C() <-chan time.Time

	// Stop prevents the timer from firing and reports whether it was pending.
	Stop() bool

	// Reset stops the timer, drops an undelivered firing, and starts it anew.
	Reset(d time.Duration)
}

// Random is a source of random bits. Implementations are safe for concurrent
// use; the simulator's is seeded.
type Random interface {
	// Fill overwrites b with random bytes. Secrets are made from it, so the
	// production source is cryptographic.
	Fill(b []byte)
}

// Millis is t as the milliseconds since the Unix epoch that hybrid logical
// clocks count in.
func Millis(t time.Time) int64 { return t.UnixMilli() }
