package transport

import (
	"context"
	"net/netip"

	"github.com/topgunbuild/topgun-go/internal/service"
)

// Peer says who is at the other end of a connection. Everything but Remote is
// what the peer claims.
type Peer struct {
	// Remote is the address of the socket's other end, IPv4 in its own form.
	Remote netip.AddrPort

	// Transport names how it is connected: "ws".
	Transport string

	// Host, Origin and UserAgent are the request headers of that name, cut to
	// 256 bytes; empty when absent.
	Host, Origin, UserAgent string
}

// Sessions opens the session of a new connection.
type Sessions interface {
	// Open returns the session of the connection from p. An error refuses the
	// connection: a *service.CloseError with its code and reason, any other with
	// wire.CloseInternalError. Closed is not called for a refused connection.
	//
	// The session calls notify when its outbox turned non-empty or when it wants
	// to be closed. It may do so from any goroutine, during Open too, and while
	// holding locks that Take needs: notify does not block and does not call
	// back. After Closed it does nothing.
	Open(p Peer, notify func()) (Session, error)
}

// Session is the connection's counterpart above the transport.
type Session interface {
	// Handle takes the next message. The connection's reader calls it, one
	// message after the other in the order of arrival, and reads no further
	// before it returns: blocking is the backpressure. The memory of frame
	// belongs to the session from here on. ctx ends when nothing can be sent to
	// the peer any more.
	//
	// An error ends the connection after the outbox is written: a *service.CloseError
	// with its code and reason, any other with wire.CloseInternalError.
	Handle(ctx context.Context, frame []byte) error

	// Take moves frames from the outbox to dst, which it extends and returns: at
	// least one if there is any, and no more once they make maxBytes together.
	// One writer at a time calls it. The frames are valid until the next call.
	//
	// A non-nil why asks for the end of the connection. It takes effect when
	// Take returns it without frames, so that what was said before it is sent.
	Take(dst []service.Frame, maxBytes int) (frames []service.Frame, why *service.CloseError)

	// Closed is called exactly once: the socket is gone, and neither Handle nor
	// Take is running or will be called again.
	Closed()
}

// Drainer is what a Session may also be. Only a session that returns from Take
// with a close eventually, whatever its peer does, may claim it.
type Drainer interface {
	// Drain is called when the server stops, after the last Handle, by the same
	// goroutine. The session answers what it was already given and then returns
	// c from Take. A session that is no Drainer is closed with c as soon as its
	// outbox is empty.
	Drain(c *service.CloseError)
}
