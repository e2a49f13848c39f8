package transport

import (
	"net"
	"net/http"
	"sync"
)

// gate counts the requests inside a handler, so that a stop can wait for them.
type gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{} // closed when the last one left a closed gate
}

// guard lets requests through to next until the gate is shut.
func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter() {
			Problem{Code: http.StatusServiceUnavailable, Message: "the server is stopping"}.Write(w)
			return
		}
		defer g.leave()
		next.ServeHTTP(w, r)
	})
}

// enter reports whether the gate is open, and counts the caller in if so.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

// leave takes back one enter.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.closed && g.inside == 0 {
		close(g.empty)
	}
}

// shut closes the gate and waits until nobody is inside. It is called once.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	g.empty = make(chan struct{})
	if g.inside == 0 {
		close(g.empty)
	}
	g.mu.Unlock()
	<-g.empty
}

// freshConns are the connections that have not sent a byte yet. Browsers open
// some in advance, and net/http waits five seconds for each when it stops.
type freshConns struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// track follows a connection's state; it is an [http.Server.ConnState] hook.
func (f *freshConns) track(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state != http.StateNew {
		delete(f.conns, c)
		return
	}
	if f.conns == nil {
		f.conns = make(map[net.Conn]struct{})
	}
	f.conns[c] = struct{}{}
}

// close cuts the fresh connections. Nothing may be accepted any more.
func (f *freshConns) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close() // nobody waits for an answer on it
	}
}
