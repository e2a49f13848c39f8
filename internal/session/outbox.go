package session

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// outbox is the bounded queue of frames to one client.
type outbox struct {
	limit  int
	notify func()
	slow   prometheus.Counter

	// behind is set while more than a quarter of limit waits, and from then on
	// until less than a sixteenth does.
	behind atomic.Bool

	mu      sync.Mutex
	frames  []service.Frame
	bytes   int
	asked   int      // of bytes, those that the client has asked for
	waiting []func() // for little to be left
	closed  bool     // nothing more is taken
	why     *service.CloseError
}

// Send implements service.Outbox. A client that has not read for so long that
// the queue would exceed its limit is closed. One message always fits, and what
// was asked for does not count.
func (o *outbox) Send(f service.Frame) {
	o.mu.Lock()
	was := len(o.frames)
	ended := !o.closed && !o.put(f)
	o.unlock(was, ended)
}

// SendAll implements service.Outbox.
func (o *outbox) SendAll(frames []service.Frame) {
	o.mu.Lock()
	was, ended := len(o.frames), false
	for i := 0; i < len(frames) && !o.closed; i++ {
		ended = !o.put(frames[i])
	}
	o.unlock(was, ended)
}

// put queues a frame, or closes the outbox and reports false. mu is held.
func (o *outbox) put(f service.Frame) bool {
	if told := o.bytes - o.asked; !f.Asked && told > 0 && told+f.Len() > o.limit {
		o.closed = true
		o.why = &service.CloseError{Code: wire.CloseSlowConsumer}
		clear(o.frames)
		o.frames, o.bytes, o.asked, o.waiting = o.frames[:0], 0, 0, nil
		o.behind.Store(false)
		return false
	}
	if f.Asked {
		o.asked += f.Len()
	}
	o.frames = append(o.frames, f)
	if o.bytes += f.Len(); o.bytes > o.limit/4 {
		o.behind.Store(true)
	}
	return true
}

// unlock gives mu back and says what has happened since there were as many
// frames.
func (o *outbox) unlock(was int, ended bool) {
	first := was == 0 && len(o.frames) > 0
	o.mu.Unlock()
	if ended {
		o.slow.Inc()
	}
	if first || ended {
		o.notify()
	}
}

// Behind implements service.Outbox.
func (o *outbox) Behind() bool { return o.behind.Load() }

// little reports whether less than a sixteenth of limit waits. mu is held.
func (o *outbox) little() bool { return o.bytes == 0 || o.bytes < o.limit/16 }

// Drained implements service.Outbox.
func (o *outbox) Drained(then func()) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	if o.little() {
		return true
	}
	o.waiting = append(o.waiting, then)
	return false
}

// Close implements service.Outbox. The first reason counts.
func (o *outbox) Close(why *service.CloseError) {
	o.mu.Lock()
	was := o.closed
	if !was {
		o.closed, o.why, o.waiting = true, why, nil
	}
	o.mu.Unlock()
	if !was {
		o.notify()
	}
}

// take moves frames to dst until they make maxBytes, and reports how the session
// ends once it has been closed.
func (o *outbox) take(dst []service.Frame, maxBytes int) ([]service.Frame, *service.CloseError) {
	dst, why, drained := o.takeSome(dst, maxBytes)
	for _, then := range drained {
		then()
	}
	return dst, why
}

// takeSome is take, and returns who waited for little to be left.
func (o *outbox) takeSome(dst []service.Frame, maxBytes int) (frames []service.Frame, why *service.CloseError, drained []func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, size := 0, 0
	for n < len(o.frames) && (n == 0 || size < maxBytes) {
		size += o.frames[n].Len()
		if o.frames[n].Asked {
			o.asked -= o.frames[n].Len()
		}
		n++
	}
	dst = append(dst, o.frames[:n]...)
	rest := copy(o.frames, o.frames[n:])
	clear(o.frames[rest:])
	o.frames = o.frames[:rest]
	if o.bytes -= size; o.little() {
		if o.behind.Load() {
			o.behind.Store(false)
		}
		drained, o.waiting = o.waiting, nil
	}
	if rest == 0 && cap(o.frames) > 64 {
		o.frames = nil // an idle connection holds no memory
	}
	return dst, o.why, drained
}

// drop forgets everything; the socket is gone.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.frames, o.bytes, o.asked, o.waiting = nil, 0, 0, nil
	o.behind.Store(false)
}
