package sim

import (
	"bytes"
	"flag"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "simulate this seed alone and print its trace")
	seedsFlag = flag.Int("seeds", 60, "how many seeds to simulate")
	firstFlag = flag.Uint64("first", 1, "the first of the seeds")
)

// TestSeeds simulates many seeds. A finding names its seed: `make sim SEED=…`
// shows how it came about.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		r := Run(t.Context(), *seedFlag, Options{})
		t.Logf("%s", r.Trace)
		report(t, r)
		return
	}
	acked, crashes := 0, 0
	for seed := range uint64(*seedsFlag) {
		r := Run(t.Context(), *firstFlag+seed, Options{})
		report(t, r)
		acked += r.Acked
		crashes += r.Crashes
		if t.Failed() {
			return
		}
	}
	if acked == 0 || crashes == 0 {
		t.Errorf("%d operations acknowledged, %d crashes: the simulation does nothing", acked, crashes)
	}
	t.Logf("%d seeds, %d operations acknowledged, %d crashes", *seedsFlag, acked, crashes)
}

func report(t *testing.T, r Result) {
	t.Helper()
	for _, f := range r.Findings {
		t.Errorf("seed %d: %s", r.Seed, f)
	}
}

// TestOneSeedTwice proves that a seed replays: two runs do the same, byte for
// byte, and have as much log at every crash.
func TestOneSeedTwice(t *testing.T) {
	for seed := range uint64(30) {
		a, b := Run(t.Context(), seed+1, Options{}), Run(t.Context(), seed+1, Options{})
		if !bytes.Equal(a.Trace, b.Trace) {
			t.Errorf("seed %d: two runs differ: %s", seed+1, firstDifference(a.Trace, b.Trace))
		}
	}
}

func firstDifference(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return string(x[i]) + " and " + string(y[i])
		}
	}
	return "one is longer"
}
