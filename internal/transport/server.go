package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// Upgrades owns the connections that left HTTP behind.
type Upgrades interface {
	// Shutdown refuses further connections, ends those there are in an orderly
	// way, cuts the remaining ones when ctx ends, and returns when none is left.
	Shutdown(ctx context.Context)
}

// ServerOptions configures a Server. The zero value of every field means its
// default.
type ServerOptions struct {
	// HeaderTimeout bounds how long the header of a request may take to arrive.
	// Default 10 s.
	HeaderTimeout time.Duration

	// RequestTimeout bounds how long a whole request may take to arrive, and
	// after that its answer to leave. Upgraded connections are not bound by it.
	// Default 30 s.
	RequestTimeout time.Duration

	// IdleTimeout closes a kept-alive HTTP connection without requests. Default
	// 2 min.
	IdleTimeout time.Duration

	// MaxHeaderBytes bounds the header of a request; more is answered with 431.
	// Default 32 KiB.
	MaxHeaderBytes int

	// DrainTimeout bounds the orderly part of a stop: what has not ended by then
	// is cut. Default 4 s, which leaves a stop within five seconds some time to
	// flush.
	DrainTimeout time.Duration
}

// withDefaults fills in what is zero.
func (o ServerOptions) withDefaults() ServerOptions {
	orDefault(&o.HeaderTimeout, 10*time.Second)
	orDefault(&o.RequestTimeout, 30*time.Second)
	orDefault(&o.IdleTimeout, 2*time.Minute)
	orDefault(&o.MaxHeaderBytes, 32<<10)
	orDefault(&o.DrainTimeout, 4*time.Second)
	return o
}

// orDefault sets v to d if it is zero.
func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Server is the one HTTP server of a node. It owns the listeners it is given
// and the order in which a node stops talking.
type Server struct {
	upgrades Upgrades
	clk      clock.Clock
	opt      ServerOptions
	http     *http.Server
	fresh    freshConns
	requests gate
}

// NewServer returns a server that answers with handler, whose upgraded
// connections upgrades owns.
func NewServer(handler http.Handler, upgrades Upgrades, clk clock.Clock, log *slog.Logger, opt ServerOptions) *Server {
	s := &Server{upgrades: upgrades, clk: clk, opt: opt.withDefaults()}
	s.http = &http.Server{
		Handler:           s.requests.guard(handler),
		ReadHeaderTimeout: s.opt.HeaderTimeout,
		ReadTimeout:       s.opt.RequestTimeout,
		WriteTimeout:      2 * s.opt.RequestTimeout, // counted from the header's arrival
		IdleTimeout:       s.opt.IdleTimeout,
		MaxHeaderBytes:    s.opt.MaxHeaderBytes,
		ConnState:         s.fresh.track,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on the listeners until ctx ends, and then stops: no further
// connection is accepted, requests that have begun are answered, upgraded
// connections are asked to end, and what remains after DrainTimeout is cut.
// Requests and sessions do not see the end of ctx, only the end of their
// connection. When Serve returns every request and every upgraded connection
// has ended and the listeners are closed; the error is that of a listener that
// broke, which stops the server too. Serve is called once.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	base := context.WithoutCancel(ctx)
	s.http.BaseContext = func(net.Listener) context.Context { return base }

	broke := make(chan error, len(listeners)) // one result each
	for _, l := range listeners {
		go func() { broke <- fmt.Errorf("serve %s: %w", l.Addr(), s.http.Serve(l)) }()
	}
	var failure error
	running := len(listeners)
	select {
	case <-ctx.Done():
	case failure = <-broke:
		running--
	}
	for _, l := range listeners {
		_ = l.Close() // one that broke is closed already
	}
	for range running {
		<-broke // their listeners were closed above: no failure
	}
	return errors.Join(failure, s.stop(base))
}

// stop ends everything that was accepted.
func (s *Server) stop(base context.Context) error {
	ctx, cut := context.WithCancel(base)
	defer cut()
	timer := s.clk.NewTimer(s.opt.DrainTimeout)
	defer timer.Stop()

	s.fresh.close()
	var err error
	var parts sync.WaitGroup
	parts.Go(func() { s.upgrades.Shutdown(ctx) })
	parts.Go(func() {
		if s.http.Shutdown(ctx) != nil { // only the end of ctx
			err = s.http.Close()
		}
		s.requests.shut()
	})
	stopped := make(chan struct{})
	//arch:goroutine Serve waits in stop, for stopped
	go func() { parts.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-timer.C():
		cut()
		<-stopped
	}
	return err
}
