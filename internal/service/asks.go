package service

import "sync"

const (
	// mostAsks bounds the requests of one session whose answers are being made.
	mostAsks = 16

	// askedBytes is how much these answers may be expected to take.
	askedBytes = 512 << 10

	// queuedBytes bounds the requests that wait: enough for all parts of a map (protocol
	// 02 §5), for which a client asks at once that has none. One always fits.
	queuedBytes = 1 << 20

	// askBytes is what a request takes beside what it keeps.
	askBytes = 128
)

// ask is a request that waits.
type ask struct {
	begin func()
	bytes int
}

// Asks bounds what one session has asked for and has not yet been sent, where an
// answer may be large: a client asks for everything it lacks at once, and would
// be sent more than it can read while the requests of others wait. There are as
// many such requests under way as the answers before them let expect askedBytes,
// one at the beginning; and none begins while much waits to be sent. The others
// wait, so that what the session sends behind them does not.
type Asks struct {
	out   Outbox
	freed func()

	mu       sync.Mutex
	open     int
	queue    []ask
	queued   int  // bytes of queue
	starting bool // by one goroutine at a time
	refused  bool // since freed was called
	waiting  bool // for out
	bytes    int  // what an answer is expected to take
	ended    bool
}

// NewAsks makes the bound of one session. freed is called, from any goroutine,
// when a request may be taken after one was not.
func NewAsks(out Outbox, freed func()) *Asks {
	return &Asks{out: out, freed: freed, bytes: askedBytes}
}

// Do has begin called once the request may begin, from any goroutine, perhaps at
// once, and not any more when the session has ended. bytes is the memory that
// begin keeps. If Do reports false so much waits that the request has to be tried
// again after freed was called.
func (a *Asks) Do(bytes int, begin func()) bool {
	a.mu.Lock()
	if len(a.queue) > 0 && a.queued+bytes+askBytes > queuedBytes {
		a.refused = true
		a.mu.Unlock()
		return false
	}
	a.queue = append(a.queue, ask{begin, bytes + askBytes})
	a.queued += bytes + askBytes
	a.mu.Unlock()
	a.start()
	return true
}

// Answer sends the answer to a request, which has ended then.
func (a *Asks) Answer(f Frame) {
	f.Asked = true
	a.out.Send(f)
	a.mu.Lock()
	a.open--
	// One large answer says more than many small ones.
	a.bytes = max(f.Len(), a.bytes*3/4)
	a.mu.Unlock()
	a.start()
}

// End forgets what waits: the session has ended.
func (a *Asks) End() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.queue, a.queued = true, nil, 0
}

// roomLocked reports whether a request may begin. If that is for the client to
// read, start is called when it has.
func (a *Asks) roomLocked() bool {
	if a.ended || a.waiting || a.open >= min(mostAsks, max(1, askedBytes/max(1, a.bytes))) {
		return false
	}
	a.waiting = !a.out.Drained(a.drained)
	return !a.waiting
}

func (a *Asks) drained() {
	a.mu.Lock()
	a.waiting = false
	a.mu.Unlock()
	a.start()
}

// start begins the requests that may begin, in their order. A request that is
// answered at once comes back here and leaves the next to the loop.
func (a *Asks) start() {
	a.mu.Lock()
	if a.starting {
		a.mu.Unlock()
		return
	}
	a.starting = true
	for len(a.queue) > 0 && a.roomLocked() {
		next := a.queue[0]
		a.queue[0] = ask{}
		if a.queue = a.queue[1:]; len(a.queue) == 0 {
			a.queue = nil
		}
		a.queued -= next.bytes
		a.open++
		a.mu.Unlock()
		next.begin()
		a.mu.Lock()
	}
	a.starting = false
	freed := a.refused && a.queued < queuedBytes && !a.ended
	if freed {
		a.refused = false
	}
	a.mu.Unlock()
	if freed {
		a.freed()
	}
}
