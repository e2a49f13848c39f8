package ws

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

func TestMessagesOfEverySizeComeBackWhole(t *testing.T) {
	const limit = 1 << 20
	n := start(t, &sessions{handle: echo}, Options{MaxMessageBytes: limit})
	c := n.dial()
	for _, size := range []int{
		0, 1, 125, 126, 127, quietBuffer - 6, quietBuffer, quietBuffer + 1, directRead, copyBelow * 3,
		busyBuffer - 1, busyBuffer, firstPiece + 1, 1<<16 - 1, 1 << 16, batchBytes + 1, limit - 1, limit,
	} {
		sent := bytes.Repeat([]byte("0123456789abcdefg"), size/17+1)[:size]
		if err := c.Write(t.Context(), websocket.MessageBinary, sent); err != nil {
			t.Fatal(err)
		}
		kind, got, err := c.Read(t.Context())
		if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes came back as %d bytes of %v: %v", size, len(got), kind, err)
		}
	}
}

func TestPipelinedMessagesKeepTheirOrder(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	r := n.raw()
	const count = 5000
	go func() {
		var b []byte
		for i := range count {
			b = append(b, clientFrame(true, opBinary, numbered(0, i)+strings.Repeat("x", i%700))...)
			if len(b) > 30_000 {
				_, _ = r.net.Write(b)
				b = b[:0]
			}
		}
		_, _ = r.net.Write(b)
	}()
	for i := range count {
		r.expect(opBinary, numbered(0, i)+strings.Repeat("x", i%700))
	}
}

func TestFragmentsAreOneMessage(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	r := n.raw()
	r.write(clientFrame(false, opBinary, "hel"))
	r.write(clientFrame(true, opPing, "are you there?"))
	r.expect(opPong, "are you there?")
	r.write(clientFrame(false, opContinue, ""))
	r.write(clientFrame(false, opContinue, "lo "))
	r.write(clientFrame(true, opPong, "unasked"))
	r.write(clientFrame(true, opContinue, strings.Repeat("w", 70_000)))
	r.expect(opBinary, "hello "+strings.Repeat("w", 70_000))
	r.write(clientFrame(true, opBinary, "next"))
	r.expect(opBinary, "next")
}

func TestBytesSentWithTheUpgradeAreRead(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	long := strings.Repeat("l", 3000) // more than the connection's own buffer
	n.raw(clientFrame(true, opBinary, "eager")...).expect(opBinary, "eager")
	n.raw(clientFrame(true, opBinary, long)...).expect(opBinary, long)
}

func TestTextIsCountedAndIgnored(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{MaxMessageBytes: 100_000})
	r := n.raw()
	r.write(clientFrame(true, opText, `{"type":"PING"}`))
	r.write(clientFrame(false, opText, strings.Repeat("t", 50_000)))
	r.write(clientFrame(true, opContinue, strings.Repeat("t", 50_000)))
	r.write(clientFrame(true, opText, ""))
	r.write(clientFrame(true, opBinary, "b"))
	r.expect(opBinary, "b")
	if got := metric(n.srv.metrics.ignoredText); got != 3 {
		t.Errorf("%d text messages counted, want 3", got)
	}
	r.write(clientFrame(false, opText, strings.Repeat("t", 99_999)))
	r.write(clientFrame(true, opContinue, "tt"))
	r.expectClose(1009)
}

func TestTooBigIs1009(t *testing.T) {
	for name, frames := range map[string][]byte{
		"one frame":                       clientFrame(true, opBinary, strings.Repeat("x", 1001)),
		"a declared length of 2^63-1":     {0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4},
		"fragments together":              append(clientFrame(false, opBinary, strings.Repeat("x", 1000)), clientFrame(true, opContinue, "y")...),
		"one frame after a whole message": append(clientFrame(true, opBinary, strings.Repeat("x", 1000)), clientFrame(true, opBinary, strings.Repeat("x", 1001))...),
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &sessions{handle: echo}, Options{MaxMessageBytes: 1000})
			r := n.raw()
			s := n.session()
			r.write(frames)
			r.expectClose(1009)
			_ = r.net.Close()
			await(t, s.gone, "end of the session")
			if got := metric(n.srv.metrics.closes.WithLabelValues(byServer, "1009")); got != 1 {
				t.Errorf("%d closes counted, want 1", got)
			}
		})
	}
}

func TestProtocolViolationsAre1002(t *testing.T) {
	for name, frames := range map[string][]byte{
		"unmasked":                        {0x82, 0x01, 'x'},
		"reserved bit":                    {0xc2, 0x80, 1, 2, 3, 4},
		"unknown data opcode":             {0x83, 0x80, 1, 2, 3, 4},
		"unknown control opcode":          {0x8b, 0x80, 1, 2, 3, 4},
		"fragmented ping":                 clientFrame(false, opPing, "x"),
		"long ping":                       clientFrame(true, opPing, strings.Repeat("x", 126)),
		"continuation without beginning":  clientFrame(true, opContinue, "x"),
		"beginning inside a message":      append(clientFrame(false, opBinary, "x"), clientFrame(true, opBinary, "x")...),
		"text inside a message":           append(clientFrame(false, opBinary, "x"), clientFrame(false, opText, "x")...),
		"length with the highest bit set": {0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4},
		"close of one byte":               clientFrame(true, opClose, "x"),
		"close with code 1005":            clientFrame(true, opClose, closePayload(1005, "")),
		"close with code 2999":            clientFrame(true, opClose, closePayload(2999, "")),
		"close with a broken reason":      clientFrame(true, opClose, closePayload(1000, "\xff")),
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, &sessions{handle: echo}, Options{})
			r := n.raw()
			s := n.session()
			r.write(clientFrame(true, opBinary, "before"))
			r.expect(opBinary, "before")
			r.write(frames)
			if reason := r.expectClose(1002); reason == "" {
				t.Error("no reason given")
			}
			_ = r.net.Close()
			await(t, s.gone, "end of the session")
		})
	}
}

