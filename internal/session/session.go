package session

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/grid/actor"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// pongEvery is how often a waiting session reassures its client, whose watchdog
// gives up after 15 s.
const pongEvery = 5 * time.Second

// Session is one client; see the package comment.
type Session struct {
	host   *Host
	id     uint64
	out    outbox
	bell   actor.Bell
	limit  *rate.Limiter
	opened int64 // epoch ms

	seen  atomic.Int64 // epoch ms of the last frame, MaxInt64 while one is handled
	ready atomic.Bool  // authenticated

	mu       sync.Mutex
	binding  bool // the device is being looked up
	bound    bool // it has been; AUTH and DEVICE_HELLO are answered once
	caller   *service.Caller
	lastPing float64
	lastPong time.Time
	gone     bool
}

func newSession(h *Host, id uint64, notify func()) *Session {
	now := h.clock.Now().UnixMilli()
	s := &Session{
		host: h, id: id, bell: actor.NewBell(), opened: now,
		out:   outbox{limit: h.opt.OutboxBytes, notify: notify, slow: h.metrics.Slow},
		limit: rate.NewLimiter(rate.Limit(h.opt.OpsPerSecond), h.opt.Burst),
	}
	s.seen.Store(now)
	return s
}

// Handle carries out the next frame, waiting as long as it takes. Frames of one
// session come one after the other. It returns a *service.CloseError when the
// connection has to end, or ctx's error.
func (s *Session) Handle(ctx context.Context, frame []byte) error {
	s.seen.Store(math.MaxInt64)
	defer func() { s.seen.Store(s.host.clock.Now().UnixMilli()) }()
	for s.isBinding() {
		if err := s.waitForRoom(ctx); err != nil {
			return err
		}
	}
	m := s.decode(frame)
	if m == nil {
		return nil
	}
	if b, ok := m.(*wire.Batch); ok {
		return s.handleBatch(ctx, b)
	}
	return s.handle(ctx, m, len(frame))
}

// handleBatch carries out the messages of a BATCH one by one.
func (s *Session) handleBatch(ctx context.Context, b *wire.Batch) error {
	items, err := b.Messages(s.host.opt.Wire)
	if err != nil {
		s.reject("malformed", &service.Error{Code: service.CodeOf(err), Text: err.Error(), Type: wire.TypeBatch})
		return nil
	}
	for _, item := range items {
		m := s.decode(item)
		if m == nil {
			continue
		}
		if m.Type() == wire.TypeBatch {
			s.reject("malformed", &service.Error{Code: wire.CodeMalformed, Text: "a BATCH may not contain another", Type: wire.TypeBatch})
			continue
		}
		if err := s.handle(ctx, m, len(item)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) handle(ctx context.Context, m wire.Message, size int) error {
	if err := s.payFor(ctx, m); err != nil || !s.affordable(m) {
		return err
	}
	for {
		err := s.dispatch(m, size)
		if !errors.Is(err, service.ErrBusy) {
			return err
		}
		if err := s.waitForRoom(ctx); err != nil {
			return err
		}
	}
}

// waitForRoom waits until what was busy may be so no longer.
func (s *Session) waitForRoom(ctx context.Context) error {
	s.host.metrics.Parked.WithLabelValues("busy").Inc()
	return s.park(ctx, nil)
}

// Try carries out a frame if that is possible without waiting; busy means that
// nothing has happened and the same frame may be tried again. The session's
// share of operations does not count here.
func (s *Session) Try(frame []byte) (busy bool, err error) {
	s.seen.Store(s.host.clock.Now().UnixMilli())
	if s.isBinding() {
		return true, nil
	}
	m := s.decode(frame)
	if m == nil {
		return false, nil
	}
	err = s.dispatch(m, len(frame))
	if errors.Is(err, service.ErrBusy) {
		return true, nil
	}
	return false, err
}

// decode returns the message of a frame, or nil after answering or counting why
// there is none.
func (s *Session) decode(frame []byte) wire.Message {
	m, err := wire.Decode(frame, s.host.opt.Wire)
	if err == nil {
		return m
	}
	var unknown *wire.UnknownTypeError
	var bad *wire.DecodeError
	switch {
	case errors.As(err, &unknown):
		s.reject("unknown_type", &service.Error{Code: wire.CodeNotImplemented, Text: "unknown message type; this server speaks another version of the protocol", Request: unknown.Name})
	case errors.As(err, &bad):
		s.reject("malformed", &service.Error{Code: bad.Code, Text: bad.Error(), Type: bad.Type})
	}
	return nil
}

// reject counts a frame that is not carried out and says why; before
// authentication it is counted as such and nothing is said (AUTH-FIRST).
func (s *Session) reject(outcome string, why *service.Error) {
	if !s.ready.Load() && s.host.auth.Required() {
		s.count("unauthenticated")
		return
	}
	s.count(outcome)
	s.refuse(why)
}

// opsIn is what a message costs of the session's share of operations.
func opsIn(m wire.Message) int {
	if b, ok := m.(*wire.OpBatch); ok {
		return max(len(b.Ops), 1)
	}
	return 1
}

func (s *Session) affordable(m wire.Message) bool {
	n := opsIn(m)
	if n <= s.host.opt.Burst {
		return true
	}
	s.reject("refused", &service.Error{Code: wire.CodeOverloaded, Text: "the message holds more operations than a session may send at once; split it", Type: m.Type()})
	return false
}

// payFor waits until the session's share of operations has room for m.
func (s *Session) payFor(ctx context.Context, m wire.Message) error {
	now := s.host.clock.Now()
	r := s.limit.ReserveN(now, opsIn(m))
	wait := r.DelayFrom(now)
	if !r.OK() || wait <= 0 {
		return nil
	}
	s.host.metrics.Parked.WithLabelValues("rate").Inc()
	t := s.host.clock.NewTimer(wait)
	defer t.Stop()
	return s.park(ctx, t.C())
}

// park waits for the bell, or for until when that is given, and keeps the client
// reassured: its own PINGs wait behind what it is waiting for.
func (s *Session) park(ctx context.Context, until <-chan time.Time) error {
	bell := s.bell
	if until != nil {
		bell = nil
	}
	pong := s.host.clock.NewTimer(pongEvery - s.sincePong())
	defer pong.Stop()
	for {
		select {
		case <-bell:
			return nil
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-pong.C():
			s.repeatPong()
			pong.Reset(pongEvery)
		}
	}
}

// sincePong is the time since the client was last told that the server lives.
func (s *Session) sincePong() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.host.clock.Now().Sub(s.lastPong)
}

// repeatPong answers the last PING once more.
func (s *Session) repeatPong() {
	s.mu.Lock()
	last := s.lastPing
	s.mu.Unlock()
	if last != 0 {
		s.pong(last)
	}
}

// dispatch finds out who has to carry out m.
func (s *Session) dispatch(m wire.Message, size int) error {
	switch m := m.(type) {
	case *wire.Auth:
		return s.auth(m)
	case *wire.DeviceHello:
		return s.hello(m)
	}
	c, err := s.callerFor()
	if err != nil || c == nil {
		return err
	}
	if ping, ok := m.(*wire.Ping); ok {
		s.mu.Lock()
		s.lastPing = ping.Timestamp
		s.mu.Unlock()
		s.pong(ping.Timestamp)
		return nil
	}
	sv := s.host.registry.Find(m.Type())
	if sv == nil {
		s.count("ignored")
		return nil
	}
	err = sv.Handle(c, m, size)
	var e *service.Error
	switch {
	case err == nil:
		s.handled()
		return nil
	case errors.Is(err, service.ErrBusy):
		return err
	case errors.As(err, &e):
	default:
		e = &service.Error{Code: service.CodeOf(err), Text: err.Error(), Type: m.Type()}
	}
	s.reject("refused", e)
	return nil
}

// callerFor returns the caller once it is known who that is; nil when the frame
// has to be dropped because nobody has authenticated.
func (s *Session) callerFor() (*service.Caller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.binding:
		return nil, service.ErrBusy
	case s.caller != nil:
		return s.caller, nil
	case s.host.auth.Required():
		s.count("unauthenticated")
		return nil, nil
	}
	s.become(policy.Principal{}, "")
	return s.caller, nil
}

