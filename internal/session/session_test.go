package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// batchOf is an OP_BATCH of n operations.
func batchOf(n int) *wire.OpBatch { return &wire.OpBatch{Ops: make([]wire.ClientOp, n)} }

// TestWaitingClientIsReassured: while a session waits for a service, its client
// gets the last PONG again every five seconds, though its PINGs are not read.
func TestWaitingClientIsReassured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		s := w.open()
		w.service.busy = true
		ended := w.handle(t.Context(), s, &wire.Ping{Timestamp: 7}, &wire.TopicPub{Topic: "t"}, &wire.Ping{Timestamp: 8})
		synctest.Wait()
		w.expect(s, "[PONG 7]")
		for range 5 {
			time.Sleep(5*time.Second - time.Millisecond)
			synctest.Wait()
			w.expect(s, "[]")
			time.Sleep(time.Millisecond)
			synctest.Wait()
			w.expect(s, "[PONG 7]")
		}
		w.host.Sweep()
		if closed(s) != 0 {
			t.Error("a session that waits was taken for silent")
		}
		w.service.free()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.expect(s, "[TOPIC_MESSAGE PONG 8]")
	})
}

// TestClientBeyondItsShareIsReassured: the same while it waits for its share of
// operations, and it waits exactly as long as that takes.
func TestClientBeyondItsShareIsReassured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{OpsPerSecond: 2, Burst: 25})
		s := w.open()
		begin := time.Now()
		if err := <-w.handle(t.Context(), s, &wire.Ping{Timestamp: 7}, batchOf(24)); err != nil || !time.Now().Equal(begin) {
			t.Fatalf("the burst took %v (%v)", time.Since(begin), err)
		}
		w.expect(s, "[PONG 7]")
		if err := <-w.handle(t.Context(), s, batchOf(24)); err != nil || time.Since(begin) != 12*time.Second {
			t.Errorf("24 operations at 2 a second took %v (%v)", time.Since(begin), err)
		}
		w.expect(s, "[PONG 7 PONG 7]")
		if err := <-w.handle(t.Context(), s, batchOf(26)); err != nil || time.Since(begin) != 12*time.Second {
			t.Errorf("a frame beyond the burst took %v (%v)", time.Since(begin), err)
		}
		w.expect(s, "[ERROR]")
	})
}

// TestClientThatNeverPingedIsNotPonged: there is nothing to repeat.
func TestClientThatNeverPingedIsNotPonged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		s := w.open()
		w.service.busy = true
		ended := w.handle(t.Context(), s, &wire.TopicPub{Topic: "t"})
		time.Sleep(time.Minute)
		synctest.Wait()
		w.service.free()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.expect(s, "[TOPIC_MESSAGE]")
	})
}

// TestEndOfTheConnectionFreesAHandle, whatever it waits for.
func TestEndOfTheConnectionFreesAHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{OpsPerSecond: 1, Burst: 10})
		for name, messages := range map[string][]wire.Message{
			"the service": {&wire.TopicPub{Topic: "t"}},
			"its share":   {&wire.Ping{}, batchOf(10)},
			"its device":  {&wire.DeviceHello{}, &wire.Ping{}},
		} {
			w.service.busy, w.gate.slow = name == "the service", name == "its device"
			s := w.open()
			ctx, cancel := context.WithCancel(t.Context())
			ended := w.handle(ctx, s, messages...)
			synctest.Wait()
			if len(ended) > 0 {
				t.Fatalf("it does not wait for %s", name)
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("waiting for %s ends with %v", name, err)
			}
			s.Closed()
		}
		if w.service.left != 2 { // the third was nobody yet
			t.Errorf("%d callers have left", w.service.left)
		}
		w.gate.release() // for a session that is gone
	})
}

