package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// steady are clients that write single records at a rate, each waiting for its
// acknowledgement before the next, and remember how long each write took.
type steady struct {
	clock   clock.Clock
	writers []*writer
	stop    chan struct{}
	all     sync.WaitGroup

	mu      sync.Mutex
	samples []sample
	errs    []error
}

// sample is one write.
type sample struct {
	at   time.Time
	took time.Duration
}

// steadyFrames is how many records each client of a steady load writes again and
// again.
const steadyFrames = 1024

// startSteady begins writing rate records a second out of so many.
func startSteady(ctx context.Context, url string, o Options, records, rate int) (*steady, error) {
	s := &steady{clock: o.Clock, stop: make(chan struct{})}
	for n := range pacedConnections {
		c, err := socket.Dial(ctx, url)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		w := &writer{conn: c, batch: 1, window: 1, nextID: firstID, level: []byte(concerns[o.Concern].achieved)}
		s.writers = append(s.writers, w)
		for range steadyFrames {
			f, err := newFrame([]string{"key-" + strconv.Itoa(rand.IntN(records))}, "steady-"+strconv.Itoa(n), o.valueOf, concerns[o.Concern].ask)
			if err != nil {
				return nil, errors.Join(err, s.close())
			}
			w.frames = append(w.frames, f)
		}
		every := time.Second * pacedConnections / time.Duration(rate)
		s.all.Go(func() { s.write(ctx, w, every) }) //arch:goroutine steady waits in close
	}
	return s, nil
}

// write writes until it is stopped. Its writes are an equal time apart; one that
// takes longer than that moves those behind it.
func (s *steady) write(ctx context.Context, w *writer, every time.Duration) {
	due := s.clock.Now()
	for turn := 0; ; turn++ {
		select {
		case <-s.stop:
			return
		default:
		}
		sleepUntil(s.clock, due)
		now := s.clock.Now()
		err := w.send(w.frames[turn%len(w.frames)], now)
		for err == nil && len(w.sent) > 0 {
			err = w.receive(ctx, s.clock.Now)
		}
		done := s.clock.Now()
		s.mu.Lock()
		s.samples = append(s.samples, sample{now, done.Sub(now)})
		s.errs = append(s.errs, err)
		s.mu.Unlock()
		if err != nil {
			return
		}
		if due = due.Add(every); due.Before(done) {
			due = done
		}
	}
}

// between returns how long the writes took that were under way in a time, in
// order.
func (s *steady) between(from, to time.Time) (times []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.samples {
		if x.at.Before(to) && x.at.Add(x.took).After(from) {
			times = append(times, x.took)
		}
	}
	slices.Sort(times)
	return times
}

// close ends the writing and returns what went wrong.
func (s *steady) close() error {
	close(s.stop)
	s.all.Wait()
	errs := s.errs
	for _, w := range s.writers {
		if w.refused+w.errors > 0 {
			errs = append(errs, errors.New("bench: a write of the steady load was refused"))
		}
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(errs...)
}
