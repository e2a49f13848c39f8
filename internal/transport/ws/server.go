package ws

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// Server upgrades HTTP requests to WebSocket connections and owns those. It is
// an http.Handler and a transport.Upgrades; its methods are safe for
// concurrent use.
type Server struct {
	sessions transport.Sessions
	clk      clock.Clock
	log      *slog.Logger
	metrics  *Metrics
	opt      Options
	flush    *flushers

	mu      sync.Mutex
	taken   int                // connections, those in the middle of an upgrade too
	conns   map[*conn]struct{} // upgraded connections
	stopped bool
	cutting bool          // Shutdown has run out of time
	empty   chan struct{} // closed when stopped and nothing is taken
}

// New returns a server whose connections talk to sessions. It returns an error
// that says everything that is wrong with opt.
func New(sessions transport.Sessions, clk clock.Clock, log *slog.Logger, m *Metrics, opt Options) (*Server, error) {
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("websocket options: %w", err)
	}
	return &Server{
		sessions: sessions,
		clk:      clk,
		log:      log,
		metrics:  m,
		opt:      opt,
		flush:    newFlushers(),
		conns:    make(map[*conn]struct{}),
		empty:    make(chan struct{}),
	}, nil
}

// ServeHTTP upgrades r, or answers why not: 405, 426 or 400 for what is no
// proper upgrade, 403 for a host or an origin that is not allowed, 503 when
// there is no room or the server stops. The connection outlives the call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := s.check(r); why != nil {
		s.refuse(w, why)
		return
	}
	if why := s.reserve(); why != nil {
		s.refuse(w, why)
		return
	}
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.unreserve()
		s.refuse(w, &refusal{reason: "hijack", problem: transport.Problem{
			Code: http.StatusInternalServerError, Message: "this connection cannot be upgraded",
		}})
		return
	}
	before, _ := buffered.Reader.Peek(buffered.Reader.Buffered()) // what is buffered is there
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	c := &conn{srv: s, net: nc, cancel: cancel, busy: true, now: newAttempt(nc)}
	c.in = reader{in: newSource(nc, before), max: s.opt.MaxMessageBytes}
	s.add(c)
	go c.serve(ctx, answer(r), peerOf(r, nc))
}

// Connections is the number of connections that are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown implements transport.Upgrades. Every session gets to answer what it
// was given; then the connection is closed with 1001. It is called once.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	s.stopped = true
	if s.taken == 0 {
		close(s.empty)
	}
	halting := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range halting {
		c.halt(s.clk.Now())
	}
	select {
	case <-s.empty:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.cutting = true
	remaining := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range remaining {
		c.cut(ending{by: byTimeout, code: closeAbnormal})
	}
	<-s.empty
}

// reserve takes a place for a connection, or returns why there is none.
func (s *Server) reserve() *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return stopping
	case s.taken >= s.opt.MaxConnections:
		return full
	}
	s.taken++
	return nil
}

// unreserve gives the place back.
func (s *Server) unreserve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreserveLocked()
}

// unreserveLocked is unreserve with mu held.
func (s *Server) unreserveLocked() {
	s.taken--
	if s.stopped && s.taken == 0 {
		close(s.empty)
	}
}

// add makes c known, before its reader starts. One that comes in the middle of
// a stop is stopped like the others.
func (s *Server) add(c *conn) {
	s.metrics.accepted.Inc()
	s.metrics.active.Inc()
	s.mu.Lock()
	s.conns[c] = struct{}{}
	stopped, cutting := s.stopped, s.cutting
	s.mu.Unlock()
	if stopped {
		c.halt(s.clk.Now())
	}
	if cutting {
		c.cut(ending{by: byTimeout, code: closeAbnormal})
	}
}

// count notes how c, which is over, has ended.
func (s *Server) count(c *conn) {
	s.metrics.active.Dec()
	s.metrics.closed(c.ended)
	s.log.Debug("connection closed", slog.String("remote", c.net.RemoteAddr().String()),
		slog.String("by", c.ended.by), slog.Int("code", int(c.ended.code)))
}

// remove forgets c. It is the last thing that c's reader does.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.unreserveLocked()
}
