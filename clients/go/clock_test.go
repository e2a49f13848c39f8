package topgun_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/clients/go"
)

// shiftedClock is the machine's clock, wrong by some time.
type shiftedClock struct {
	mu sync.Mutex
	by time.Duration
}

func newShiftedClock(by time.Duration) *shiftedClock { return &shiftedClock{by: by} }

func (c *shiftedClock) shift(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += by
}

func (c *shiftedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *shiftedClock) NewTimer(d time.Duration) topgun.Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ t *time.Timer }

func (t realTimer) C() <-chan time.Time   { return t.t.C }
func (t realTimer) Stop() bool            { return t.t.Stop() }
func (t realTimer) Reset(d time.Duration) { t.t.Reset(d) }

// manualClock stands still until it is moved.
type manualClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer
	set    *sync.Cond // a timer was set
	sets   int        // how often
}

type manualTimer struct {
	clock *manualClock
	at    time.Time
	c     chan time.Time
}

func newManualClock() *manualClock {
	c := &manualClock{now: time.UnixMilli(1_771_700_000_000)}
	c.set = sync.NewCond(&c.mu)
	return c
}

// awaitTimer waits until somebody waits for the clock.
func (c *manualClock) awaitTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.timers) == 0 {
		c.set.Wait()
	}
}

// upon does what makes somebody set a timer anew, and waits until that is done.
func (c *manualClock) upon(do func()) {
	c.awaitTimer()
	c.mu.Lock()
	before := c.sets
	c.mu.Unlock()
	do()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sets == before {
		c.set.Wait()
	}
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) NewTimer(d time.Duration) topgun.Timer {
	t := &manualTimer{clock: c, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

// advance moves the clock and fires what is due.
func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.fire()
}

func (c *manualClock) fire() {
	c.timers = slices.DeleteFunc(c.timers, func(t *manualTimer) bool {
		if t.at.After(c.now) {
			return false
		}
		t.c <- c.now
		return true
	})
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.stop()
}

func (t *manualTimer) stop() bool {
	n := len(t.clock.timers)
	t.clock.timers = slices.DeleteFunc(t.clock.timers, func(o *manualTimer) bool { return o == t })
	return len(t.clock.timers) < n
}

func (t *manualTimer) Reset(d time.Duration) {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.stop()
	select {
	case <-t.c:
	default:
	}
	t.at = t.clock.now.Add(d)
	t.clock.timers = append(t.clock.timers, t)
	t.clock.fire()
	t.clock.sets++
	t.clock.set.Broadcast()
}

func TestAClockThatIsFarAheadDoesNotWinForEver(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	ahead := connect(t, p.url(), topgun.WithClock(newShiftedClock(2*time.Hour)))
	a, b := topgun.MapOf[string](ahead, "m"), topgun.MapOf[string](s.connect(), "m")
	written(t, must(a.Set("k", "future"))(t), nil)
	settle(t, a, b)
	written(t, must(b.Set("k", "present"))(t), nil)
	settle(t, a, b)
	if got := must(a.Get("k"))(t); got != "present" {
		t.Errorf("got %q", got)
	}

	// The acknowledgement is lost, so the server sees the write twice.
	peek := must(b.Subscribe(within(t)))(t)
	p.deafen(true)
	w := must(a.Set("k", "future again"))(t)
	await(t, peek, func(c topgun.Change[string]) bool { return c.Value == "future again" })
	p.cut()
	p.deafen(false)
	written(t, w, nil)
	settle(t, a, b)
	written(t, must(b.Set("k", "last"))(t), nil)
	settle(t, a, b)
	if got := must(a.Get("k"))(t); got != "last" {
		t.Errorf("got %q", got)
	}
}

func TestAClockThatIsFarBehindStillWrites(t *testing.T) {
	s := startServer(t)
	b := topgun.MapOf[string](s.connect(), "m")
	written(t, must(b.Set("k", "old"))(t), nil)
	late := topgun.MapOf[string](s.connect(topgun.WithClock(newShiftedClock(-24*time.Hour))), "m")
	settle(t, late, b)
	w := must(late.Set("k", "new"))(t)
	if got := must(late.Get("k"))(t); got != "new" {
		t.Errorf("right after the write: %q", got)
	}
	written(t, w, nil)
	settle(t, late, b)
	if got := must(b.Get("k"))(t); got != "new" {
		t.Errorf("got %q", got)
	}
}
