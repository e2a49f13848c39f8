package log

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// waiter lets goroutines wait for the log to have moved.
type waiter struct {
	mu   sync.Mutex
	cond *sync.Cond
	log  *Log
}

func newWaiter(l *Log) *waiter {
	w := &waiter{log: l}
	w.cond = sync.NewCond(&w.mu)
	l.Subscribe(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.cond.Broadcast()
	})
	return w
}

// durable waits until lsn, appended under gen, is durable or lost.
func (w *waiter) durable(gen uint64, lsn LSN) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		now := w.log.Generation()
		if w.log.DurableAt(gen) >= lsn {
			return true
		}
		if now != gen {
			return false
		}
		w.cond.Wait()
	}
}

// healthy waits until appends are accepted.
func (w *waiter) healthy() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.log.Healthy() {
		w.cond.Wait()
	}
}

// TestManyAppendersOverAFailingDisk has everything happen at once: what was
// acknowledged to each appender is in the log afterwards, in its order, and what
// was refused is not.
func TestManyAppendersOverAFailingDisk(t *testing.T) {
	const appenders, each = 8, 300
	fsys := newWorld(vfs.NewMem())
	l := mustOpen(t, fsys, Options{SegmentBytes: 16 << 10, ZeroAhead: 4 << 10, MaxPending: 32 << 10})
	rng := rand.New(rand.NewPCG(5, 6))
	fsys.mu.Lock()
	fsys.ask = func(k kind, _ string) verdict { // under the world's mutex
		if (k == opWrite || k == opSync || k == opDirSnc) && rng.IntN(40) == 0 {
			return refuse
		}
		return proceed
	}
	fsys.mu.Unlock()
	w := newWaiter(l)
	ctx, cancel := context.WithCancel(t.Context())
	var running, appending sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); err != nil && !errors.Is(err, errInjected) {
			t.Errorf("run: %v", err)
		}
	})

	var mu sync.Mutex
	acknowledged, refused := map[LSN]string{}, map[LSN]string{}
	for i := range appenders {
		appending.Go(func() {
			for n := range each {
				payload := fmt.Sprintf("%d/%d", i, n)
				gen := l.Generation()
				lsn, err := l.Append(gen, []byte(payload))
				if err != nil {
					w.healthy()
					continue
				}
				ok := w.durable(gen, lsn)
				mu.Lock()
				if ok {
					acknowledged[lsn] = payload
				} else {
					refused[lsn] = payload
				}
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	running.Go(func() { // a reader that follows, and drops half of what it has seen
		var from, drop LSN
		for {
			if err := l.Replay(from, func(lsn LSN, _ []byte) error { from = lsn; return nil }); err != nil {
				t.Errorf("replay: %v", err)
				return
			}
			if err := l.DropBefore(drop); err != nil && !errors.Is(err, errInjected) {
				t.Errorf("drop: %v", err)
				return
			}
			drop = (drop + from) / 2 / 2
			select {
			case <-done:
				return
			default:
			}
		}
	})
	appending.Wait()
	close(done)
	cancel()
	running.Wait()

	if len(acknowledged) < each || len(refused) == 0 {
		t.Errorf("%d acknowledged, %d refused: too few to show anything", len(acknowledged), len(refused))
	}
	fsys.ask = nil
	_ = l.Close()
	l = mustOpen(t, fsys, Options{})
	_, oldest := l.spans()
	next := map[string]int{}
	found := 0
	err := l.Replay(oldest, func(lsn LSN, payload []byte) error {
		var i string
		var n int
		if _, err := fmt.Sscanf(string(payload), "%1s/%d", &i, &n); err != nil || n < next[i] {
			t.Errorf("%q at %d is out of order", payload, lsn)
		}
		next[i] = n
		if refused[lsn] != "" {
			t.Errorf("%q at %d was refused and came back", payload, lsn)
		}
		if acknowledged[lsn] == string(payload) {
			found++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for lsn := range acknowledged {
		if lsn <= oldest {
			found++
		}
	}
	if found != len(acknowledged) {
		t.Errorf("%d of %d acknowledged frames are there", found, len(acknowledged))
	}
}
