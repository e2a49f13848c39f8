package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// bubbleClock is the time of a bubble.
type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }

func (bubbleClock) NewTimer(d time.Duration) clock.Timer { return bubbleTimer{time.NewTimer(d)} }

type bubbleTimer struct{ *time.Timer }

func (t bubbleTimer) C() <-chan time.Time { return t.Timer.C }

func (t bubbleTimer) Reset(d time.Duration) { t.Timer.Reset(d) }

// TestBreaksAreAsLongAsTheyAreToBe, and leastBreak at least, whichever was taken
// first; before Run there are none.
func TestBreaksAreAsLongAsTheyAreToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaks(bubbleClock{})
		at := time.Now()
		var ends []time.Duration
		note := func() { ends = append(ends, time.Since(at)) }
		b.take(time.Hour, note)
		if len(ends) != 1 {
			t.Fatal("nobody ends breaks, and one was taken")
		}
		ctx, stop := context.WithCancel(t.Context())
		go b.Run(ctx)
		synctest.Wait()
		for _, length := range []time.Duration{3 * time.Millisecond, 0, time.Millisecond} {
			b.take(length, note)
		}
		time.Sleep(time.Second)
		stop()
		synctest.Wait()
		if want := []time.Duration{0, leastBreak, time.Millisecond, 3 * time.Millisecond}; !slices.Equal(ends, want) {
			t.Errorf("breaks end at %v, want %v", ends, want)
		}
	})
}

// TestSlicesTakeAboutTheSameTime: not more than twice as many rows as before, not
// more than the most, and one at least.
func TestSlicesTakeAboutTheSameTime(t *testing.T) {
	for _, tt := range []struct {
		rows int
		took time.Duration
		want int
	}{
		{32, 0, 64},
		{32, sliceTime / 10, 64},
		{100, sliceTime, 100},
		{300, sliceTime / 2, 512},
		{256, 64 * sliceTime, 4},
		{3, 100 * sliceTime, 1},
		{512, 1000 * time.Hour, 1},
		{1, sliceTime / 2, 2},
		{2, time.Nanosecond, 4},
	} {
		if got := rowsFor(tt.rows, tt.took, 512); got != tt.want {
			t.Errorf("after %d rows in %v: %d, want %d", tt.rows, tt.took, got, tt.want)
		}
	}
}