// TestSilentSessionsAreClosed: after the idle timeout with 1000, but not before,
// and whatever was said counts.
func TestSilentSessionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{IdleTimeout: 10 * time.Second})
		silent, talking := w.open(), w.open()
		for range 10 {
			time.Sleep(time.Second)
			w.host.Sweep()
			if err := talking.Handle(t.Context(), []byte{0xc1}); err != nil {
				t.Fatal(err)
			}
		}
		if closed(silent) != 0 {
			t.Error("closed after 10 s of 10 s")
		}
		time.Sleep(time.Second)
		w.host.Sweep()
		if closed(silent) != wire.CloseNormal || closed(talking) != 0 {
			t.Errorf("closed with %d and %d", closed(silent), closed(talking))
		}
	})
}

// TestLateHandshakesAreClosed with 4004; also when the client keeps talking.
func TestLateHandshakesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{HandshakeTimeout: 10 * time.Second})
		w.gate.required = true
		late, in := w.open(), w.open()
		if err := in.Handle(t.Context(), wire.Append(nil, &wire.Auth{Token: "good"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		if err := late.Handle(t.Context(), wire.Append(nil, &wire.Ping{})); err != nil {
			t.Fatal(err)
		}
		w.host.Sweep()
		if closed(late) != wire.CloseHandshakeTimeout || closed(in) != 0 {
			t.Errorf("closed with %d and %d", closed(late), closed(in))
		}
		w.expect(late, "[AUTH_REQUIRED]")
		w.expect(in, "[AUTH_REQUIRED AUTH_ACK]")
	})
}

// TestDeviceIsToldBeforeEverythingElse: what comes while it is looked up waits.
func TestDeviceIsToldBeforeEverythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.gate.slow = true
		s := w.open()
		ended := w.handle(t.Context(), s, &wire.DeviceHello{}, &wire.DeviceHello{}, &wire.TopicPub{Topic: "t"}, &wire.Ping{Timestamp: 1})
		synctest.Wait()
		w.expect(s, "[]")
		if busy, err := s.Try([]byte{0xc1}); !busy || err != nil {
			t.Errorf("a bad frame is answered meanwhile: %v", err)
		}
		w.gate.release()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.expect(s, "[DEVICE_ACK TOPIC_MESSAGE PONG 1]")
	})
}

// TestRefusedTokenEndsTheSession after saying so.
func TestRefusedTokenEndsTheSession(t *testing.T) {
	w := newWorld(t, Options{})
	w.gate.required = true
	s := w.open()
	err := s.Handle(t.Context(), wire.Append(nil, &wire.Auth{Token: "bad"}))
	var end *service.CloseError
	if !errors.As(err, &end) || end.Code != wire.CloseUnauthorized {
		t.Errorf("it ends with %v", err)
	}
	w.expect(s, "[AUTH_REQUIRED AUTH_FAIL]")
}

// TestDrainWaitsForAnswers: a session that is to end is closed when everything
// under way is answered, and at once when nothing is.
func TestDrainWaitsForAnswers(t *testing.T) {
	w := newWorld(t, Options{})
	stop := &service.CloseError{Code: wire.CloseGoingAway}
	fresh, idle, busy := w.open(), w.open(), w.open()
	for _, s := range []*Session{idle, busy} {
		if err := s.Handle(t.Context(), wire.Append(nil, &wire.Ping{})); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := busy.Handle(t.Context(), wire.Append(nil, batchOf(1))); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*Session{fresh, idle, busy} {
		s.Drain(stop)
	}
	if closed(fresh) != stop.Code || closed(idle) != stop.Code || closed(busy) != 0 {
		t.Errorf("closed with %d, %d and %d", closed(fresh), closed(idle), closed(busy))
	}
	ack := func(id string) service.Frame {
		return service.Frame{Head: wire.AppendOpAck(nil, id, wire.Persisted, nil)}
	}
	w.service.tickets[1].Resolve(ack("2"))
	if closed(busy) != 0 {
		t.Error("closed before everything is answered")
	}
	w.service.tickets[0].Resolve(ack("1"))
	if closed(busy) != stop.Code {
		t.Errorf("closed with %d", closed(busy))
	}
	w.expect(busy, "[PONG 0 OP_ACK OP_ACK]")
}
