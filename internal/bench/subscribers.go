package bench

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// subscribers are connections with one live query each.
type subscribers struct {
	now    func() time.Time
	conns  []*socket.Conn
	failed atomic.Int64
	all    sync.WaitGroup

	sent      [fanoutKeys]atomic.Int64 // when a key was written last, in ns
	delivered atomic.Int64
	arrived   chan struct{} // something has

	mu      sync.Mutex
	took    []time.Duration
	closing bool
}

func newSubscribers(now func() time.Time) *subscribers {
	return &subscribers{now: now, arrived: make(chan struct{}, 1)}
}

func (s *subscribers) open(ctx context.Context, url string, n int) error {
	for i := range n {
		c, err := socket.Dial(ctx, url)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		sub, _ := socket.Frame(wire.Append(nil, &wire.QuerySub{
			QueryID: queryID(i), MapName: mapName, Query: wire.Query{Limit: wire.Some(int64(1000))}, Fields: []string{"v"},
		}))
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
	count := int64(0)
	for {
		m, err := c.Next(ctx)
		if err != nil {
			s.mu.Lock()
			if !s.closing {
				s.failed.Add(1)
			}
			s.mu.Unlock()
			s.count(count)
			return
		}
		count++
		if timed {
			s.time(m)
		}
		if !c.Buffered() {
			s.count(count)
			count = 0
		}
	}
}

// time takes the time of an update from its write.
func (s *subscribers) time(m []byte) {
	key := keyOf(m)
	if key < 0 || key >= fanoutKeys {
		return
	}
	sent := s.sent[key].Load()
	if sent == 0 {
		return // of the floor, which names no key that was written
	}
	took := time.Duration(s.now().UnixNano() - sent)
	s.mu.Lock()
	s.took = append(s.took, took)
	s.mu.Unlock()
}

func (s *subscribers) count(n int64) {
	s.delivered.Add(n)
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// wait waits until as many messages have arrived.
func (s *subscribers) wait(ctx context.Context, n int64) error {
	for s.delivered.Load() < n {
		if s.failed.Load() > 0 {
			return errLate
		}
		select {
		case <-s.arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *subscribers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = nil
}

// times are how long updates took, in order.
func (s *subscribers) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.took))
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

// feeder is a connection that puts one record after the other and does not wait
// for acknowledgements.
type feeder struct {
	*writer
	turn int
	all  sync.WaitGroup

	refusals, failures atomic.Int64
}

func newFeeder(ctx context.Context, url string, o Options) (*feeder, error) {
	w, err := newWriter(ctx, url, 0, o)
	if err != nil {
		return nil, err
	}
	f := &feeder{writer: w}
	f.all.Go(func() { f.listen(ctx) }) //arch:goroutine feeder waits in close
	return f, nil
}

// listen takes the acknowledgements.
func (f *feeder) listen(ctx context.Context) {
	for {
		m, err := f.conn.Next(ctx)
		if err != nil {
			return // closed by close, or the next put says why
		}
		head := m[:min(len(m), 32)]
		switch {
		case bytes.Contains(head, nameRejected):
			f.refusals.Add(1)
		case bytes.Contains(head, nameError):
			f.failures.Add(1)
		}
	}
}

// put writes the next record. Keys come one after the other, so the frame with
// key n is the one in whose place in the ring it stands.
func (f *feeder) put(s *subscribers) error {
	fr := f.frames[f.turn%len(f.frames)]
	now := s.now()
	fr.stamp(f.nextID, now.UnixMilli())
	f.nextID++
	s.sent[f.turn%len(f.frames)%fanoutKeys].Store(now.UnixNano())
	f.turn++
	return f.conn.Write(fr.bytes)
}

func (f *feeder) close() error {
	err := f.conn.Close()
	f.all.Wait()
	return err
}

// sleepUntil waits for a time.
func sleepUntil(clk clock.Clock, due time.Time) {
	wait := due.Sub(clk.Now())
	if wait <= 0 {
		return
	}
	t := clk.NewTimer(wait)
	<-t.C()
}
