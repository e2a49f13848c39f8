package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/bench/child"
	"github.com/topgunbuild/topgun-go/internal/bench/floor"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// TestMain makes the test binary its own child, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == ChildCommand {
		if err := serveChild(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serveChild(what, with string) error {
	return child.Serve(context.Background(), os.Stdin, os.Stdout, func(ctx context.Context) error {
		if what == childFloor {
			return floor.Run(ctx, app.SystemClock(), with, os.Stdout, os.Stderr)
		}
		cfg, err := config.Load(config.Sources{Environ: []string{
			"TOPGUN_NO_AUTH=1", "PORT=0", "TOPGUN_LOG_LEVEL=warn", "TOPGUN_DATA_DIR=" + with,
			"TOPGUN_OPS_PER_SECOND=10000000", "TOPGUN_OPS_BURST=10000000",
		}, ReadFile: os.ReadFile})
		if err != nil {
			return err
		}
		return app.Run(ctx, cfg, os.Stdout, os.Stderr)
	})
}

func options(t *testing.T, scenario string) Options {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Scenario: scenario, Connections: 4, Keys: 200, Duration: 300 * time.Millisecond, Warmup: 50 * time.Millisecond,
		Program: program, Environ: os.Environ(), Stderr: os.Stderr, Clock: app.SystemClock(), Dir: t.TempDir(),
	}
}

func TestEveryScenarioMeasures(t *testing.T) {
	tests := []struct {
		scenario, concern string
		check             func(r *Result) bool
	}{
		{"write", "persisted", func(r *Result) bool {
			return r.OpsPerSecond > 0 && r.FloorOpsPerSecond > 0 && r.RatioToFloor > 0 && r.P99Millis >= r.P50Millis && r.P50Millis > 0 &&
				r.ServerCPUMicrosPerOp > 0 && r.FloorCPUMicrosPerOp > 0 && r.GeneratorCPUShare > 0 && r.GeneratorCPUShare < 1 && r.AllocsPerOp > 0
		}},
		{"write", "applied", func(r *Result) bool { return r.OpsPerSecond > 0 }},
		{"write", "memory", func(r *Result) bool { return r.OpsPerSecond > 0 }},
		{"query", "", func(r *Result) bool {
			return r.EqualityCost > 0 && r.RangeCost > 0 && r.SetupSeconds > 0 && r.P99Millis >= r.P50Millis && r.P50Millis > 0 && r.DeliveredPerSecond > 0 &&
				r.IndexRecords == 2000 && r.IndexSeconds > 0 && r.StallIdle >= r.P99Idle && r.P99Idle > 0
		}},
		{"fanout", "", func(r *Result) bool {
			return r.DeliveredPerSecond >= r.OpsPerSecond && r.FloorDeliveredPerSecond > 0 && r.RatioToFloor > 0 && r.P50Millis > 0
		}},
		{"sync", "", func(r *Result) bool { return r.InitialSyncSeconds > 0 && r.DeltaSyncSeconds > 0 && r.DeltaRecords == 2 }},
		{"memory", "", func(r *Result) bool {
			return r.EmptyOpsPerSecond > 0 && r.FullOpsPerSecond > 0 && r.StartKilledSeconds > 0 && r.StartStoppedSeconds > 0 && r.StartedRSSBytes > 0
		}},
		{"idle", "", func(r *Result) bool { return r.HeapBytesPerConn > 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.scenario+" "+tt.concern, func(t *testing.T) {
			o := options(t, tt.scenario)
			o.Concern = tt.concern
			switch tt.scenario {
			case "idle":
				o.Connections = 200
			case "query":
				o.Queries, o.Rate = 200, 500
			}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Errors+r.Refused > 0 || !tt.check(r) {
				t.Errorf("got %+v", r)
			}
			var b strings.Builder
			if err := r.WriteTable(&b); err != nil || !strings.HasPrefix(b.String(), tt.scenario+": ") {
				t.Errorf("table %q, %v", b.String(), err)
			}
		})
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"connections": func(o *Options) { o.Connections = -1 },
		"batch":       func(o *Options) { o.Batch = 5000 },
		"window":      func(o *Options) { o.Window = 100 },
		"concern":     func(o *Options) { o.Concern = "hoped" },
		"keys":        func(o *Options) { o.Keys = 1 },
		"duration":    func(o *Options) { o.Duration = time.Millisecond },
		"value-bytes": func(o *Options) { o.ValueBytes = -1 },
		"a profile":   func(o *Options) { o.CPUProfile, o.URL = "x", "ws://localhost:1/ws" },
		"part is":     func(o *Options) { o.Part = "index" },
		"scenario is": func(o *Options) { o.Scenario = "dance" },
	} {
		o := options(t, "write")
		change(&o)
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestRefusalsAreCounted writes values that a server refuses: the run has
// figures, and says that they do not count.
func TestRefusalsAreCounted(t *testing.T) {
	o := options(t, "write")
	o.ValueBytes, o.Batch = 1<<20, 1 // with its field the value is beyond the limit
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Refused == 0 {
		t.Errorf("got %+v", r)
	}
}

func TestStampedFrameIsTheBatchItSays(t *testing.T) {
	f, err := newFrame([]string{"a", "b"}, "node", textOf(10), "")
	if err != nil {
		t.Fatal(err)
	}
	f.stamp(firstID+7, 1_700_000_000_000)
	at := bytes.Index(f.bytes, []byte{0x82, 0xa4, 't', 'y', 'p', 'e'}) // the map of two fields
	m, err := wire.Decode(f.bytes[at:], wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	b, ok := m.(*wire.OpBatch)
	if !ok || len(b.Ops) != 2 {
		t.Fatalf("got %+v", m)
	}
	for i, op := range b.Ops {
		ts := op.Record.Value.Timestamp
		if op.Invalid != nil || op.ID != fmt.Sprint(firstID+7+i) || ts.Millis != 1_700_000_000_000 || ts.Counter != uint32(firstID+7+i) {
			t.Errorf("operation %d is %+v", i, op)
		}
	}
}

func TestPercentile(t *testing.T) {
	var samples []time.Duration
	for i := range 100 {
		samples = append(samples, time.Duration(i+1)*time.Millisecond)
	}
	for p, want := range map[int]float64{1: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(samples, p); got != want {
			t.Errorf("p%d of 1 to 100 ms is %v", p, got)
		}
	}
	if got := percentile(nil, 50); got != 0 {
		t.Errorf("p50 of nothing is %v", got)
	}
	values := []float64{3, 1, 2, 10}
	if got := median(values); got != 2.5 {
		t.Errorf("median of %v is %v", values, got)
	}
	if got := median(slices.Clone(values[:3])); got != 2 {
		t.Errorf("median of %v is %v", values[:3], got)
	}
}

func TestPercentilesOfHistograms(t *testing.T) {
	m, err := parseMetrics(strings.NewReader("# TYPE x histogram\nx_bucket{le=\"5e-05\"} 5\nx_bucket{le=\"0.001\"} 98\nx_bucket{le=\"0.5\"} 100\nx_bucket{le=\"+Inf\"} 100\nx_count 100\nx_sum 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[float64]float64{0.05: 5e-05, 0.5: 0.001, 0.98: 0.001, 0.99: 0.5, 1: 0.5} {
		if got := m.percentile("x", p); got != want {
			t.Errorf("%v of the samples lie below %v, want %v", p, got, want)
		}
	}
	if got := m.percentile("y", 0.5); got != 0 {
		t.Errorf("of no samples: %v", got)
	}
}
