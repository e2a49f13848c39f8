package app

import (
	"crypto/rand"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// SystemClock is the machine's clock.
func SystemClock() clock.Clock { return systemClock{} }

// systemClock is the machine's clock.
type systemClock struct{}

// Now implements clock.Clock.
func (systemClock) Now() time.Time { return time.Now() }

// NewTimer implements clock.Clock.
func (systemClock) NewTimer(d time.Duration) clock.Timer { return systemTimer{time.NewTimer(d)} }

type systemTimer struct{ t *time.Timer }

// C implements clock.Timer.
func (t systemTimer) C() <-chan time.Time { return t.t.C }

// Stop implements clock.Timer.
func (t systemTimer) Stop() bool { return t.t.Stop() }

// Reset implements clock.Timer.
func (t systemTimer) Reset(d time.Duration) { t.t.Reset(d) }

// systemRandom is the machine's source of random bits; it does not fail.
type systemRandom struct{}

// Fill implements clock.Random.
func (systemRandom) Fill(b []byte) { _, _ = rand.Read(b) }
