package maps

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

const (
	// defaultTimeout is how long a batch may take before its writer is told, unless
	// it asks for another time.
	defaultTimeout = 5 * time.Second

	// maxTimeout is the longest time that it may ask for. Nobody waits for longer,
	// and no sum of times overflows.
	maxTimeout = time.Hour
)

// late tells writers whose batch takes longer than they wanted to wait. The
// batch stays under way: it is acknowledged when its concern is reached, and not
// before (protocol 04 §11).
type late struct {
	mu   sync.Mutex
	jobs map[*job]time.Time
}

// shortest is the least time, in milliseconds, that the batch or an operation of
// it was given; 0 when none was.
func shortest(ops []wire.ClientOp, ofBatch int64) int64 {
	least := ofBatch
	for i := range ops {
		if t := ops[i].Timeout; t > 0 && (least <= 0 || t < least) {
			least = t
		}
	}
	return least
}

func (l *late) add(j *job, timeoutMillis int64) {
	timeout := defaultTimeout
	if timeoutMillis > 0 {
		timeout = time.Duration(min(timeoutMillis, maxTimeout.Milliseconds())) * time.Millisecond
	}
	l.mu.Lock()
	l.jobs[j] = j.start.Add(timeout)
	l.mu.Unlock()
}

func (l *late) remove(j *job) {
	l.mu.Lock()
	delete(l.jobs, j)
	l.mu.Unlock()
}

// over takes out the batches whose time is up, and returns whom to tell of
// which.
func (l *late) over(now time.Time) []overdue {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []overdue
	for j, at := range l.jobs {
		if !now.Before(at) {
			out = append(out, overdue{j.caller, strings.Clone(j.ids[len(j.ids)-1]), j.OnDisk()})
			delete(l.jobs, j)
		}
	}
	slices.SortFunc(out, func(a, b overdue) int {
		return cmp.Or(cmp.Compare(a.caller.ID, b.caller.ID), cmp.Compare(a.request, b.request))
	})
	return out
}

type overdue struct {
	caller  *service.Caller
	request string
	onDisk  bool
}

// text says how far the operations have come.
func (d overdue) text() string {
	if d.onDisk {
		return "the operations are on this node's disk and not yet in the store behind it, which is slow or away; they will be acknowledged when it has them"
	}
	return "the write concern was not reached in time; the operations are still under way and will be acknowledged when it is"
}

// Sweep sends an ERROR to the writers of batches whose time is up. It is called
// every 100 ms or so.
func (s *Service) Sweep() {
	for _, d := range s.late.over(s.clock.Now()) {
		e := &service.Error{
			Code: wire.CodeTimeout, Type: wire.TypeOpBatch, Request: d.request,
			Text: d.text(),
		}
		d.caller.Send(e.Message())
	}
}
