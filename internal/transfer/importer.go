package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/coder/websocket"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Import is where lines go to.
type Import struct {
	// URL is the WebSocket of the server, as ws://host:port/ws.
	URL string

	// Token authenticates; empty for a server without authentication.
	Token string

	// Refused is told of every operation that the server refuses for good.
	Refused func(mapName, key, reason string)
}

// Counts says what an import did.
type Counts struct {
	Lines, Ops, Refused uint64
}

// The sizes of what is sent: an OP_BATCH holds at most batchOps operations of
// about batchBytes, or one operation that is larger. A line may be many of them.
// opOverhead is what an operation takes beside its texts and value.
const (
	batchOps   = 500
	batchBytes = 512 << 10
	opOverhead = 128
	maxLine    = 64 << 20
	maxAnswer  = 16 << 20
)

// sessionCounters is how many counters one connection brings in: a server bounds
// how many a session may use.
const sessionCounters = 100

// Run brings every line of in into the server, waiting until it is on disk
// there. It stops at the first line that is none, with an error matching ErrLine
// that names it; what came before has been brought in.
func (i Import) Run(ctx context.Context, in io.Reader) (Counts, error) {
	r := &running{Import: i, ctx: ctx}
	defer func() {
		if r.socket != nil {
			_ = r.socket.CloseNow()
		}
	}()
	if err := r.connect(); err != nil {
		return Counts{}, err
	}
	if err := r.lines(in); err != nil {
		return r.counts, err
	}
	return r.counts, r.socket.Close(websocket.StatusNormalClosure, "")
}

// running is an import under way.
type running struct {
	Import
	ctx    context.Context
	socket *websocket.Conn
	counts Counts
	batch  wire.OpBatch
	size   int
	next   uint64 // id of the last operation

	counters int // brought in by this connection
}

// connect opens a connection in place of the one there is.
func (r *running) connect() error {
	if r.socket != nil {
		_ = r.socket.Close(websocket.StatusNormalClosure, "")
	}
	socket, resp, err := websocket.Dial(r.ctx, r.URL, nil)
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return fmt.Errorf("connect to %s: %w", r.URL, err)
	}
	socket.SetReadLimit(maxAnswer)
	r.socket, r.counters = socket, 0
	return r.introduce()
}

func (r *running) introduce() error {
	var hello wire.Message = &wire.DeviceHello{}
	if r.Token != "" {
		hello = &wire.Auth{Token: r.Token}
	}
	if err := r.send(hello); err != nil {
		return err
	}
	for {
		m, err := r.receive()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.AuthAck, *wire.DeviceAck:
			return nil
		case *wire.AuthFail:
			return fmt.Errorf("the server refuses the token: %s", m.Error)
		case *wire.AuthRequired:
			if r.Token == "" {
				return errors.New("the server wants a token; give it by --token or TOPGUN_TOKEN")
			}
		}
	}
}

func (r *running) lines(in io.Reader) error {
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 64<<10), maxLine)
	n := 1
	for ; s.Scan(); n++ {
		if len(s.Bytes()) == 0 {
			continue
		}
		if err := r.line(s.Bytes()); err != nil {
			if errors.Is(err, ErrLine) {
				// What came before is brought in.
				return errors.Join(fmt.Errorf("line %d: %w", n, err), r.flush())
			}
			return err
		}
	}
	err := s.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		err = fmt.Errorf("line %d: %w: it is longer than %d MiB", n, ErrLine, maxLine>>20)
	case err != nil:
		err = fmt.Errorf("read line %d: %w", n, err)
	}
	return errors.Join(err, r.flush())
}

func (r *running) line(text []byte) error {
	l, err := parseLine(text)
	if err != nil {
		return err
	}
	ops, err := l.ops()
	if err != nil {
		return err
	}
	r.counts.Lines++
	if l.Type == typeCounter {
		return r.counter(&l)
	}
	for i := range ops {
		if err := r.add(&ops[i]); err != nil {
			return err
		}
	}
	return nil
}

