package hlc

import "math"

// MaxDrift is how far, in milliseconds, a timestamp may be ahead of the wall
// clock and still be believed.
const MaxDrift = 60_000

// Clock issues the timestamps of one node. Its zero value has no node name; use
// NewClock.
type Clock struct {
	node    string
	millis  int64
	counter uint32
}

// NewClock returns a clock at zero that signs with node, which must not contain
// ':'. A node that restarts calls Resume before it issues anything.
func NewClock(node string) *Clock { return &Clock{node: node} }

// Now returns a timestamp greater than all that c returned or accepted before.
// sysMillis is what the wall clock shows; it may stand still or go back.
func (c *Clock) Now(sysMillis int64) Timestamp {
	if sysMillis > c.millis {
		c.millis, c.counter = sysMillis, 0
	} else {
		c.tick(c.counter)
	}
	return c.Last()
}

// Update moves c past a received timestamp, so that what c issues next is
// greater. It returns false and leaves c as it was when remote is Ahead of
// sysMillis: one wrong clock must not drag the others along.
func (c *Clock) Update(sysMillis int64, remote Timestamp) bool {
	if Ahead(sysMillis, remote) {
		return false
	}
	switch m := max(c.millis, sysMillis, remote.Millis); {
	case c.millis == remote.Millis && m == c.millis:
		c.tick(max(c.counter, remote.Counter))
	case m == c.millis:
		c.tick(c.counter)
	case m == remote.Millis:
		c.millis = m
		c.tick(remote.Counter)
	default:
		c.millis, c.counter = m, 0
	}
	return true
}

// Resume moves c to at least t without the drift check. It is for timestamps
// of this node's own past, read back after a restart: c must not issue one of
// them again even if the wall clock has gone back meanwhile.
func (c *Clock) Resume(t Timestamp) {
	if t.Millis > c.millis || t.Millis == c.millis && t.Counter > c.counter {
		c.millis, c.counter = t.Millis, t.Counter
	}
}

// Last returns where c stands: the last timestamp issued, or the mark that the
// last accepted one left. It changes nothing.
func (c *Clock) Last() Timestamp {
	return Timestamp{Millis: c.millis, Counter: c.counter, Node: c.node}
}

// tick sets the counter to one after from; past the last one it moves to the
// next millisecond.
func (c *Clock) tick(from uint32) {
	if from == math.MaxUint32 {
		c.millis++
		c.counter = 0
		return
	}
	c.counter = from + 1
}

// Ahead reports whether t is further ahead of the wall clock than MaxDrift.
func Ahead(sysMillis int64, t Timestamp) bool {
	// The difference of two int64 in order always fits a uint64.
	return t.Millis > sysMillis && uint64(t.Millis)-uint64(sysMillis) > MaxDrift
}
