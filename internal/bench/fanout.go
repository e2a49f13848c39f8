package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/child"
)

// fanoutKeys is how many keys the writer of fanout writes: few, so that the
// window of the query is not what is measured, and two digits, so that an update
// tells which write it is of.
const fanoutKeys = 100

// fanout measures live queries: one writer puts records, and every subscriber of
// the map hears of each. Server and floor take turns.
func fanout(ctx context.Context, o Options) (res *Result, err error) {
	var sides [2]*broadcast
	for i, what := range []string{childServer, childFloor} {
		own := o
		if what == childFloor {
			own.URL = ""
		}
		if sides[i], err = newBroadcast(ctx, own, what); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, sides[i].close()) }()
		if _, err := sides[i].run(ctx, o.Warmup); err != nil {
			return nil, err
		}
		sides[i].forget()
	}
	if o.CPUProfile != "" {
		if err := sides[0].target.process.Profile(o.CPUProfile); err != nil {
			return nil, err
		}
	}
	for range rounds {
		for _, side := range sides {
			if err := side.turn(ctx, o.Duration/rounds); err != nil {
				return nil, err
			}
		}
	}
	if o.CPUProfile != "" {
		if err := sides[0].target.process.StopProfile(); err != nil {
			return nil, err
		}
	}
	return fanoutResult(o, sides[0], sides[1]), nil
}

func fanoutResult(o Options, at, below *broadcast) *Result {
	times := at.subs.times()
	res := &Result{
		Scenario: o.Scenario, Connections: o.Connections, Concern: o.Concern, ValueBytes: o.ValueBytes, Seconds: at.seconds,
		OpsPerSecond: float64(at.writes) / at.seconds, DeliveredPerSecond: median(at.rates), FloorDeliveredPerSecond: median(below.rates),
		RatioToFloor: medianRatio(at.rates, below.rates),
		P50Millis:    percentile(times, 50), P99Millis: percentile(times, 99),
		FloorCPUMicrosPerOp: median(below.cpu),
		Refused:             int(at.writer.refusals.Load() + below.writer.refusals.Load()),
		Errors:              int(at.writer.failures.Load() + below.writer.failures.Load() + at.subs.failed.Load() + below.subs.failed.Load()),
	}
	if o.URL == "" {
		res.ServerCPUMicrosPerOp = median(at.cpu)
		res.GeneratorCPUShare = at.generator / (at.generator + at.child)
		res.ServerRSSBytes = at.rss
	}
	return res
}

// broadcast is one side: a target, its subscribers, and the writer.
type broadcast struct {
	o      Options
	target *target
	subs   *subscribers
	writer *feeder

	writes           int
	seconds          float64
	rates, cpu       []float64
	generator, child float64
	rss              uint64
}

func newBroadcast(ctx context.Context, o Options, what string) (b *broadcast, err error) {
	b = &broadcast{o: o, subs: newSubscribers(o.Clock.Now)}
	if b.target, err = startTarget(ctx, o, what); err != nil {
		return nil, err
	}
	one := o
	one.Connections, one.Batch, one.Keys = 1, 1, fanoutKeys
	if b.writer, err = newFeeder(ctx, b.target.url, one); err == nil {
		err = b.subs.open(ctx, b.target.url, o.Connections)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.subs.run(ctx)
	return b, nil
}

func (b *broadcast) close() error {
	b.subs.close()
	var err error
	if b.writer != nil {
		err = b.writer.close()
	}
	return errors.Join(err, b.target.stop())
}

// forget drops what was measured.
func (b *broadcast) forget() { b.subs.forget() }

// turn measures for d.
func (b *broadcast) turn(ctx context.Context, d time.Duration) error {
	runtime.GC()
	before, err := b.target.take()
	if err != nil {
		return err
	}
	own := child.Take()
	n, err := b.run(ctx, d)
	if err != nil {
		return err
	}
	after, err := b.target.take()
	if err != nil {
		return err
	}
	b.generator += child.Take().CPUSeconds - own.CPUSeconds
	b.child += after.CPUSeconds - before.CPUSeconds
	b.cpu = append(b.cpu, (after.CPUSeconds-before.CPUSeconds)*1e6/float64(max(n, 1)))
	b.rss = after.RSS
	return nil
}

// run writes for d, at a rate or with Window writes on their way to subscribers,
// waits until all of them have arrived, and returns how many messages did.
func (b *broadcast) run(ctx context.Context, d time.Duration) (delivered int64, err error) {
	start, first := b.o.Clock.Now(), b.subs.delivered.Load()
	each := int64(b.o.Connections)
	n := int64(0)
	for ; b.o.Clock.Now().Sub(start) < d; n++ {
		if b.o.Rate > 0 {
			due := start.Add(time.Duration(n) * time.Second / time.Duration(b.o.Rate))
			sleepUntil(b.o.Clock, due)
		} else if err := b.subs.wait(ctx, first+(n+1-int64(b.o.Window))*each); err != nil {
			return 0, err
		}
		if err := b.writer.put(b.subs); err != nil {
			return 0, err
		}
	}
	if err := b.subs.wait(ctx, first+n*each); err != nil {
		return 0, err
	}
	seconds := b.o.Clock.Now().Sub(start).Seconds()
	b.writes += int(n)
	b.seconds += seconds
	b.rates = append(b.rates, float64(n*each)/seconds)
	return n * each, nil
}

// errLate ends a run whose messages do not arrive.
var errLate = errors.New("bench: updates do not arrive")

// keyOf reads the number of the key in an update, -1 if there is none.
func keyOf(message []byte) int {
	_, digits, found := bytes.Cut(message, []byte("key-"))
	n, some := 0, false
	for _, c := range digits {
		if c < '0' || c > '9' {
			break
		}
		n, some = n*10+int(c-'0'), true
	}
	if !found || !some {
		return -1
	}
	return n
}

// queryID is the id of the subscription of the n-th connection, as long as those
// of clients.
func queryID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
