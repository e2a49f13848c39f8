package clock_test

import (
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// TestMillisIsWhatHybridClocksCountIn: whole milliseconds since the epoch, in
// whatever zone a time is written.
func TestMillisIsWhatHybridClocksCountIn(t *testing.T) {
	zone := time.FixedZone("east", 3600)
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{time.Unix(0, 0), 0},
		{time.Unix(1, 999_999), 1000},
		{time.Unix(1, 1_000_000).In(zone), 1001},
		{time.Unix(-1, 0), -1000},
	} {
		if got := clock.Millis(c.at); got != c.want {
			t.Errorf("%v: %d, want %d", c.at, got, c.want)
		}
	}
}
