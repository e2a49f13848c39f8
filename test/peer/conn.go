package peer

import (
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// maxFrame bounds what a server may send to a test.
const maxFrame = 64 << 20

// Conn is a connection to a server.
type Conn struct {
	ws *websocket.Conn
}

// Options say how a Conn is made. The zero value is an ordinary one.
type Options struct {
	// Header is sent with the upgrade, and Host in place of the address.
	Header http.Header
	Host   string
}

// Dial connects to a port of this machine.
func Dial(ctx context.Context, port string, opt Options) (*Conn, error) {
	ws, resp, err := websocket.Dial(ctx, "ws://127.0.0.1:"+port+"/ws", &websocket.DialOptions{
		HTTPHeader: opt.Header, Host: opt.Host,
	})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close() // the connection has left HTTP behind
	}
	if err != nil {
		return nil, fmt.Errorf("dial the server: %w", err)
	}
	ws.SetReadLimit(maxFrame)
	return &Conn{ws}, nil
}

// Write sends one message of bytes, whatever they are.
func (c *Conn) Write(ctx context.Context, frame []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, frame)
}

// WriteText sends a text message, which no client of TopGun does.
func (c *Conn) WriteText(ctx context.Context, text string) error {
	return c.ws.Write(ctx, websocket.MessageText, []byte(text))
}

// Send sends messages, each as a frame of its own.
func (c *Conn) Send(ctx context.Context, messages ...wire.Message) error {
	for _, m := range messages {
		if err := c.Write(ctx, wire.Append(nil, m)); err != nil {
			return err
		}
	}
	return nil
}

// Read returns the next message. After the server has closed the connection the
// error holds the close code; see CloseOf.
func (c *Conn) Read(ctx context.Context) (wire.Message, error) {
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	return wire.Decode(b, wire.Limits{FrameBytes: maxFrame, Ops: 1 << 20, Items: 1 << 20})
}

// Drop ends the connection without saying so.
func (c *Conn) Drop() { _ = c.ws.CloseNow() }

// CloseOf is the close code that an error of Read holds; ok is false when the
// connection was lost without one.
func CloseOf(err error) (code wire.CloseCode, ok bool) {
	status := websocket.CloseStatus(err)
	return wire.CloseCode(status), status >= 0
}
