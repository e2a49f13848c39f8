package sim

import (
	"cmp"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// epoch is when every simulation begins: 2026-01-01 UTC.
const epoch = 1767225600000

// worldClock is a clock that moves when the scheduler says so. Nothing in a
// simulation waits for a timer: what runs in goroutines elsewhere is stepped
// here.
type worldClock struct{ millis int64 }

// Now implements clock.Clock.
func (c *worldClock) Now() time.Time { return time.UnixMilli(c.millis) }

// NewTimer implements clock.Clock with a timer that never fires.
func (c *worldClock) NewTimer(time.Duration) clock.Timer { return stoppedTimer{} }

// serverClock is the clock of the server's machine: that of the world, wrong by
// skew.
type serverClock struct {
	*worldClock

	skew int64
}

// Now implements clock.Clock.
func (c *serverClock) Now() time.Time { return time.UnixMilli(c.millis + c.skew) }

type stoppedTimer struct{}

// C implements clock.Timer.
func (stoppedTimer) C() <-chan time.Time { return nil }

// Stop implements clock.Timer.
func (stoppedTimer) Stop() bool { return false }

// Reset implements clock.Timer.
func (stoppedTimer) Reset(time.Duration) {}

// worldRandom is the source of every choice and of every secret.
type worldRandom struct{ *rand.Rand }

func newRandom(seed uint64) worldRandom {
	return worldRandom{rand.New(rand.NewPCG(seed, 0x746f7067756e))}
}

// Fill implements clock.Random.
func (r worldRandom) Fill(b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// chance is true in p of 1000 cases.
func (r worldRandom) chance(p int) bool { return r.IntN(1000) < p }

// inOrder is a map in the order of its keys. Whoever reads the server's records
// on the way changes which of them it evicts, so the order has to be the same
// each time.
func inOrder[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
