package ws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

func TestSlowReaderIsCutAndOthersAreNot(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{StallTimeout: 200 * time.Millisecond})
	slow := n.raw()
	s := n.session()
	quick := n.raw()
	n.session()

	flood := make([]byte, 256<<10)
	more := func() { s.send(service.Frame{Body: flood}) }
	more()
	for count := 0; ; count++ {
		select {
		case <-s.gone:
			if count == 0 {
				t.Error("the other connection was not served in the meantime")
			}
			if got := metric(n.srv.metrics.writeStalls); got != 1 {
				t.Errorf("%d stalls counted, want 1", got)
			}
			quick.write(clientFrame(true, opBinary, "after"))
			quick.expect(opBinary, "after")
			_ = slow.net.Close()
			return
		default:
			more()
			m := numbered(1, count)
			quick.write(clientFrame(true, opBinary, m))
			quick.expect(opBinary, m)
		}
	}
}

func TestBlockedHandleStopsReadingAndThenResumes(t *testing.T) {
	goOn := make(chan struct{})
	var got []string
	n := start(t, &sessions{handle: func(ctx context.Context, s *testSession, frame []byte) error {
		select {
		case <-goOn:
		case <-ctx.Done():
			return ctx.Err()
		}
		got = append(got, string(frame[:strings.IndexByte(string(frame), ' ')]))
		if strings.HasPrefix(string(frame), "last ") {
			s.send(service.Frame{Body: fmt.Append(nil, len(got))})
		}
		return nil
	}}, Options{})
	r := n.raw()

	// Send until the socket takes no more: the server has stopped reading.
	filler := strings.Repeat("x", 100_000)
	sent := 0
	for pending := []byte(nil); ; {
		if len(pending) == 0 {
			pending = clientFrame(true, opBinary, numbered(0, sent)+" "+filler)
			sent++
		}
		_ = r.net.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		k, err := r.net.Write(pending)
		pending = pending[k:]
		if errors.Is(err, os.ErrDeadlineExceeded) && k == 0 {
			close(goOn)
			_ = r.net.SetWriteDeadline(time.Now().Add(patience))
			r.write(append(pending, clientFrame(true, opBinary, "last ")...))
			break
		}
		if sent > 10_000 {
			t.Fatal("a gigabyte went to a session that takes nothing")
		}
	}
	r.expect(opBinary, fmt.Sprint(sent+1))
	for i := range sent {
		if got[i] != numbered(0, i) {
			t.Fatalf("message %d is %q", i, got[i])
		}
	}
}

func TestNotifyStormLosesNothingAndKeepsOrder(t *testing.T) {
	const senders, each = 8, 3000
	n := start(t, &sessions{handle: echo}, Options{})
	r := n.raw()
	s := n.session()
	var wg sync.WaitGroup
	for who := range senders {
		wg.Go(func() {
			for i := range each {
				s.send(service.Frame{Head: []byte(numbered(who, i))})
				if i%7 == 0 {
					s.notify() // one too many is allowed
				}
			}
		})
	}
	pings := make(chan struct{})
	go func() {
		defer close(pings)
		for range 500 {
			if _, err := r.net.Write(clientFrame(true, opPing, "p")); err != nil {
				return
			}
		}
	}()
	var next [senders]int
	for range senders * each {
		f, err := r.read()
		for err == nil && f.op == opPong {
			f, err = r.read()
		}
		if err != nil {
			t.Fatal(err)
		}
		var who, i int
		if _, err := fmt.Sscanf(string(f.payload), "%d:%d", &who, &i); err != nil || i != next[who] {
			t.Fatalf("got %q, want number %d of its sender", f.payload, next[who])
		}
		next[who]++
	}
	wg.Wait()
	await(t, pings, "end of the pings")
}

// late is a session in which a message turns up right after Take has looked.
type late struct {
	*testSession
	once *sync.Once
}

func (l late) Take(dst []service.Frame, maxBytes int) ([]service.Frame, *service.CloseError) {
	dst, why := l.testSession.Take(dst, maxBytes)
	if len(dst) == 0 {
		l.once.Do(func() { l.send(service.Frame{Body: []byte("late")}) })
	}
	return dst, why
}

func TestNotifyWhileTheWriterLooksIsNotLost(t *testing.T) {
	n := start(t, &sessions{handle: echo, wrap: func(s *testSession) transport.Session { return late{s, new(sync.Once)} }}, Options{})
	r := n.raw()
	n.session().notify()
	r.expect(opBinary, "late")
}

func TestManyConnectionsComeAndGo(t *testing.T) {
	const count, workers = 1000, 50
	n := start(t, &sessions{handle: echo}, Options{})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range count / workers {
				c := n.dial()
				m := numbered(w, i)
				if err := c.Write(context.Background(), websocket.MessageBinary, []byte(m)); err != nil {
					t.Error(err)
				}
				if _, got, err := c.Read(context.Background()); err != nil || string(got) != m {
					t.Errorf("got %q, %v; want %q", got, err, m)
				}
				if i%3 == 0 {
					_ = c.CloseNow()
				} else if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range count {
		await(t, n.session().gone, "end of a session")
	}
	if got := metric(n.srv.metrics.accepted); got != count {
		t.Errorf("%d accepted, want %d", got, count)
	}
}
