package session

import (
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// auth answers AUTH. A client sends it twice as a matter of course; the second
// is ignored, because each AUTH_ACK makes the client send its whole log again.
func (s *Session) auth(m *wire.Auth) error {
	if !s.host.auth.Required() {
		s.bind(policy.Principal{}, m.DeviceToken, func(d service.Device) wire.Message {
			return &wire.AuthAck{DeviceID: d.ID, DeviceToken: d.Token}
		})
		return nil
	}
	s.mu.Lock()
	known := s.bound || s.binding
	s.mu.Unlock()
	if known {
		s.count("ignored")
		return nil
	}
	p, err := s.host.auth.Authenticate(m.Token)
	if err != nil {
		s.host.metrics.AuthFailures.Inc()
		s.send(&wire.AuthFail{Error: "Authentication failed", Code: int64(wire.CodeAuthFailed.Number())})
		return &service.CloseError{Code: wire.CloseUnauthorized}
	}
	s.bind(p, m.DeviceToken, func(d service.Device) wire.Message {
		return &wire.AuthAck{UserID: p.ID, DeviceID: d.ID, DeviceToken: d.Token}
	})
	return nil
}

// hello answers DEVICE_HELLO, which means something only without authentication.
func (s *Session) hello(m *wire.DeviceHello) error {
	if s.host.auth.Required() {
		s.count("unauthenticated")
		return nil
	}
	s.bind(policy.Principal{}, m.DeviceToken, func(d service.Device) wire.Message {
		return &wire.DeviceAck{DeviceID: d.ID, DeviceToken: d.Token}
	})
	return nil
}

// isBinding reports whether the device is being looked up. Nothing else is
// answered meanwhile, not even a frame that is refused.
func (s *Session) isBinding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.binding
}

// bind finds the session's device and then answers. Frames that come meanwhile
// wait, so the answer is the first thing that the client hears.
func (s *Session) bind(p policy.Principal, token string, answer func(service.Device) wire.Message) {
	s.mu.Lock()
	if s.bound || s.binding {
		s.mu.Unlock()
		s.count("ignored")
		return
	}
	s.binding = true
	s.mu.Unlock()
	s.host.auth.Device(p.ID, token, func(d service.Device) {
		s.mu.Lock()
		s.binding, s.bound = false, true
		if s.gone {
			s.mu.Unlock()
			return
		}
		if s.caller == nil {
			s.become(p, d.ID)
		}
		s.mu.Unlock()
		s.send(answer(d))
		s.bell.Ring()
	})
}
