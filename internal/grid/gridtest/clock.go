package gridtest

import (
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// Epoch is when every Clock begins, in milliseconds since the Unix epoch.
const Epoch = 1_767_225_600_000

// Clock stands still until the test moves it. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex
	millis int64
	timers map[*timer]struct{}
}

// NewClock makes a clock at Epoch.
func NewClock() *Clock { return &Clock{millis: Epoch, timers: map[*timer]struct{}{}} }

// Now implements clock.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.UnixMilli(c.millis)
}

// Millis is Now in milliseconds since the Unix epoch.
func (c *Clock) Millis() int64 { return clock.Millis(c.Now()) }

// Advance moves the clock, back if d is negative, and fires the timers that are
// due.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.millis += d.Milliseconds()
	for t := range c.timers {
		t.fireLocked()
	}
}

// NewTimer implements clock.Clock.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	t := &timer{clock: c, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

type timer struct {
	clock *Clock
	c     chan time.Time
	at    int64
}

// C implements clock.Timer.
func (t *timer) C() <-chan time.Time { return t.c }

// Stop implements clock.Timer.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	_, pending := t.clock.timers[t]
	delete(t.clock.timers, t)
	return pending
}

// Reset implements clock.Timer.
func (t *timer) Reset(d time.Duration) {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	select {
	case <-t.c:
	default:
	}
	t.at = t.clock.millis + d.Milliseconds()
	t.clock.timers[t] = struct{}{}
	t.fireLocked()
}

// fireLocked fires the timer if it is due.
func (t *timer) fireLocked() {
	if t.at > t.clock.millis {
		return
	}
	delete(t.clock.timers, t)
	select {
	case t.c <- time.UnixMilli(t.clock.millis):
	default:
	}
}
