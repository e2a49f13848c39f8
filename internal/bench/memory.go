package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/child"
)

// quiet is how long a server is left alone before its memory is looked at, unless
// the measurement is shorter.
const quiet = 4 * time.Second

// memory measures what records take: it fills a server, compares its memory with
// what it was before and its rate of writes with that of another server, which is
// empty, and starts it again, once after it was killed and once after it was
// stopped.
func memory(ctx context.Context, o Options) (res *Result, err error) {
	if o.URL != "" {
		return nil, errors.New("memory starts the server several times, so it needs one of its own; leave out url")
	}
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	res = &Result{
		Scenario: o.Scenario, Connections: o.Connections, Batch: o.Batch, Window: o.Window, Concern: o.Concern,
		Keys: o.Keys, ValueBytes: o.ValueBytes,
	}
	few := o
	few.Keys = max(o.Connections, min(o.Keys, 10_000))
	if err := work(ctx, server, few); err != nil {
		return nil, err
	}
	if res.EmptyRSSBytes, err = resting(ctx, server, o); err != nil {
		return nil, err
	}
	start := o.Clock.Now()
	if err := fill(ctx, server.url, o); err != nil {
		return nil, err
	}
	res.Seconds = o.Clock.Now().Sub(start).Seconds()
	res.OpsPerSecond = float64(o.Keys) / res.Seconds
	if res.ServerRSSBytes, err = resting(ctx, server, o); err != nil {
		return nil, err
	}
	res.RSSBytesPerRecord = (float64(res.ServerRSSBytes) - float64(res.EmptyRSSBytes)) / float64(o.Keys)
	if err := res.compare(ctx, server, few); err != nil {
		return nil, err
	}
	if res.StartKilledSeconds, err = again(ctx, server, o, (*child.Process).Kill); err != nil {
		return nil, err
	}
	if res.StartStoppedSeconds, err = again(ctx, server, o, (*child.Process).Stop); err != nil {
		return nil, err
	}
	res.StartedRSSBytes, err = resting(ctx, server, o)
	return res, err
}

// work has a server write a few keys for a while, so that its memory is that of a
// server at work.
func work(ctx context.Context, t *target, o Options) (err error) {
	l, err := newLoad(ctx, t.url, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	_, err = l.runFor(ctx, o, o.Duration)
	return err
}

// compareTurns makes twelve turns of each server.
const compareTurns = 6

// compare measures how many of a few keys the full server and an empty one write a
// second, in turns, and what one costs.
func (r *Result) compare(ctx context.Context, server *target, o Options) (err error) {
	full, empty := side{target: server}, side{}
	if full.load, err = newLoad(ctx, server.url, o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, full.load.close(), empty.close()) }()
	if err := empty.open(ctx, o); err != nil {
		return err
	}
	if err := alternate(ctx, o, &full, &empty, compareTurns); err != nil {
		return err
	}
	for _, s := range []*side{&full, &empty} {
		if s.refused+s.errors > 0 {
			return fmt.Errorf("bench: %d operations refused, %d errors", s.refused, s.errors)
		}
	}
	r.FullOpsPerSecond, r.ServerCPUMicrosPerOp = median(full.rates), median(full.cpu)
	r.EmptyOpsPerSecond, r.EmptyCPUMicrosPerOp = median(empty.rates), median(empty.cpu)
	r.RatioToEmpty = medianRatio(full.rates, empty.rates)
	return nil
}

// resting is the memory of a server that has had nothing to do for a while. It
// is not asked to collect its garbage.
func resting(ctx context.Context, t *target, o Options) (uint64, error) {
	timer := o.Clock.NewTimer(min(quiet, o.Duration))
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	f, err := t.take()
	return f.RSS, err
}

// again ends a server and measures how long it takes to be ready once more.
func again(ctx context.Context, t *target, o Options, end func(*child.Process) error) (seconds float64, err error) {
	if err := end(t.process); err != nil {
		return 0, err
	}
	start := o.Clock.Now()
	if err := t.startIn(ctx, o, childServer, t.dir); err != nil {
		return 0, err
	}
	return o.Clock.Now().Sub(start).Seconds(), nil
}

// fill puts every key once. Frames are made on the way, as there may be too many
// to hold.
func fill(ctx context.Context, url string, o Options) error {
	failures := make([]error, o.Connections)
	var all sync.WaitGroup
	for n := range o.Connections {
		all.Go(func() { failures[n] = fillPart(ctx, url, n, o) })
	}
	all.Wait()
	return errors.Join(failures...)
}

func fillPart(ctx context.Context, url string, n int, o Options) (err error) {
	one := o
	one.Keys = o.Connections // a writer makes frames for its keys: here, for one
	w, err := newWriter(ctx, url, n, one)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.conn.Close()) }()
	node := fmt.Sprintf("bench-%030d", n)
	valueOf := o.valueOf
	if valueOf == nil {
		valueOf = textOf(o.ValueBytes)
	}
	for k := n; k < o.Keys; {
		var batch []string
		for ; k < o.Keys && len(batch) < o.Batch; k += o.Connections {
			batch = append(batch, "key-"+strconv.Itoa(k))
		}
		f, err := newFrame(batch, node, valueOf, concerns[o.Concern].ask)
		if err != nil {
			return err
		}
		if err := w.send(f, o.Clock.Now()); err != nil {
			return err
		}
		for len(w.sent) >= o.Window || k >= o.Keys && len(w.sent) > 0 {
			if err := w.receive(ctx, o.Clock.Now); err != nil {
				return err
			}
		}
	}
	if w.refused+w.errors > 0 {
		return fmt.Errorf("bench: %d operations refused, %d errors while filling the map", w.refused, w.errors)
	}
	return nil
}
