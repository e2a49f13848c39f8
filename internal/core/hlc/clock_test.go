package hlc_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

func at(millis int64, counter uint32, node string) hlc.Timestamp {
	return hlc.Timestamp{Millis: millis, Counter: counter, Node: node}
}

func TestNowFollowsTheWallClockAndCountsWhenItStands(t *testing.T) {
	c := hlc.NewClock("n")
	for _, step := range []struct {
		sys  int64
		want hlc.Timestamp
	}{
		{1000, at(1000, 0, "n")},
		{1000, at(1000, 1, "n")},
		{1001, at(1001, 0, "n")},
		{900, at(1001, 1, "n")},
		{-5, at(1001, 2, "n")},
		{1002, at(1002, 0, "n")},
	} {
		if got := c.Now(step.sys); got != step.want {
			t.Errorf("Now(%d) = %v, want %v", step.sys, got, step.want)
		}
	}
}

func TestUpdateTakesTheLatestOfThreeClocks(t *testing.T) {
	for _, c := range []struct {
		name        string
		start       hlc.Timestamp
		sys         int64
		remote      hlc.Timestamp
		millis      int64
		counter     uint32
		wantRefused bool
	}{
		{"all equal: one after the greater counter", at(50, 3, ""), 50, at(50, 8, "r"), 50, 9, false},
		{"all equal, ours is greater", at(50, 8, ""), 50, at(50, 3, "r"), 50, 9, false},
		{"ours is latest", at(70, 3, ""), 50, at(60, 8, "r"), 70, 4, false},
		{"theirs is latest", at(50, 3, ""), 60, at(70, 8, "r"), 70, 9, false},
		{"theirs equals the wall clock", at(50, 3, ""), 70, at(70, 8, "r"), 70, 9, false},
		{"the wall clock is latest", at(50, 3, ""), 80, at(70, 8, "r"), 80, 0, false},
		{"exactly the drift bound", at(50, 3, ""), 60, at(60_060, 0, "r"), 60_060, 1, false},
		{"one beyond the drift bound", at(50, 3, ""), 60, at(60_061, 0, "r"), 50, 3, true},
		{"as far ahead as can be", at(50, 3, ""), math.MinInt64, at(math.MaxInt64, 0, "r"), 50, 3, true},
		{"their counter is exhausted", at(50, 3, ""), 50, at(70, math.MaxUint32, "r"), 71, 0, false},
		{"our counter is exhausted", at(70, math.MaxUint32, ""), 50, at(60, 0, "r"), 71, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := hlc.NewClock("n")
			clock.Resume(c.start)
			if refused := !clock.Update(c.sys, c.remote); refused != c.wantRefused {
				t.Errorf("refused = %v, want %v", refused, c.wantRefused)
			}
			if got, want := clock.Last(), at(c.millis, c.counter, "n"); got != want {
				t.Errorf("clock stands at %v, want %v", got, want)
			}
		})
	}
}

func TestAnExhaustedCounterMovesToTheNextMillisecond(t *testing.T) {
	c := hlc.NewClock("n")
	c.Resume(at(50, math.MaxUint32, "n"))
	if got, want := c.Now(50), at(51, 0, "n"); got != want {
		t.Errorf("Now after the last counter = %v, want %v", got, want)
	}
}

func TestResumeNeverMovesBack(t *testing.T) {
	c := hlc.NewClock("n")
	c.Resume(at(100, 5, "n"))
	for _, older := range []hlc.Timestamp{{}, at(99, 9, "n"), at(100, 4, "z")} {
		c.Resume(older)
	}
	if got, want := c.Now(0), at(100, 6, "n"); got != want {
		t.Errorf("Now = %v, want %v", got, want)
	}
}

// TestClockLaws drives a clock with wall times that jump about and remote
// timestamps from near and far.
func TestClockLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := hlc.NewClock("n")
		floor := hlc.Timestamp{Millis: math.MinInt64} // nothing issued may be at or below it
		sysMillis := rapid.Int64Range(0, 200_000)
		remotes := rapid.Custom(func(t *rapid.T) hlc.Timestamp {
			counter := rapid.OneOf(rapid.Uint32Range(0, 9), rapid.Just(uint32(math.MaxUint32))).Draw(t, "counter")
			return at(rapid.Int64Range(-1, 400_000).Draw(t, "millis"), counter, "r")
		})
		t.Repeat(map[string]func(*rapid.T){
			"now": func(t *rapid.T) {
				sys := sysMillis.Draw(t, "sys")
				got := c.Now(sys)
				if !got.After(floor) || got.Millis < sys {
					t.Fatalf("Now(%d) = %v, not beyond %v and the wall clock", sys, got, floor)
				}
				floor = got
			},
			"update": func(t *rapid.T) {
				sys, remote, before := sysMillis.Draw(t, "sys"), remotes.Draw(t, "remote"), c.Last()
				accepted, after := c.Update(sys, remote), c.Last()
				if accepted == (remote.Millis-sys > hlc.MaxDrift) {
					t.Fatalf("Update(%d, %v) = %v", sys, remote, accepted)
				}
				if !accepted {
					if after != before {
						t.Fatalf("a refused Update moved the clock from %v to %v", before, after)
					}
					return
				}
				for _, seen := range []hlc.Timestamp{before, at(remote.Millis, remote.Counter, "")} {
					if !after.After(seen) {
						t.Fatalf("Update(%d, %v) left the clock at %v", sys, remote, after)
					}
				}
				if after.Millis < sys {
					t.Fatalf("Update(%d, %v) left the clock at %v, before the wall clock", sys, remote, after)
				}
				floor = after
			},
		})
	})
}

func BenchmarkClockNow(b *testing.B) {
	b.ReportAllocs()
	c := hlc.NewClock("n")
	for b.Loop() {
		c.Now(1771700000000)
	}
}
