package ws

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/service"
)

// calls counts the calls that a server makes on its sockets.
type calls struct{ reads, writes atomic.Int64 }

// counted is a listener whose sockets are counted.
type counted struct {
	net.Listener
	calls *calls
}

func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, _ := conn.(*net.TCPConn)
	return &countedConn{tcp, c.calls}, nil
}

type countedConn struct {
	*net.TCPConn
	calls *calls
}

func (c *countedConn) Read(p []byte) (int, error) {
	c.calls.reads.Add(1)
	return c.TCPConn.Read(p)
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.calls.writes.Add(1)
	return c.TCPConn.Write(p)
}

// BenchmarkAck is the floor below every write: messages of 600 bytes, each
// answered with one of 30, over loopback with the clients in the same process.
// window is how many messages a client sends before it waits for an answer.
func BenchmarkAck(b *testing.B) {
	ack := []byte("012345678901234567890123456789")
	for _, c := range []struct{ conns, window int }{{1, 1}, {64, 1}, {64, 16}, {1000, 1}} {
		b.Run(fmt.Sprintf("conns=%d/window=%d", c.conns, c.window), func(b *testing.B) {
			var n calls
			node := start(b, &sessions{handle: func(_ context.Context, s *testSession, _ []byte) error {
				s.send(service.Frame{Head: ack})
				return nil
			}}, Options{}, func(l net.Listener) net.Listener { return counted{l, &n} })
			clients := make([]*raw, c.conns)
			for i := range clients {
				clients[i] = node.raw()
			}
			burst := []byte(strings.Repeat(string(clientFrame(true, opBinary, strings.Repeat("x", 600))), c.window))
			answers := c.window * (2 + len(ack))
			rounds := max(1, b.N/(c.conns*c.window))

			reads, writes := n.reads.Load(), n.writes.Load()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b.ResetTimer()
			var wg sync.WaitGroup
			for _, r := range clients {
				wg.Go(func() {
					_ = r.net.SetDeadline(noDeadline)
					in := make([]byte, answers)
					for range rounds {
						if _, err := r.net.Write(burst); err != nil {
							b.Error(err)
							return
						}
						if _, err := io.ReadFull(r.net, in); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			runtime.ReadMemStats(&after)
			messages := float64(rounds * c.conns * c.window)
			b.ReportMetric(messages/b.Elapsed().Seconds(), "msgs/s")
			b.ReportMetric(float64(n.reads.Load()-reads)/messages, "reads/msg")
			b.ReportMetric(float64(n.writes.Load()-writes)/messages, "writes/msg")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/messages, "allocs/msg")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/messages, "allocB/msg")
		})
	}
}

// BenchmarkPush is the fan-out of one shared message to idle subscribers.
func BenchmarkPush(b *testing.B) {
	for _, size := range []int{300, 30_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			const conns = 64
			var n calls
			node := start(b, &sessions{handle: echo}, Options{}, func(l net.Listener) net.Listener { return counted{l, &n} })
			body := make([]byte, size)
			var ss []*testSession
			var wg sync.WaitGroup
			rounds := max(1, b.N/conns)
			for range conns {
				r := node.raw()
				ss = append(ss, node.session())
				wg.Go(func() {
					_ = r.net.SetDeadline(noDeadline)
					_, _ = io.CopyN(io.Discard, r.net, int64(rounds*(4+size+10)))
				})
			}
			head := []byte("0123456789")
			writes := n.writes.Load()
			b.ReportAllocs()
			b.ResetTimer()
			for range rounds {
				for _, s := range ss {
					s.send(service.Frame{Head: head, Body: body})
				}
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(n.writes.Load()-writes)/float64(rounds*conns), "writes/msg")
		})
	}
}

// BenchmarkRead is the parser alone.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{100, 600, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			stream := &endless{b: clientFrame(true, opBinary, strings.Repeat("x", size))}
			r := reader{in: newSource(stream, nil), max: 2 << 20}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// endless repeats b.
type endless struct {
	b  []byte
	at int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	return n, nil
}
