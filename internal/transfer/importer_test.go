package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// receiver is a server that acknowledges what it is sent and remembers it.
type receiver struct {
	url string

	mu       sync.Mutex
	keys     []string
	batches  int
	mostOps  int
	mostSize int
}

// maxFrame is the largest message that a receiver takes.
const maxFrame = 2 << 20

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		socket, err := websocket.Accept(w, req, nil)
		if err != nil {
			return
		}
		socket.SetReadLimit(maxFrame)
		r.serve(req.Context(), socket)
	}))
	t.Cleanup(s.Close)
	r.url = "ws" + strings.TrimPrefix(s.URL, "http")
	return r
}

func (r *receiver) serve(ctx context.Context, socket *websocket.Conn) {
	defer func() { _ = socket.CloseNow() }()
	for {
		_, frame, err := socket.Read(ctx)
		if err != nil {
			return
		}
		m, err := wire.Decode(frame, wire.Limits{})
		if err != nil {
			_ = socket.Close(websocket.StatusPolicyViolation, err.Error())
			return
		}
		if err := socket.Write(ctx, websocket.MessageBinary, wire.Append(nil, r.answer(m, len(frame)))); err != nil {
			return
		}
	}
}

func (r *receiver) answer(m wire.Message, size int) wire.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch m := m.(type) {
	case *wire.OpBatch:
		r.batches++
		r.mostOps, r.mostSize = max(r.mostOps, len(m.Ops)), max(r.mostSize, size)
		for _, op := range m.Ops {
			r.keys = append(r.keys, op.Key)
		}
		return &wire.OpAck{LastID: m.Ops[len(m.Ops)-1].ID}
	case *wire.CounterSync:
		return r.counter(m.Name)
	case *wire.CounterRequest:
		return r.counter(m.Name)
	default:
		return &wire.DeviceAck{}
	}
}

// counter answers what names a counter.
func (r *receiver) counter(name string) wire.Message {
	if name == "" {
		return &wire.Error{Code: 400, Message: "a name is needed"}
	}
	r.keys = append(r.keys, name)
	return &wire.CounterResponse{Name: name}
}

// bring imports lines and returns the keys that were refused.
func (r *receiver) bring(t *testing.T, lines ...string) (Counts, []string, error) {
	t.Helper()
	var refused []string
	c, err := Import{URL: r.url, Refused: func(_, key, _ string) { refused = append(refused, key) }}.
		Run(t.Context(), strings.NewReader(strings.Join(lines, "\n")))
	return c, refused, err
}

func lwwLine(key string, size int) string {
	return fmt.Sprintf(`{"type":"lww","map":"m","key":%q,"timestamp":"1:0:n","value":%q}`, key, strings.Repeat("x", size))
}

// TestAKeyOfManyRecordsIsBroughtIn in messages that a server takes: the records of
// one key are one line, and there may be any number of them.
func TestAKeyOfManyRecordsIsBroughtIn(t *testing.T) {
	const records = 20_000
	var line strings.Builder
	for i := range records {
		fmt.Fprintf(&line, `,{"tag":"1:%d:n","timestamp":"1:%d:n","value":%q}`, i, i, strings.Repeat("x", 100))
	}
	r := newReceiver(t)
	c, _, err := r.bring(t, `{"type":"or","map":"m","key":"k","records":[`+line.String()[1:]+`]}`)
	if err != nil || c != (Counts{Lines: 1, Ops: records}) || len(r.keys) != records {
		t.Fatalf("%+v, %d of %d records, %v", c, len(r.keys), records, err)
	}
	if r.mostOps > batchOps || r.mostSize > maxFrame {
		t.Errorf("a message of %d operations, one of %d bytes", r.mostOps, r.mostSize)
	}
}

func TestAnOperationThatNoMessageHoldsIsRefused(t *testing.T) {
	r := newReceiver(t)
	c, refused, err := r.bring(t, lwwLine("a", 1), lwwLine("huge", maxFrame), lwwLine("b", 1))
	if err != nil || c != (Counts{Lines: 3, Ops: 3, Refused: 1}) || fmt.Sprint(refused, r.keys) != "[huge] [a b]" {
		t.Errorf("%+v, refused %v, brought in %v, %v", c, refused, r.keys, err)
	}
}

// TestACounterThatIsRefusedIsNamed, and what comes behind it is brought in.
func TestACounterThatIsRefusedIsNamed(t *testing.T) {
	r := newReceiver(t)
	c, refused, err := r.bring(t, lwwLine("a", 1), `{"type":"counter","key":"","added":{"n":1}}`, lwwLine("b", 1))
	if err != nil || c.Refused != 1 || len(refused) != 1 || refused[0] != "" || fmt.Sprint(r.keys) != "[a b]" {
		t.Errorf("%+v, refused %q, brought in %v, %v", c, refused, r.keys, err)
	}
}

// TestWhatComesBeforeABadLineIsBroughtIn, and the line is named, whatever is wrong
// with it.
func TestWhatComesBeforeABadLineIsBroughtIn(t *testing.T) {
	for name, bad := range map[string]string{"no JSON": "{", "too long": strings.Repeat(" ", maxLine)} {
		r := newReceiver(t)
		_, _, err := r.bring(t, lwwLine("a", 1), "", bad, lwwLine("b", 1))
		if !errors.Is(err, ErrLine) || !strings.Contains(err.Error(), "line 3:") || fmt.Sprint(r.keys) != "[a]" {
			t.Errorf("%s: brought in %v, %v", name, r.keys, err)
		}
	}
}
