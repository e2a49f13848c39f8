package ws

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// pieces is a stream that arrives in pieces of the given sizes, over and over.
type pieces struct {
	b     []byte
	sizes []int
	at    int
}

func (p *pieces) Read(dst []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := min(p.sizes[p.at%len(p.sizes)], len(p.b), len(dst))
	p.at++
	copy(dst, p.b[:n])
	p.b = p.b[n:]
	return n, nil
}

func TestMessagesDoNotDependOnHowBytesArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 40_000
		var stream []byte
		var want []event
		control := func() {
			op := rapid.SampledFrom([]opcode{opPing, opPong, opClose}).Draw(t, "control")
			p := strings.Repeat("c", rapid.IntRange(0, maxControl).Draw(t, "control size"))
			stream = append(stream, clientFrame(true, op, p)...)
			want = append(want, event{op, []byte(p)})
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "messages") {
			op := rapid.SampledFrom([]opcode{opBinary, opBinary, opBinary, opText}).Draw(t, "op")
			size := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, limit)).Draw(t, "size")
			p := strings.Repeat(string(rune('a'+i))+"0123456789", size/11+1)[:size]
			first, rest := op, p
			for rapid.IntRange(0, 3).Draw(t, "split") == 0 {
				cut := rapid.IntRange(0, len(rest)).Draw(t, "cut")
				stream = append(stream, clientFrame(false, first, rest[:cut])...)
				first, rest = opContinue, rest[cut:]
				if rapid.Bool().Draw(t, "between") {
					control()
				}
			}
			stream = append(stream, clientFrame(true, first, rest)...)
			if op == opText {
				p = ""
			}
			want = append(want, event{op, []byte(p)})
			if rapid.IntRange(0, 3).Draw(t, "after") == 0 {
				control()
			}
		}
		eager := rapid.IntRange(0, min(len(stream), 4096)).Draw(t, "eager")
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 20_000)), 1, 10).Draw(t, "sizes")

		r := reader{in: newSource(&pieces{b: stream[eager:], sizes: sizes}, stream[:eager]), max: limit}
		for _, w := range want {
			e, err := r.next()
			if err != nil || e.op != w.op || !bytes.Equal(e.payload, w.payload) {
				t.Fatalf("got opcode %d with %d bytes, %v; want opcode %d with %d bytes", e.op, len(e.payload), err, w.op, len(w.payload))
			}
			if e.op == opBinary && cap(e.payload) > 2*len(e.payload)+64 {
				t.Fatalf("a message of %d bytes holds %d", len(e.payload), cap(e.payload))
			}
		}
		if e, err := r.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the stream: %v, %v", e, err)
		}
		r.in.release()
	})
}

func TestMessagesDoNotShareMemory(t *testing.T) {
	var stream []byte
	for _, p := range []string{"aaaa", "bbbb", strings.Repeat("c", 5000), "dddd"} {
		stream = append(stream, clientFrame(true, opBinary, p)...)
	}
	r := reader{in: newSource(bytes.NewReader(stream), nil), max: 1 << 20}
	var all [][]byte
	for range 4 {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.payload)
		for i := range e.payload[:cap(e.payload)] {
			e.payload[:cap(e.payload)][i] ^= 0xff // the session may do with it what it likes
		}
	}
	for i, p := range all {
		for _, c := range p {
			if c != byte('a'+i)^0xff {
				t.Fatalf("message %d was changed through another", i)
			}
		}
	}
}

func TestMemoryFollowsWhatHasArrived(t *testing.T) {
	const declared = 64 << 20
	head := clientFrame(true, opBinary, strings.Repeat("x", declared))[:14]
	for _, arrived := range []int{0, 100, 30_000} {
		stream := append(bytes.Clone(head), make([]byte, arrived)...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := reader{in: newSource(bytes.NewReader(stream), nil), max: declared}
		_, err := r.next()
		runtime.ReadMemStats(&after)
		r.in.release()
		if err == nil {
			t.Fatal("a message without its end")
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 200_000 {
			t.Errorf("%d bytes were allocated for a header and %d bytes", got, arrived)
		}
	}
}

func TestManySmallFragmentsCostLinearWork(t *testing.T) {
	const count = 1 << 18
	stream := clientFrame(false, opBinary, "x")
	stream = append(stream, bytes.Repeat(clientFrame(false, opContinue, "x"), count)...)
	stream = append(stream, clientFrame(true, opContinue, "")...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	arriving := &pieces{b: stream, sizes: []int{6, 1}} // header and payload apart
	r := reader{in: newSource(arriving, nil), max: 2 << 20}
	e, err := r.next()
	runtime.ReadMemStats(&after)
	if err != nil || len(e.payload) != count+1 {
		t.Fatalf("%d bytes, %v", len(e.payload), err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16*count {
		t.Errorf("%d bytes were allocated for a message of %d", got, count)
	}
}

func TestUnmaskIsItsOwnInverseAtEveryLength(t *testing.T) {
	for n := range 200 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i) ^ [4]byte{0x04, 0x03, 0x02, 0x01}[i%4]
		}
		unmask(b, 0x01020304)
		for i := range b {
			if b[i] != byte(i) {
				t.Fatalf("length %d: byte %d is %d", n, i, b[i])
			}
		}
	}
}

// FuzzReader feeds bytes that nobody wrote on purpose to the parser.
func FuzzReader(f *testing.F) {
	f.Add(clientFrame(true, opBinary, "hello"), uint8(1))
	f.Add(append(clientFrame(false, opText, "a"), clientFrame(true, opContinue, "b")...), uint8(3))
	f.Add(clientFrame(true, opClose, closePayload(1000, "bye")), uint8(200))
	f.Add([]byte{0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}, uint8(0))
	f.Add([]byte{0x82, 0xfe, 0x00, 0x05, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		const limit = 512
		r := reader{in: newSource(&pieces{b: stream, sizes: []int{int(piece) + 1}}, nil), max: limit}
		defer r.in.release()
		for total := 0; ; {
			e, err := r.next()
			if err != nil {
				var refused *service.CloseError
				if errors.As(err, &refused) {
					if refused.Code != wire.CloseProtocolError && refused.Code != wire.CloseTooBig {
						t.Fatalf("refused with %v", refused)
					}
				} else if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if total += len(e.payload); total > len(stream) || len(e.payload) > limit {
				t.Fatalf("a message of %d bytes, %d together, from %d", len(e.payload), total, len(stream))
			}
			if e.op == opClose {
				_, _ = parseClose(e.payload)
			}
		}
	})
}

// FuzzConnection sends bytes that nobody wrote on purpose to a running server,
// which must end that connection and go on.
func FuzzConnection(f *testing.F) {
	f.Add(clientFrame(true, opBinary, "hello"))
	f.Add(append(clientFrame(true, opPing, "p"), 0x88, 0x80, 0, 0, 0, 0))
	f.Add([]byte{0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	ss := &sessions{handle: echo, all: make(chan *testSession, 16)}
	n := start(f, ss, Options{MaxMessageBytes: 4096})
	f.Fuzz(func(t *testing.T, stream []byte) {
		n.t, ss.t = t, t
		r := n.raw(stream...)
		s := n.session()
		_ = r.net.CloseWrite()
		for {
			if _, err := r.read(); err != nil {
				break
			}
		}
		_ = r.net.Close()
		await(t, s.gone, "end of the session")
	})
}
