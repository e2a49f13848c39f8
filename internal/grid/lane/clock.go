package lane

import (
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// Clock is the hybrid logical clock of the node, shared by its lanes. It is
// safe for concurrent use.
type Clock struct {
	wall clock.Clock

	mu  sync.Mutex
	hlc *hlc.Clock
}

// NewClock makes the clock of the node with the given id.
func NewClock(node string, wall clock.Clock) *Clock {
	return &Clock{wall: wall, hlc: hlc.NewClock(node)}
}

// Sys is the wall clock in milliseconds since the Unix epoch.
func (c *Clock) Sys() int64 { return clock.Millis(c.wall.Now()) }

// Now returns a new timestamp, greater than all before.
func (c *Clock) Now() hlc.Timestamp {
	sys := c.Sys()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hlc.Now(sys)
}

// After returns a new timestamp, greater than all before and than seen. A seen
// that is ahead of the wall clock by more than the drift bound is ignored.
func (c *Clock) After(seen hlc.Timestamp) hlc.Timestamp {
	sys := c.Sys()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hlc.Update(sys, seen)
	return c.hlc.Now(sys)
}

// Observe moves the clock past a timestamp seen elsewhere. One that is ahead of
// the wall clock by more than the drift bound is ignored.
func (c *Clock) Observe(ts hlc.Timestamp) {
	sys := c.Sys()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hlc.Update(sys, ts)
}

// Resume moves the clock to a timestamp that this node issued before, however
// far ahead of the wall clock it is.
func (c *Clock) Resume(ts hlc.Timestamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hlc.Resume(ts)
}
