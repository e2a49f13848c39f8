package maps

import (
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// defaultTimeout is how long a batch may take before its writer is told, unless
// it asks for another time.
const defaultTimeout = 5 * time.Second

// late tells writers whose batch takes longer than they wanted to wait. The
// batch stays under way: it is acknowledged when its concern is reached, and not
// before (protocol 04 §11).
type late struct {
	mu   sync.Mutex
	jobs map[*deadline]struct{}
}

type deadline struct {
	late    *late
	at      time.Time
	caller  *service.Caller
	request string
}

func (s *Service) watch(j *job, timeoutMillis int64) *deadline {
	timeout := defaultTimeout
	if timeoutMillis > 0 && timeoutMillis < int64(time.Hour/time.Millisecond) {
		timeout = time.Duration(timeoutMillis) * time.Millisecond
	}
	d := &deadline{late: &s.late, at: j.start.Add(timeout), caller: j.caller, request: j.ids[len(j.ids)-1]}
	s.late.mu.Lock()
	s.late.jobs[d] = struct{}{}
	s.late.mu.Unlock()
	return d
}

func (d *deadline) stop() {
	d.late.mu.Lock()
	delete(d.late.jobs, d)
	d.late.mu.Unlock()
}

// Sweep sends an ERROR to the writers of batches whose time is up. It is called
// every 100 ms or so.
func (s *Service) Sweep() {
	now := s.clock.Now()
	s.late.mu.Lock()
	var over []*deadline
	for d := range s.late.jobs {
		if !now.Before(d.at) {
			over = append(over, d)
			delete(s.late.jobs, d)
		}
	}
	s.late.mu.Unlock()
	for _, d := range over {
		e := &service.Error{
			Code: wire.CodeTimeout, Type: wire.TypeOpBatch, Request: d.request,
			Text: "the write concern was not reached in time; the operations are still under way and will be acknowledged when it is",
		}
		d.caller.Send(e.Message())
	}
}