func TestPeerCloseIsAnsweredWithItsCode(t *testing.T) {
	for code, payload := range map[int]string{
		1000: closePayload(1000, "bye"), 1001: closePayload(1001, ""), 4999: closePayload(4999, ""), 1005: "",
	} {
		n := start(t, &sessions{handle: echo}, Options{})
		r := n.raw()
		s := n.session()
		r.write(clientFrame(true, opClose, payload))
		r.expectClose(code)
		await(t, s.gone, "end of the session")
	}
}

func TestSessionCloseFollowsWhatItSaidBefore(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	r := n.raw()
	s := n.session()
	long := strings.Repeat("ä", 100)
	s.send(service.Frame{Head: []byte("you "), Body: []byte("are out")})
	s.end(&service.CloseError{Code: wire.CloseUnauthorized, Reason: long})
	r.expect(opBinary, "you are out")
	if reason := r.expectClose(4001); reason != long[:122] {
		t.Errorf("reason %q, want the beginning of the given one in whole characters", reason)
	}
	_ = r.net.Close()
	await(t, s.gone, "end of the session")
}

func TestSessionCloseFreesAHandleThatWaits(t *testing.T) {
	inside := make(chan struct{})
	n := start(t, &sessions{handle: func(ctx context.Context, _ *testSession, _ []byte) error {
		close(inside)
		<-ctx.Done()
		return ctx.Err()
	}}, Options{})
	r := n.raw()
	s := n.session()
	r.write(clientFrame(true, opBinary, "x"))
	await(t, inside, "Handle")
	s.end(&service.CloseError{Code: wire.CloseHeartbeatTimeout})
	r.expectClose(4002)
	_ = r.net.Close()
	await(t, s.gone, "end of the session")
}

func TestHandleErrorClosesAfterTheOutbox(t *testing.T) {
	for code, fail := range map[int]error{
		4000: &service.CloseError{Code: wire.CloseRejected},
		1011: errors.New("something broke"),
	} {
		n := start(t, &sessions{handle: func(_ context.Context, s *testSession, _ []byte) error {
			for range 100 {
				s.send(service.Frame{Body: []byte("last words")})
			}
			return fail
		}}, Options{})
		r := n.raw()
		s := n.session()
		r.write(clientFrame(true, opBinary, "x"))
		for range 100 {
			r.expect(opBinary, "last words")
		}
		r.expectClose(code)
		_ = r.net.Close()
		await(t, s.gone, "end of the session")
	}
}

func TestCloseLetsThePeerFinishItsSentence(t *testing.T) {
	n := start(t, &sessions{handle: func(context.Context, *testSession, []byte) error {
		return &service.CloseError{Code: wire.CloseTryAgainLater}
	}}, Options{CloseTimeout: patience})
	r := n.raw()
	s := n.session()
	r.write(clientFrame(true, opBinary, "x"))
	r.expectClose(1013)
	for range 100 { // a socket closed with unread bytes would be reset
		r.write(make([]byte, 100_000))
	}
	_ = r.net.Close()
	await(t, s.gone, "end of the session")
}

func TestRefusedSessionIsClosedWithItsReason(t *testing.T) {
	for code, refuse := range map[int]error{
		1013: &service.CloseError{Code: wire.CloseTryAgainLater, Reason: "full"},
		1011: errors.New("something broke"),
	} {
		n := start(t, &sessions{handle: echo, refuse: refuse}, Options{})
		n.raw().expectClose(code)
	}
}

func TestGreetingFromWithinOpenComesFirst(t *testing.T) {
	n := start(t, &sessions{handle: echo, greet: func(s *testSession) {
		s.send(service.Frame{Body: []byte("AUTH_REQUIRED")})
	}}, Options{})
	r := n.raw(clientFrame(true, opBinary, "eager")...)
	r.expect(opBinary, "AUTH_REQUIRED")
	r.expect(opBinary, "eager")
}

func TestVanishedPeerEndsTheSession(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	for _, rude := range []int{-1, 0} { // with an orderly end of the stream, with a reset
		r := n.raw(0x82) // in the middle of a frame
		s := n.session()
		_ = r.net.SetLinger(rude)
		_ = r.net.Close()
		await(t, s.gone, "end of the session")
		s.notify() // must not do anything
	}
	if got := metric(n.srv.metrics.closes.WithLabelValues(byLoss, "1006")); got != 2 {
		t.Errorf("%d losses counted, want 2", got)
	}
}

func TestPingsAreAnsweredWithTheLatest(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	r := n.raw()
	var flood []byte
	for range 1000 {
		flood = append(flood, clientFrame(true, opPing, "old")...)
	}
	r.write(append(flood, clientFrame(true, opPing, "new")...))
	for {
		f, err := r.read()
		if err != nil || f.op != opPong {
			t.Fatalf("got %v, %v", f, err)
		}
		if string(f.payload) == "new" {
			return
		}
	}
}
