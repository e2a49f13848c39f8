package topgun_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// script is a server that says what a test tells it to.
type script struct {
	t     *testing.T
	url   string
	conns chan *scripted
	end   func() // hangs up on everybody
}

// scripted is one connection of a script.
type scripted struct {
	t    *testing.T
	conn *websocket.Conn
	done chan struct{}
}

func startScript(t *testing.T) *script {
	t.Helper()
	s := &script{t: t, conns: make(chan *scripted, 10)}
	quit := make(chan struct{})
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		conn.SetReadLimit(2 << 20) // as the server's
		c := &scripted{t: t, conn: conn, done: make(chan struct{})}
		s.conns <- c
		select {
		case <-c.done:
		case <-quit:
		}
		_ = conn.CloseNow()
	}))
	s.end = sync.OnceFunc(func() { close(quit) })
	t.Cleanup(func() { s.end(); h.Close() })
	s.url = "ws" + strings.TrimPrefix(h.URL, "http")
	return s
}

// meet starts a client and returns it with its first connection, welcomed.
func (s *script) meet(opts ...topgun.Option) (*topgun.Client, *scripted) {
	s.t.Helper()
	c := connect(s.t, s.url, append(opts, topgun.StartOffline())...)
	s.t.Cleanup(s.end) // before the client says goodbye, which nobody would answer
	conn := s.accept()
	conn.welcome()
	return c, conn
}

func (s *script) accept() *scripted {
	s.t.Helper()
	select {
	case c := <-s.conns:
		return c
	case <-within(s.t).Done():
		s.t.Fatal("nobody connects")
		return nil
	}
}

// welcome answers the introduction and returns it.
func (c *scripted) welcome() *wire.DeviceHello {
	c.t.Helper()
	hello := want[*wire.DeviceHello](c)
	c.send(&wire.DeviceAck{DeviceID: "d", DeviceToken: "d.secret"})
	return hello
}

func (c *scripted) send(m wire.Message) {
	c.t.Helper()
	if err := c.conn.Write(within(c.t), websocket.MessageBinary, wire.Append(nil, m)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *scripted) next() wire.Message {
	c.t.Helper()
	_, frame, err := c.conn.Read(within(c.t))
	if err != nil {
		c.t.Fatalf("the client is gone: %v", err)
	}
	m, err := wire.Decode(frame, wire.Limits{})
	if err != nil {
		c.t.Fatalf("the client sends what is no message: %v", err)
	}
	return m
}

// want reads the next message, which has to be of type M. A PING may come at any
// time on a slow machine, and a client that hears nothing would give up.
func want[M wire.Message](c *scripted) M {
	c.t.Helper()
	for {
		got := c.next()
		if m, ok := got.(M); ok {
			return m
		}
		ping, ok := got.(*wire.Ping)
		if !ok {
			c.t.Fatalf("the client sends %T %+v", got, got)
		}
		c.send(&wire.Pong{Timestamp: ping.Timestamp})
	}
}

// hangUp ends the connection.
func (c *scripted) hangUp() { close(c.done) }

// ids lists the operations of a batch.
func ids(m *wire.OpBatch) string {
	var out []string
	for _, o := range m.Ops {
		out = append(out, o.ID)
	}
	return fmt.Sprint(out)
}

// background is a context that ends with the test.
func background(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}
