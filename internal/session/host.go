package session

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// Options are what a Host allows its sessions. The zero value of every field
// means its default.
type Options struct {
	// Wire bounds what a frame may hold.
	Wire wire.Limits

	// OpsPerSecond and Burst are each session's share of operations. A session
	// that uses it up is read more slowly; one frame with more than Burst
	// operations is refused. Defaults 20 000 and 40 000.
	OpsPerSecond, Burst int

	// OutboxBytes bounds what waits to be sent to a session. Default 16 MiB.
	OutboxBytes int

	// InFlight is the most operation frames of a session that are not yet
	// acknowledged. Default 32.
	InFlight int

	// HandshakeTimeout bounds the time until a session has authenticated.
	// Default 10 s.
	HandshakeTimeout time.Duration

	// IdleTimeout ends a session that has sent nothing for so long. Default 60 s.
	IdleTimeout time.Duration
}

func (o Options) withDefaults() Options {
	def(&o.OpsPerSecond, 20_000)
	def(&o.Burst, 40_000)
	def(&o.OutboxBytes, 16<<20)
	def(&o.InFlight, 32)
	def(&o.HandshakeTimeout, 10*time.Second)
	def(&o.IdleTimeout, time.Minute)
	return o
}

func def[T int | time.Duration](field *T, v T) {
	if *field == 0 {
		*field = v
	}
}

// Authenticator decides who a session is.
type Authenticator interface {
	// Required reports whether a session must present a token.
	Required() bool

	// Authenticate checks a token. The error's text is for the server's log.
	Authenticate(token string) (policy.Principal, error)

	// Device recognises the installation that holds token, or makes one. done is
	// called once, from any goroutine; a zero device means that none could be had
	// now, which is no reason to refuse the session.
	Device(principal, token string, done func(service.Device))
}

// Host makes sessions and watches over their time.
type Host struct {
	opt      Options
	clock    clock.Clock
	auth     Authenticator
	registry *service.Registry
	metrics  *Metrics
	lastID   atomic.Uint64

	mu       sync.Mutex
	sessions map[*Session]struct{}
}

// NewHost makes a host. Services are registered before the first Open.
func NewHost(clk clock.Clock, auth Authenticator, reg *service.Registry, m *Metrics, opt Options) *Host {
	opt = opt.withDefaults()
	opt.Wire.OpBatches = &batches{}
	return &Host{
		opt: opt, clock: clk, auth: auth, registry: reg, metrics: m,
		sessions: map[*Session]struct{}{},
	}
}

// Open makes the session of a new connection. notify is called, from any
// goroutine, when there is something to Take.
func (h *Host) Open(notify func()) *Session {
	s := newSession(h, h.lastID.Add(1), notify)
	h.mu.Lock()
	h.sessions[s] = struct{}{}
	h.mu.Unlock()
	if h.auth.Required() {
		s.send(&wire.AuthRequired{})
	}
	return s
}

// Sessions is the number of open sessions.
func (h *Host) Sessions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}

// Sweep ends the sessions that have not authenticated in time or have fallen
// silent. It is called about once a second.
func (h *Host) Sweep() {
	now := h.clock.Now().UnixMilli()
	h.mu.Lock()
	var late, idle []*Session
	for s := range h.sessions {
		switch {
		case s.seen.Load() == math.MaxInt64:
		case !s.ready.Load() && now-s.opened > h.opt.HandshakeTimeout.Milliseconds() && h.auth.Required():
			late = append(late, s)
		case now-s.seen.Load() > h.opt.IdleTimeout.Milliseconds():
			idle = append(idle, s)
		}
	}
	h.mu.Unlock()
	for _, s := range late {
		s.out.Close(&service.CloseError{Code: wire.CloseHandshakeTimeout})
	}
	for _, s := range idle {
		s.out.Close(&service.CloseError{Code: wire.CloseNormal, Reason: "idle timeout"})
	}
}

func (h *Host) forget(s *Session) {
	h.mu.Lock()
	delete(h.sessions, s)
	h.mu.Unlock()
}