// become fixes who the session is. s.mu is held.
func (s *Session) become(p policy.Principal, device string) {
	s.caller = &service.Caller{
		ID: s.id, Principal: p, Device: device, Out: &s.out, Wake: s.bell.Ring,
		Author: &change.Author{Origin: change.OriginSession, Principal: p.ID, Device: device, Session: s.id},
		Acks:   service.NewOrder(&s.out, s.host.opt.InFlight, s.bell.Ring),
		Asks:   service.NewAsks(&s.out, s.bell.Ring),
	}
	s.ready.Store(true)
}

func (s *Session) pong(timestamp float64) {
	now := s.host.clock.Now()
	s.mu.Lock()
	s.lastPong = now
	s.mu.Unlock()
	s.send(&wire.Pong{Timestamp: timestamp, ServerTime: now.UnixMilli()})
}

func (s *Session) refuse(e *service.Error) { s.send(e.Message()) }

func (s *Session) send(m wire.Message) {
	s.out.Send(service.Frame{Head: wire.Append(nil, m)})
}

func (s *Session) count(outcome string) { s.host.metrics.Frames.WithLabelValues(outcome).Inc() }

func (s *Session) handled() { s.host.metrics.handled.Inc() }

// Take moves frames to send to dst; see transport.Session.
func (s *Session) Take(dst []service.Frame, maxBytes int) ([]service.Frame, *service.CloseError) {
	return s.out.take(dst, maxBytes)
}

// Drain ends the session with why after everything under way is answered.
func (s *Session) Drain(why *service.CloseError) {
	s.mu.Lock()
	c := s.caller
	s.mu.Unlock()
	if c == nil {
		s.out.Close(why)
		return
	}
	c.Acks.WhenEmpty(func() { s.out.Close(why) })
}

// Closed ends the session; the socket is gone.
func (s *Session) Closed() {
	s.mu.Lock()
	s.gone = true
	c := s.caller
	s.mu.Unlock()
	s.out.drop()
	if c != nil {
		c.Asks.End()
		s.host.registry.Leave(c)
	}
	s.host.forget(s)
}
