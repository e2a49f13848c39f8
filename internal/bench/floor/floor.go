// Package floor is the least that a server of the protocol can do: it finds the
// id of the last operation of a frame and acknowledges it. It stands on the
// sockets of the real server, so that what is measured against it is all the rest.
package floor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/transport"
	"github.com/topgunbuild/topgun-go/internal/transport/ws"
)

// Run serves on a free port of this machine until ctx ends. It writes
// PORT=<number> to stdout once clients can connect. level is what its
// acknowledgements claim.
func Run(ctx context.Context, clk clock.Clock, level wire.WriteConcern, stdout, stderr io.Writer) error {
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	listeners, err := transport.Listen(ctx, "localhost", 0)
	if err != nil {
		return err
	}
	sockets, err := ws.New(sessions{level}, clk, logger, ws.NewMetrics(prometheus.NewRegistry()), ws.Options{})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "PORT=%d\n", listeners.Port); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", sockets)
	return transport.NewServer(mux, sockets, clk, logger, transport.ServerOptions{}).Serve(ctx, listeners.All...)
}

// sessions implements transport.Sessions.
type sessions struct{ level wire.WriteConcern }

// Open implements transport.Sessions.
func (s sessions) Open(_ transport.Peer, notify func()) (transport.Session, error) {
	return &session{level: s.level, notify: notify}, nil
}

// session acknowledges what it is given. Its memory is used again and again:
// the acknowledgements that Take hands out are valid until the next Take, so two
// buffers are enough.
type session struct {
	level  wire.WriteConcern
	notify func()

	mu    sync.Mutex
	acks  []byte // encoded, one after the other
	ends  []int  // where each ends in acks
	given []byte // the buffer that Take handed out last
}

// Handle implements transport.Session.
func (s *session) Handle(_ context.Context, frame []byte) error {
	id, ok := wire.ReadLastOpID(frame)
	if !ok {
		return nil
	}
	s.mu.Lock()
	s.acks = wire.AppendOpAck(s.acks, string(id), s.level, nil)
	s.ends = append(s.ends, len(s.acks))
	first := len(s.ends) == 1
	s.mu.Unlock()
	if first {
		s.notify()
	}
	return nil
}

// Take implements transport.Session. It may hand out more than maxBytes; the
// window of a client that is measured is far smaller.
func (s *session) Take(dst []service.Frame, _ int) ([]service.Frame, *service.CloseError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := 0
	for _, end := range s.ends {
		dst = append(dst, service.Frame{Head: s.acks[at:end:end]})
		at = end
	}
	s.acks, s.given = s.given[:0], s.acks
	s.ends = s.ends[:0]
	return dst, nil
}

// Closed implements transport.Session.
func (s *session) Closed() {}
