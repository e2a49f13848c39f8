package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// query measures standing queries, in three parts:
//
//   - what a write costs that matches none of many equalities, against the same
//     write to a server without queries, in turn;
//   - the same for ranges;
//   - how long it takes from a write to the updates of the windows it is in, at a
//     rate of writes.
func query(ctx context.Context, o Options) (*Result, error) {
	res := &Result{Scenario: o.Scenario, Connections: o.Connections, Batch: o.Batch, Window: o.Window, Concern: o.Concern, Keys: o.Keys, ValueBytes: o.ValueBytes, Queries: o.Queries}
	var err error
	if res.EqualityCost, err = bystanders(ctx, o, res, o.Queries, func(i int) *predicate.Node {
		return &predicate.Node{Op: predicate.OpEq, Attribute: "n", Value: value.AppendInt(nil, int64(i))}
	}); err != nil {
		return nil, err
	}
	if res.RangeCost, err = bystanders(ctx, o, res, o.Queries/10, func(i int) *predicate.Node {
		pair := value.AppendInt(value.AppendInt(value.AppendArray(nil, 2), int64(7*i)), int64(7*i+20))
		return &predicate.Node{Op: predicate.OpBetween, Attribute: "n", Value: pair}
	}); err != nil {
		return nil, err
	}
	if err := windows(ctx, o, res); err != nil {
		return nil, err
	}
	return res, nil
}

// beyond is where the numbers of records begin that no bystander asks for.
const beyond = 1 << 30

// numbered makes values with a number that no bystander asks for.
func numbered(size int) func(key string) value.Raw {
	text := textOf(size)("")
	return func(key string) value.Raw {
		n, err := strconv.Atoi(key[len("key-"):])
		if err != nil {
			n = 0
		}
		v := value.AppendInt(value.AppendStr(value.AppendMap(nil, 2), "n"), int64(beyond+n))
		return append(v, text[1:]...) // behind the header of a map of one field
	}
}

// bystanders measures what queries cost that no write matches: the median of the
// ratios of processor time a write, with them and without.
func bystanders(ctx context.Context, o Options, res *Result, n int, ask func(i int) *predicate.Node) (cost float64, err error) {
	o.valueOf = numbered(o.ValueBytes)
	var targets [2]*target
	var loads [2]*load
	for i := range targets {
		if targets[i], err = startTarget(ctx, o, childServer); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, targets[i].stop()) }()
		if loads[i], err = newLoad(ctx, targets[i].url, o); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, loads[i].close()) }()
		if i == 0 {
			asked, err := askMany(ctx, targets[i].url, n, ask, nil)
			if err != nil {
				return 0, err
			}
			defer func() { err = errors.Join(err, asked.close()) }()
		}
		if _, err := loads[i].runFor(ctx, o, o.Warmup); err != nil {
			return 0, err
		}
	}
	var with, without measured
	for range rounds {
		if err := with.measure(ctx, targets[0], loads[0], o); err != nil {
			return 0, err
		}
		if err := without.measure(ctx, targets[1], loads[1], o); err != nil {
			return 0, err
		}
	}
	res.Seconds += with.seconds
	res.Refused += with.refused + without.refused
	res.Errors += with.errors + without.errors
	var ratios []float64
	for i := range min(len(with.cpu), len(without.cpu)) {
		ratios = append(ratios, with.cpu[i]/without.cpu[i])
	}
	if len(ratios) == 0 {
		return 0, errors.New("bench: nothing was written")
	}
	runtime.GC()
	return median(ratios), nil
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
	if err := p.run(ctx); err != nil {
		return err
	}
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
	res.OpsPerSecond = float64(p.writes) / p.seconds
	res.DeliveredPerSecond = float64(asked.count.Load()) / p.seconds
	res.P50Millis, res.P99Millis = percentile(times, 50), percentile(times, 99)
	res.Seconds += p.seconds
	res.Refused += int(p.refused.Load())
	res.Errors += int(p.errors.Load() + asked.failed.Load())
	return nil
}
