package service

import "sync"

const (
	// mostAsks bounds the requests of one session whose answers are being made.
	mostAsks = 16

	// askedBytes is how much these answers may be expected to take.
	askedBytes = 512 << 10
)

// Asks bounds what one session has asked for and has not yet been sent, where an
// answer may be large: a client asks for everything it lacks at once, and would
// be sent more than it can read while the requests of others wait. There are as
// many such requests under way as the answers before them let expect askedBytes,
// one at the beginning; and none begins while much waits to be sent. The session
// is not read meanwhile.
type Asks struct {
	out   Outbox
	freed func()

	mu      sync.Mutex
	open    int
	refused bool // since freed was called
	waiting bool // for out
	bytes   int  // what an answer is expected to take
}

// NewAsks makes the bound of one session. freed is called, from any goroutine,
// when Take may succeed after it had not.
func NewAsks(out Outbox, freed func()) *Asks {
	return &Asks{out: out, freed: freed, bytes: askedBytes}
}

// Take begins a request. If it reports false the request has to be tried again
// after freed was called.
func (a *Asks) Take() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open >= min(mostAsks, max(1, askedBytes/max(1, a.bytes))) {
		a.refused = true
		return false
	}
	if a.waiting {
		return false
	}
	if !a.out.Drained(a.drained) {
		a.waiting = true
		return false
	}
	a.open++
	return true
}

func (a *Asks) drained() {
	a.mu.Lock()
	a.waiting = false
	a.mu.Unlock()
	a.freed()
}

// Answer sends the answer to a request and ends it.
func (a *Asks) Answer(f Frame) {
	f.Asked = true
	a.out.Send(f)
	a.mu.Lock()
	// One large answer says more than many small ones.
	a.bytes = max(f.Len(), a.bytes*3/4)
	a.mu.Unlock()
	a.Give()
}

// Give ends a request that has no answer.
func (a *Asks) Give() {
	a.mu.Lock()
	a.open--
	freed := a.refused
	a.refused = false
	a.mu.Unlock()
	if freed {
		a.freed()
	}
}
