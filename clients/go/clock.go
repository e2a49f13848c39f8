package topgun

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// Clock tells the time and wakes up its owner. A client reads time from it only,
// except for the deadlines of contexts. Implementations are safe for concurrent
// use.
type Clock = clock.Clock

// Timer is one pending wake-up of a Clock.
type Timer = clock.Timer

// Random fills a slice with random bytes: the client's name in timestamps, which
// has to be unique, the ids of queries, and the jitter of reconnecting.
type Random = clock.Random

// systemClock is the machine's clock.
type systemClock struct{}

// Now implements Clock.
func (systemClock) Now() time.Time { return time.Now() } //nolint:forbidigo // this is the clock that is handed in by default

// NewTimer implements Clock.
func (systemClock) NewTimer(d time.Duration) Timer {
	return systemTimer{time.NewTimer(d)} //nolint:forbidigo // this is the clock that is handed in by default
}

type systemTimer struct{ t *time.Timer }

// C implements Timer.
func (t systemTimer) C() <-chan time.Time { return t.t.C }

// Stop implements Timer.
func (t systemTimer) Stop() bool { return t.t.Stop() }

// Reset implements Timer.
func (t systemTimer) Reset(d time.Duration) { t.t.Reset(d) }

// systemRandom is the machine's source of random bytes, which does not fail.
type systemRandom struct{}

// Fill implements Random.
func (systemRandom) Fill(b []byte) { _, _ = rand.Read(b) }

// newUUID returns a random UUID of version 4.
func newUUID(r Random) string {
	var b [16]byte
	r.Fill(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// jitter spreads d over 0.5 to 1.5 times its length.
func jitter(r Random, d time.Duration) time.Duration {
	var b [2]byte
	r.Fill(b[:])
	share := float64(uint16(b[0])<<8|uint16(b[1])) / (1 << 16)
	return time.Duration(float64(d) * (0.5 + share))
}
