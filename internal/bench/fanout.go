package bench

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// fanout measures live queries: one writer puts one record after the other, and
// every subscriber of the map hears of each.
func fanout(ctx context.Context, o Options) (res *Result, err error) {
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	// A map without a limit on what is subscribed to, and few keys, so that the
	// window of the query is not what is measured.
	one := o
	one.Connections, one.Batch, one.Keys = 1, 1, min(o.Keys, 100)
	l, err := newLoad(ctx, server.url, one)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	subs := &subscribers{now: o.Clock.Now}
	if err := subs.open(ctx, server.url, o.Connections); err != nil {
		return nil, err
	}
	subs.run(ctx)
	defer subs.close()
	if _, err := subs.write(ctx, l.writers[0], o, o.Warmup); err != nil {
		return nil, err
	}
	subs.reset()
	runtime.GC()
	before, err := server.take()
	if err != nil {
		return nil, err
	}
	seconds, err := subs.write(ctx, l.writers[0], o, o.Duration)
	if err != nil {
		return nil, err
	}
	after, err := server.take()
	if err != nil {
		return nil, err
	}
	times, delivered := subs.seen()
	w := l.writers[0]
	res = &Result{
		Scenario: o.Scenario, Connections: o.Connections, Concern: o.Concern, ValueBytes: o.ValueBytes, Seconds: seconds,
		OpsPerSecond: float64(w.acked) / seconds, DeliveredPerSecond: float64(delivered) / seconds,
		P50Millis: percentile(times, 50), P99Millis: percentile(times, 99),
		Refused: w.refused, Errors: w.errors + int(subs.failed.Load()),
	}
	if o.URL == "" && delivered > 0 {
		res.ServerCPUMicrosPerOp = (after.CPUSeconds - before.CPUSeconds) * 1e6 / float64(delivered)
		res.ServerRSSBytes = after.RSS
	}
	return res, nil
}

// subscribers are connections with one live query each.
type subscribers struct {
	now    func() time.Time
	conns  []*socket.Conn
	failed atomic.Int64
	all    sync.WaitGroup

	written atomic.Int64 // when the last write was sent, in ns
	mu      sync.Mutex
	times   []time.Duration
	count   int
	closing bool
}

func (s *subscribers) open(ctx context.Context, url string, n int) error {
	sub, _ := socket.Frame(wire.Append(nil, &wire.QuerySub{
		QueryID: "00000000-0000-4000-8000-000000000000", MapName: mapName, Query: wire.Query{Limit: wire.Some(int64(1000))},
		Fields: []string{"v"},
	}))
	for range n {
		c, err := socket.Dial(ctx, url)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		if err := c.Write(sub); err != nil {
			return err
		}
		m, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if !bytes.Contains(m[:min(len(m), 32)], []byte("QUERY_RESP")) {
			return errors.New("bench: the subscription is not answered")
		}
	}
	return nil
}

// run starts counting what arrives, in one goroutine a connection; close waits
// for them.
func (s *subscribers) run(ctx context.Context) {
	for i, c := range s.conns {
		s.all.Go(func() { s.listen(ctx, c, i%16 == 0) }) //arch:goroutine subscribers waits in close
	}
}

// listen counts updates. Every sixteenth connection also takes the time, so that
// taking it does not become what is measured.
func (s *subscribers) listen(ctx context.Context, c *socket.Conn, timed bool) {
	count := 0
	for {
		if _, err := c.Next(ctx); err != nil {
			s.mu.Lock()
			if !s.closing {
				s.failed.Add(1)
			}
			s.count += count
			s.mu.Unlock()
			return
		}
		count++
		if timed || !c.Buffered() {
			took := time.Duration(s.now().UnixNano() - s.written.Load())
			s.mu.Lock()
			if timed {
				s.times = append(s.times, took)
			}
			s.count += count
			count = 0
			s.mu.Unlock()
		}
	}
}

func (s *subscribers) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times, s.count = nil, 0
}

func (s *subscribers) seen() ([]time.Duration, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := slices.Clone(s.times)
	slices.Sort(times)
	return times, s.count
}

func (s *subscribers) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.all.Wait()
}

// write puts records for d, at a rate or one after the other.
func (s *subscribers) write(ctx context.Context, w *writer, o Options, d time.Duration) (seconds float64, err error) {
	w.acked, w.refused, w.errors = 0, 0, 0
	start := s.now()
	for n := 0; ; n++ {
		now := s.now()
		if now.Sub(start) >= d || ctx.Err() != nil {
			return now.Sub(start).Seconds(), ctx.Err()
		}
		if o.Rate > 0 {
			due := start.Add(time.Duration(n) * time.Second / time.Duration(o.Rate))
			if wait := due.Sub(now); wait > 0 {
				t := o.Clock.NewTimer(wait)
				<-t.C()
				now = s.now()
			}
		}
		s.written.Store(now.UnixNano())
		if err := w.send(w.frames[n%len(w.frames)], now); err != nil {
			return 0, err
		}
		for len(w.sent) > 0 {
			if err := w.receive(ctx, s.now); err != nil {
				return 0, err
			}
		}
	}
}
