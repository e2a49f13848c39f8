package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
)

// Breaks come between the slices of long work on lanes. Between two slices a
// lane does what waits for it, but lanes that always have something to do leave
// no processor idle, and only an idle one looks at once who has sent something:
// a write would wait some ten milliseconds for each step of its way.
//
// Until Run is called there are no breaks.
type Breaks struct {
	clock clock.Clock
	bell  actor.Bell

	mu      sync.Mutex
	running bool
	due     []pause
}

// pause is a break that is being taken.
type pause struct {
	until time.Time
	then  func()
}

// leastBreak is how long a break is at least.
const leastBreak = 200 * time.Microsecond

func newBreaks(wall clock.Clock) *Breaks { return &Breaks{clock: wall, bell: actor.NewBell()} }

// take calls then after a break, which is leastBreak at least.
func (b *Breaks) take(length time.Duration, then func()) {
	b.mu.Lock()
	if !b.running {
		b.mu.Unlock()
		then()
		return
	}
	b.due = append(b.due, pause{b.clock.Now().Add(max(length, leastBreak)), then})
	b.mu.Unlock()
	b.bell.Ring()
}

// Run ends breaks when they are over, until ctx ends. Those that are being taken
// then do not end.
func (b *Breaks) Run(ctx context.Context) {
	b.mu.Lock()
	b.running = true
	b.mu.Unlock()
	t := b.clock.NewTimer(time.Hour)
	defer t.Stop()
	for {
		if next, some := b.end(); some {
			t.Reset(next)
		}
		select {
		case <-t.C():
		case <-b.bell:
		case <-ctx.Done():
			return
		}
	}
}

// end ends the breaks that are over, and returns how long the next one goes on.
func (b *Breaks) end() (next time.Duration, some bool) {
	now := b.clock.Now()
	b.mu.Lock()
	var over []func()
	b.due = slices.DeleteFunc(b.due, func(p pause) bool {
		left := p.until.Sub(now)
		if left <= 0 {
			over = append(over, p.then)
			return true
		}
		if !some || left < next {
			next, some = left, true
		}
		return false
	})
	b.mu.Unlock()
	for _, then := range over {
		then()
	}
	return next, some
}
