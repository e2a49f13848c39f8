// Package floor is the least that a server of the protocol can do: it finds the
// id of the last operation of a frame and acknowledges it. Asked to, it also
// tells every subscriber of each frame, whatever the subscriber had asked, with
// an update of the size of a real one that has the subscriber's own id. It
// stands on the sockets of the real server, so that what is measured against it
// is all the rest.
package floor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/transport"
	"github.com/topgunbuild/topgun-go/internal/transport/ws"
)

// Run serves on a free port of this machine until ctx ends. It writes
// PORT=<number> to stdout once clients can connect. work is what it does: the
// level that its acknowledgements claim and, behind a comma, the size of the
// values that it tells subscribers of.
func Run(ctx context.Context, clk clock.Clock, work string, stdout, stderr io.Writer) error {
	level, size, tells := strings.Cut(work, ",")
	hosts := sessions{level: wire.WriteConcern(level)}
	if tells {
		n, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("floor: the size of values: %w", err)
		}
		hosts.audience = newAudience(n)
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	listeners, err := transport.Listen(ctx, "localhost", 0)
	if err != nil {
		return err
	}
	sockets, err := ws.New(hosts, clk, logger, ws.NewMetrics(prometheus.NewRegistry()), ws.Options{})
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
type sessions struct {
	level    wire.WriteConcern
	audience *audience // nil: nobody is told
}

// Open implements transport.Sessions.
func (s sessions) Open(_ transport.Peer, notify func()) (transport.Session, error) {
	return &session{level: s.level, audience: s.audience, notify: notify}, nil
}

// session acknowledges what it is given. Its memory is used again and again:
// the acknowledgements that Take hands out are valid until the next Take, so two
// buffers are enough.
type session struct {
	level    wire.WriteConcern
	audience *audience
	notify   func()
	head     []byte // of the updates that it is sent

	mu    sync.Mutex
	acks  []byte // encoded, one after the other
	ends  []int  // where each ends in acks
	given []byte // the buffer that Take handed out last
	told  []service.Frame
}

// Handle implements transport.Session.
func (s *session) Handle(_ context.Context, frame []byte) error {
	id, ok := wire.ReadLastOpID(frame)
	if !ok {
		if s.audience != nil {
			s.audience.join(s, frame)
		}
		return nil
	}
	if s.audience != nil {
		s.audience.tell()
	}
	s.mu.Lock()
	s.acks = wire.AppendOpAck(s.acks, string(id), s.level, nil)
	s.ends = append(s.ends, len(s.acks))
	first := len(s.ends) == 1 && len(s.told) == 0
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
	dst = append(dst, s.told...)
	clear(s.told)
	s.told = s.told[:0]
	return dst, nil
}

// send queues a frame.
func (s *session) send(f service.Frame) {
	s.mu.Lock()
	s.told = append(s.told, f)
	first := len(s.told) == 1 && len(s.ends) == 0
	s.mu.Unlock()
	if first {
		s.notify()
	}
}

// Closed implements transport.Session.
func (s *session) Closed() {
	if s.audience != nil {
		s.audience.leave(s)
	}
}
