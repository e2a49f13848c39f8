package bench

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/child"
)

// write measures writes: all connections put records in a closed loop. Server
// and floor take turns.
func write(ctx context.Context, o Options) (res *Result, err error) {
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	floorOptions := o
	floorOptions.URL = ""
	floor, err := startTarget(ctx, floorOptions, childFloor)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, floor.stop()) }()

	loads := [2]*load{}
	for i, t := range []*target{server, floor} {
		if loads[i], err = newLoad(ctx, t.url, o); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, loads[i].close()) }()
		if _, err := loads[i].runFor(ctx, o, o.Warmup); err != nil {
			return nil, err
		}
	}
	if o.CPUProfile != "" {
		if err := server.process.Profile(o.CPUProfile); err != nil {
			return nil, err
		}
	}
	var at, below measured
	for range rounds {
		if err := at.measure(ctx, server, loads[0], o, o.Duration/rounds); err != nil {
			return nil, err
		}
		if err := below.measure(ctx, floor, loads[1], o, o.Duration/rounds); err != nil {
			return nil, err
		}
	}
	if o.CPUProfile != "" {
		if err := server.process.StopProfile(); err != nil {
			return nil, err
		}
	}
	res = writeResult(o, &at, &below)
	if server.process != nil {
		if err := res.addStorage(ctx, server.process.Port); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// measured sums up the turns of one side.
type measured struct {
	rates, cpu, allocs []float64
	ops                int
	seconds            float64
	refused, errors    int
	times              []time.Duration
	generator, child   float64 // processor seconds
	waited             float64 // seconds for which the child waited for a processor
	rss                uint64
}

func (m *measured) measure(ctx context.Context, t *target, l *load, o Options, d time.Duration) error {
	runtime.GC() // the generator's own collections do not fall into one side's turn
	before, err := t.take()
	if err != nil {
		return err
	}
	own := child.Take()
	got, err := l.runFor(ctx, o, d)
	if err != nil {
		return err
	}
	after, err := t.take()
	if err != nil {
		return err
	}
	m.generator += child.Take().CPUSeconds - own.CPUSeconds
	m.child += after.CPUSeconds - before.CPUSeconds
	m.waited += max(0, after.CPUWait-before.CPUWait)
	m.rss = after.RSS
	m.seconds += got.seconds
	m.ops += got.ops
	m.refused += got.refused
	m.errors += got.errors
	m.times = append(m.times, got.times...)
	if got.ops > 0 {
		m.rates = append(m.rates, float64(got.ops)/got.seconds)
		m.cpu = append(m.cpu, (after.CPUSeconds-before.CPUSeconds)*1e6/float64(got.ops))
		m.allocs = append(m.allocs, float64(after.Mallocs-before.Mallocs)/float64(got.ops))
	}
	return nil
}

func writeResult(o Options, at, below *measured) *Result {
	slices.Sort(at.times)
	res := &Result{
		Scenario: o.Scenario, Connections: o.Connections, Batch: o.Batch, Window: o.Window, Concern: o.Concern,
		Keys: o.Keys, ValueBytes: o.ValueBytes, Seconds: at.seconds,
		OpsPerSecond: median(at.rates), P50Millis: percentile(at.times, 50), P99Millis: percentile(at.times, 99),
		FloorOpsPerSecond: median(below.rates), RatioToFloor: medianRatio(at.rates, below.rates),
		FloorCPUMicrosPerOp: median(below.cpu),
		Refused:             at.refused + below.refused, Errors: at.errors + below.errors,
	}
	if o.URL == "" {
		res.ServerCPUMicrosPerOp, res.AllocsPerOp = median(at.cpu), median(at.allocs)
		res.GeneratorCPUShare = at.generator / (at.generator + at.child)
		res.CPUWaitShare = at.waited / (at.waited + at.child)
		res.ServerRSSBytes = at.rss
	}
	return res
}

// medianRatio is the median of the ratios of turns that belong together.
func medianRatio(a, b []float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, a[i]/b[i])
	}
	return median(ratios)
}