// add puts an operation into the batch, which is sent when it is full.
func (r *running) add(op *wire.ClientOp) error {
	size := opOverhead + len(op.MapName) + len(op.Key) + len(op.Record.Value.Value) +
		len(op.ORRecord.Value.Value) + len(op.ORRecord.Value.Tag) + len(op.ORTag.Value)
	if r.size+size > batchBytes {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.next++
	op.ID = strconv.FormatUint(r.next, 10)
	r.batch.Ops = append(r.batch.Ops, *op)
	if r.size += size; len(r.batch.Ops) >= batchOps {
		return r.flush()
	}
	return nil
}

// flush sends the batch and waits for its acknowledgement. A single operation that
// makes too large a message is refused like any other, but ends the connection.
func (r *running) flush() error {
	if len(r.batch.Ops) == 0 {
		return nil
	}
	err := r.exchange()
	if len(r.batch.Ops) == 1 && websocket.CloseStatus(err) == websocket.StatusMessageTooBig {
		r.refused(r.batch.Ops[0].ID, "it is larger than a message to the server may be")
		err = r.connect()
	}
	if err == nil {
		r.counts.Ops += uint64(len(r.batch.Ops))
		r.batch.Ops, r.size = r.batch.Ops[:0], 0
	}
	return err
}

// exchange sends the batch and reads until it is acknowledged.
func (r *running) exchange() error {
	if err := r.send(&r.batch); err != nil {
		return err
	}
	last := r.batch.Ops[len(r.batch.Ops)-1].ID
	for {
		m, err := r.receive()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.OpRejected:
			r.refused(m.OpID, m.Reason)
		case *wire.OpAck:
			if m.LastID == last {
				return nil
			}
		}
	}
}

func (r *running) refused(id, reason string) {
	for i := range r.batch.Ops {
		if op := &r.batch.Ops[i]; op.ID == id {
			r.refuse(op.MapName, op.Key, reason)
		}
	}
}

func (r *running) refuse(mapName, key, reason string) {
	r.counts.Refused++
	if r.Refused != nil {
		r.Refused(mapName, key, reason)
	}
}

// counter brings in a counter. One that the server refuses for good is told of
// like an operation; what else it may have to say of it goes with the connection.
func (r *running) counter(l *line) error {
	if err := r.flush(); err != nil {
		return err
	}
	if r.counters == sessionCounters {
		if err := r.connect(); err != nil {
			return err
		}
	}
	r.counters++
	err := r.merge(l)
	var said *serverError
	if errors.As(err, &said) && said.code == badRequest {
		r.refuse("", *l.Key, said.message)
		return r.connect()
	}
	return err
}

// merge sends a counter, and waits until the server tells of it.
func (r *running) merge(l *line) error {
	if err := r.send(l.counterSync()); err != nil {
		return err
	}
	if err := r.send(&wire.CounterRequest{Name: *l.Key}); err != nil {
		return err
	}
	for {
		m, err := r.receive()
		if err != nil {
			return err
		}
		if m, ok := m.(*wire.CounterResponse); ok && m.Name == *l.Key {
			return nil
		}
	}
}

func (r *running) send(m wire.Message) error {
	if err := r.socket.Write(r.ctx, websocket.MessageBinary, wire.Append(nil, m)); err != nil {
		return fmt.Errorf("send to the server: %w", err)
	}
	return nil
}

// serverError is an ERROR of the server.
type serverError struct {
	code    int64
	message string
}

// Error repeats what the server says.
func (e *serverError) Error() string { return "the server says: " + e.message }

// badRequest is the number of the errors that are the fault of what was sent.
const badRequest = 400

// receive returns the next message that this program knows. An ERROR of the
// server is a *serverError.
func (r *running) receive() (wire.Message, error) {
	for {
		_, frame, err := r.socket.Read(r.ctx)
		if err != nil {
			return nil, fmt.Errorf("wait for the server: %w", err)
		}
		m, err := wire.Decode(frame, wire.Limits{FrameBytes: maxAnswer})
		if err != nil {
			continue
		}
		if e, ok := m.(*wire.Error); ok {
			return nil, &serverError{e.Code, e.Message}
		}
		return m, nil
	}
}
