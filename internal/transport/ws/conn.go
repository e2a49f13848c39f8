package ws

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// conn is one upgraded connection. Its reader runs serve from the upgrade to
// the end; writers come and go (writer.go).
type conn struct {
	srv     *Server
	net     net.Conn
	session transport.Session // set before the first writer; nil if refused
	cancel  context.CancelFunc
	in      reader

	stopping atomic.Bool    // the server stops: no further Handle
	writers  sync.WaitGroup // the running writer, if any
	now      *attempt       // the writer's

	mu      sync.Mutex
	busy    bool                // a writer runs, or the session is being opened
	again   bool                // something to send turned up since the writer looked
	over    bool                // the close frame is sent or the socket is dead
	hasPong bool                // pong is owed
	mute    bool                // the outbox is not to be sent any more
	closing *service.CloseError // the end that the transport wants
	closeBy time.Time           // when an orderly close must be through; zero: none wanted
	ended   ending              // how over came about
	pong    []byte              // payload of the last ping

	armed time.Time // when the write deadline was set; the writer's
}

// ending says how a connection ended, for the metrics and the log.
type ending struct {
	by   string
	code wire.CloseCode
}

// Who ended a connection.
const (
	byServer  = "server"  // our close frame came first
	byPeer    = "peer"    // the peer's close frame came first
	byLoss    = "loss"    // the socket ended without one
	byStall   = "stall"   // the peer did not take what it was sent
	byTimeout = "timeout" // an orderly close did not get through in time
)

// serve is the reader: it opens the session, feeds it, and takes the
// connection down. answer is the HTTP response of the upgrade.
func (c *conn) serve(ctx context.Context, answer []byte, peer transport.Peer) {
	err := c.open(answer, peer)
	if err == nil {
		err = c.feed(ctx)
	}
	c.end(ctx, err)
	c.cut(ending{by: byLoss, code: closeAbnormal}) // if nobody did
	c.writers.Wait()
	c.in.in.release()
	c.srv.count(c)
	if c.session != nil {
		c.session.Closed()
	}
	c.srv.remove(c)
}

// open completes the upgrade and opens the session, in this order, so that a
// session exists only for a connection that does.
func (c *conn) open(answer []byte, peer transport.Peer) error {
	if err := c.net.SetWriteDeadline(c.srv.clk.Now().Add(c.srv.opt.HandshakeTimeout)); err != nil {
		return err
	}
	if _, err := c.net.Write(answer); err != nil {
		return err
	}
	session, err := c.srv.sessions.Open(peer, c.notify)
	if err != nil {
		c.opened(false)
		return c.closeErrorOf("open session", err)
	}
	c.session = session
	c.opened(true)
	return nil
}

// feed hands messages to the session until something ends that.
func (c *conn) feed(ctx context.Context) error {
	for {
		e, err := c.in.next()
		if err != nil {
			return err
		}
		if err := c.take(ctx, e); err != nil {
			return err
		}
	}
}

// take deals with one event. Nothing is handled once the close frame is sent.
func (c *conn) take(ctx context.Context, e event) error {
	m := c.srv.metrics
	switch e.op {
	case opBinary:
		m.receivedMessages.Inc()
		m.receivedBytes.Add(float64(len(e.payload)))
		if c.stopping.Load() || isOver(ctx) {
			return nil
		}
		if err := c.session.Handle(ctx, e.payload); err != nil && !isOver(ctx) {
			return c.closeErrorOf("handle message", err)
		}
	case opText:
		m.ignoredText.Inc()
	case opPing:
		c.owePong(e.payload)
	case opClose:
		code, err := parseClose(e.payload)
		if err != nil {
			return err
		}
		return peerClosedError{code}
	}
	return nil
}

// isOver reports whether ctx, a connection's, has ended: there is nobody to
// tell about errors any more.
func isOver(ctx context.Context) bool { return ctx.Err() != nil }

// end brings the connection from err, which ended the feeding, to the point
// where nothing can be said or heard any more.
func (c *conn) end(ctx context.Context, err error) {
	var closeErr *service.CloseError
	var peer peerClosedError
	switch {
	case errors.As(err, &peer):
		c.requestClose(&service.CloseError{Code: peer.code}, byPeer)
	case errors.As(err, &closeErr):
		c.requestClose(closeErr, byServer)
	case isOver(ctx): // the writer ended it, and the peer has gone since
		return
	case c.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded):
		c.stop()
	default:
		return
	}
	<-ctx.Done()
	if peer.code == 0 {
		c.linger()
	}
}

// stop asks for the end of a connection whose server stops.
func (c *conn) stop() {
	away := &service.CloseError{Code: wire.CloseGoingAway}
	if d, ok := c.session.(transport.Drainer); ok {
		d.Drain(away)
		return
	}
	c.requestClose(away, byServer)
}

// linger reads on after our close frame, until the peer hangs up or the read
// deadline that the writer has set: a socket closed with unread bytes would
// take back what was sent last.
func (c *conn) linger() {
	for {
		if _, err := c.net.Read(c.in.in.quiet); err != nil {
			return
		}
	}
}

// halt makes the reader stop at the next message boundary, from outside.
func (c *conn) halt(now time.Time) {
	c.stopping.Store(true)
	_ = c.net.SetReadDeadline(now) // a dead socket has stopped already
}

// closeErrorOf is what a session's error means for the connection.
func (c *conn) closeErrorOf(doing string, err error) *service.CloseError {
	var closeErr *service.CloseError
	if errors.As(err, &closeErr) {
		return closeErr
	}
	c.srv.log.Error("connection ends for an internal error",
		slog.String("doing", doing), slog.Any("error", err), slog.String("remote", c.net.RemoteAddr().String()))
	return &service.CloseError{Code: wire.CloseInternalError}
}

// peerClosedError is the end of a connection whose peer sent a close frame.
type peerClosedError struct{ code wire.CloseCode }

// Error makes it an error, for feed only.
func (p peerClosedError) Error() string { return "closed by the peer" }
