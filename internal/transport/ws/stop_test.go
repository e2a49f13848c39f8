package ws

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

func TestStopSendsTheOutboxAndThen1001(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	r := n.raw()
	s := n.session()
	big := string(make([]byte, 3<<20)) // more than the socket takes at once
	s.send(service.Frame{Body: []byte(big)})
	s.send(service.Frame{Body: []byte("goodbye")})
	n.stop()
	r.expect(opBinary, big)
	r.expect(opBinary, "goodbye")
	if reason := r.expectClose(1001); reason != wire.CloseGoingAway.Reason() {
		t.Errorf("reason %q", reason)
	}
	_ = r.net.Close()
	await(t, n.ended, "the server's end")
	await(t, s.gone, "end of the session")
	if c, err := net.Dial("tcp", n.addr); err == nil {
		_ = c.Close()
		t.Error("a stopped server accepts connections")
	}
}

func TestStopWaitsForTheHandleThatRuns(t *testing.T) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	n := start(t, &sessions{handle: func(_ context.Context, s *testSession, frame []byte) error {
		if string(frame) != "first" {
			t.Errorf("message %q is handled during a stop", frame)
		}
		close(inside)
		<-goOn
		s.send(service.Frame{Body: []byte("done")})
		return nil
	}}, Options{})
	r := n.raw()
	s := n.session()
	r.write(append(clientFrame(true, opBinary, "first"), clientFrame(true, opBinary, "second")...))
	await(t, inside, "Handle")
	n.stop()
	for !n.srv.isStopped() {
		r.write(clientFrame(true, opPong, "")) // anything that gives the stop time
	}
	close(goOn)
	r.expect(opBinary, "done")
	r.expectClose(1001)
	_ = r.net.Close()
	await(t, s.gone, "end of the session")
}

// isStopped reports whether a stop has begun.
func (s *Server) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// draining is a testSession that says itself when it is through.
type draining struct {
	*testSession
	asked chan *service.CloseError
}

func (d draining) Drain(why *service.CloseError) {
	if d.handling.Load() {
		d.t.Error("Drain while Handle runs")
	}
	d.asked <- why
}

func TestStopLeavesTheLastWordToADrainer(t *testing.T) {
	asked := make(chan *service.CloseError, 1)
	n := start(t, &sessions{handle: echo, wrap: func(s *testSession) transport.Session {
		return draining{s, asked}
	}}, Options{})
	r := n.raw()
	s := n.session()
	n.stop()
	why := await(t, asked, "Drain")
	s.send(service.Frame{Body: []byte("answer to an earlier request")})
	r.expect(opBinary, "answer to an earlier request")
	s.end(why)
	r.expectClose(1001)
	_ = r.net.Close()
	await(t, s.gone, "end of the session")
	await(t, n.ended, "the server's end")
}

func TestStopCutsWhatDoesNotEndInTime(t *testing.T) {
	asked := make(chan *service.CloseError, 1)
	inside := make(chan struct{})
	n := start(t, &sessions{
		handle: func(ctx context.Context, _ *testSession, _ []byte) error {
			close(inside)
			<-ctx.Done()
			return ctx.Err()
		},
		wrap: func(s *testSession) transport.Session { return draining{s, asked} },
	}, Options{})
	idle, handling := n.raw(), n.raw()
	a, b := n.session(), n.session()
	handling.write(clientFrame(true, opBinary, "x"))
	await(t, inside, "Handle")
	n.stop()
	await(t, asked, "Drain")
	n.clk.fire <- time.Now()
	await(t, a.gone, "end of the session that does not drain")
	await(t, b.gone, "end of the session that handles")
	await(t, n.ended, "the server's end")
	if _, err := idle.read(); err == nil {
		t.Error("a cut connection says something")
	}
}

func TestStoppedServerRefusesUpgrades(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	n.stop()
	await(t, n.ended, "the server's end")
	if why := n.srv.reserve(); why != stopping {
		t.Errorf("refusal %v", why)
	}
}
