package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/bench/child"
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// parts are what query measures, in this order.
var parts = []struct {
	name    string
	measure func(ctx context.Context, o Options, res *Result) error
}{
	{"equalities", equalities},
	{"ranges", ranges},
	{"windows", windows},
	{"index", building},
}

// Parts lists the names of the parts of query.
func Parts() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return names
}

// query measures standing queries, in parts:
//
//   - what a write costs that matches none of many equalities, against the same
//     write to a server without queries, in turn;
//   - the same for ranges;
//   - how long it takes from a write to the updates of the windows it is in, at a
//     rate of writes;
//   - how long writes take while an index is made.
func query(ctx context.Context, o Options) (*Result, error) {
	res := &Result{Scenario: o.Scenario, Connections: o.Connections, Batch: o.Batch, Window: o.Window, Concern: o.Concern, Keys: o.Keys, ValueBytes: o.ValueBytes, Queries: o.Queries}
	for _, part := range parts {
		if o.Part != "" && o.Part != part.name {
			continue
		}
		po := o
		if o.CPUProfile != "" && o.Part == "" {
			po.CPUProfile += "." + part.name
		}
		if err := part.measure(ctx, po, res); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return res, nil
}

// windowGroups is into how many groups the records of windows fall.
const windowGroups = 1000

// orders are what windows are sorted by.
var orders = [][]string{
	{"a"}, {"b"}, {"c"}, {"a", "b"}, {"b", "a"}, {"c", "a"}, {"a", "c"}, {"b", "c"}, {"c", "b"}, {"a", "b", "c"},
}

// windowRate is the writes per second, if no other rate is asked for.
const windowRate = 2000

// windows measures queries with a limit of 20 over groups of records: the time
// from a write to the updates of the rows that it changes.
func windows(ctx context.Context, o Options, res *Result) (err error) {
	queries, records := max(o.Queries/10, len(orders)), o.Queries
	groups := min(windowGroups, max(queries/len(orders), 1))
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	fill := o
	fill.Connections, fill.Batch, fill.Window, fill.Keys = 1, min(500, records), 4, records
	made := &recordMaker{groups: groups, text: textOf(o.ValueBytes)("")}
	fill.valueOf = made.value
	if err := writeOnce(ctx, server.url, fill, records); err != nil {
		return err
	}
	p := &pacer{o: o, made: made, records: records, now: o.Clock.Now}
	start := o.Clock.Now()
	asked, err := askMany(ctx, server.url, queries, func(i int) *predicate.Node {
		return &predicate.Node{Op: predicate.OpEq, Attribute: "g", Value: value.AppendInt(nil, int64(i%groups))}
	}, func(i int) []string { return orders[i/groups%len(orders)] })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, asked.close()) }()
	res.SetupSeconds = o.Clock.Now().Sub(start).Seconds()
	if o.CPUProfile != "" {
		if err := server.process.Profile(o.CPUProfile); err != nil {
			return err
		}
	}
	if err := p.open(ctx, server.url); err != nil {
		return err
	}
	asked.listen(ctx, p)
	before, err := server.take()
	if err != nil {
		return err
	}
	own := child.Take()
	if err := p.run(ctx); err != nil {
		return err
	}
	ownSeconds := child.Take().CPUSeconds - own.CPUSeconds
	if o.CPUProfile != "" {
		if err := server.process.StopProfile(); err != nil {
			return err
		}
	}
	figures, err := server.take()
	if err != nil {
		return err
	}
	times := p.times()
	if len(times) == 0 {
		return fmt.Errorf("bench: no update of a write arrived")
	}
	res.ServerRSSBytes = figures.RSS
	if o.URL == "" {
		res.GeneratorCPUShare = ownSeconds / (ownSeconds + figures.CPUSeconds - before.CPUSeconds)
	}
	res.LateP99 = percentile(slices.Sorted(slices.Values(p.late)), 99)
	res.OpsPerSecond = float64(p.writes) / p.seconds
	res.DeliveredPerSecond = float64(asked.count.Load()) / p.seconds
	res.P50Millis, res.P99Millis = percentile(times, 50), percentile(times, 99)
	res.Seconds += p.seconds
	res.Refused += int(p.refused.Load())
	res.Errors += int(p.errors.Load() + asked.failed.Load())
	return nil
}
