package ws

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// narrow is a socket that takes the given numbers of bytes before its deadline,
// one after the other, and everything after the last.
type narrow struct {
	net.Conn
	takes []int
	got   bytes.Buffer
	calls int
}

func (n *narrow) Write(p []byte) (int, error) {
	n.calls++
	if len(n.takes) == 0 {
		return n.got.Write(p)
	}
	k := min(n.takes[0], len(p))
	n.got.Write(p[:k])
	if k < len(p) {
		n.takes = n.takes[1:]
		return k, os.ErrDeadlineExceeded
	}
	n.takes[0] -= k
	return k, nil
}

func (n *narrow) SetWriteDeadline(time.Time) error { return nil }

func TestBatchIsTheMessagesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := new(batch)
		var want []string
		size := rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(0, 3*copyBelow), rapid.Just(70_000))
		for i := range rapid.IntRange(0, 30).Draw(t, "messages") {
			f := service.Frame{
				Head: bytes.Repeat([]byte{byte('a' + i)}, size.Draw(t, "head")),
				Body: bytes.Repeat([]byte{byte('A' + i)}, size.Draw(t, "body")),
			}
			b.add(f)
			want = append(want, string(f.Head)+string(f.Body))
		}
		takes := rapid.SliceOf(rapid.IntRange(1, 100_000)).Draw(t, "takes")
		sock := &narrow{takes: takes}
		c := &conn{net: sock, srv: &Server{clk: newTestClock(), metrics: NewMetrics(prometheus.NewRegistry()), opt: Options{}.withDefaults()}}
		if err := c.flush(b); err != nil {
			t.Fatal(err)
		}
		r := raw{r: bufio.NewReader(&sock.got)}
		for _, w := range want {
			f, err := r.read()
			if err != nil || f.op != opBinary || !f.fin || string(f.payload) != w {
				t.Fatalf("read %d bytes, %v; want %d", len(f.payload), err, len(w))
			}
		}
		if _, err := r.read(); err == nil {
			t.Fatal("more was written than there is")
		}
	})
}

func TestSmallMessagesLeaveInOneWrite(t *testing.T) {
	sock := &narrow{}
	c := &conn{net: sock, srv: &Server{clk: newTestClock(), metrics: NewMetrics(prometheus.NewRegistry()), opt: Options{}.withDefaults()}}
	b := new(batch)
	for range 200 {
		b.add(service.Frame{Head: []byte("head"), Body: []byte(strings.Repeat("b", 200))})
	}
	if err := c.flush(b); err != nil || sock.calls != 1 {
		t.Errorf("%d writes, %v; want 1", sock.calls, err)
	}
}

func TestWriteGoesOnWhileThereIsProgress(t *testing.T) {
	sock := &narrow{takes: []int{1, 1, 1, 1, 0}}
	c := &conn{net: sock, srv: &Server{clk: newTestClock(), metrics: NewMetrics(prometheus.NewRegistry()), opt: Options{}.withDefaults()}}
	b := new(batch)
	b.add(service.Frame{Body: []byte("0123456789")})
	if err := c.flush(b); err == nil || sock.got.Len() != 4 || sock.calls != 5 {
		t.Errorf("%v after %d bytes in %d writes; want an error after 4 bytes in 5", err, sock.got.Len(), sock.calls)
	}
}

func TestReleasedBatchHoldsOnToNothing(t *testing.T) {
	b := new(batch)
	b.frames = append(b.frames, service.Frame{Body: make([]byte, 100_000)})
	b.add(b.frames[0])
	b.load()
	b.release()
	if b.frames[:1][0].Body != nil || b.segs[:2][1] != nil || b.unsent != nil || !b.empty() {
		t.Error("a released batch keeps a message alive")
	}
}

func TestCloseFrameCarriesOnlyWhatItMay(t *testing.T) {
	for code, want := range map[wire.CloseCode]string{
		1000: "\x88\x04\x03\xe8ok", closeNoStatus: "\x88\x00", 0: "\x88\x04\x03\xf3ok", closeAbnormal: "\x88\x04\x03\xf3ok",
	} {
		if got := string(appendClose(nil, code, "ok")); got != want {
			t.Errorf("code %d is sent as %q, want %q", code, got, want)
		}
	}
}
