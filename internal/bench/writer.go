package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/bench/socket"
)

// ring is how many frames a connection has encoded.
const ring = 8

// writer is one connection that writes in a closed loop.
type writer struct {
	conn   *socket.Conn
	frames []*frame
	level  []byte // the level that acknowledgements have to name
	window int
	batch  int
	nextID int64
	sent   []time.Time // of the frames in flight, oldest first

	acked   int // operations
	refused int
	errors  int
	times   []time.Duration
}

func newWriter(ctx context.Context, url string, n int, o Options) (*writer, error) {
	c := concerns[o.Concern]
	w := &writer{window: o.Window, batch: o.Batch, nextID: firstID, level: []byte(c.achieved)}
	var keys []string
	for k := n; k < o.Keys; k += o.Connections {
		keys = append(keys, "key-"+strconv.Itoa(k))
	}
	node := fmt.Sprintf("bench-%030d", n)
	valueOf := o.valueOf
	if valueOf == nil {
		valueOf = textOf(o.ValueBytes)
	}
	at := 0
	for range max(ring, (len(keys)+o.Batch-1)/o.Batch) {
		var batch []string
		for range o.Batch {
			batch = append(batch, keys[at%len(keys)])
			at++
		}
		f, err := newFrame(batch, node, valueOf, c.ask)
		if err != nil {
			return nil, err
		}
		w.frames = append(w.frames, f)
	}
	var err error
	w.conn, err = socket.Dial(ctx, url)
	return w, err
}

// run writes until stop is closed, then waits for what is in flight.
func (w *writer) run(ctx context.Context, now func() time.Time, stop <-chan struct{}) error {
	for turn := 0; ; {
		stopping := false
		select {
		case <-stop:
			stopping = true
		default:
		}
		for !stopping && len(w.sent) < w.window {
			if err := w.send(w.frames[turn%len(w.frames)], now()); err != nil {
				return err
			}
			turn++
		}
		if len(w.sent) == 0 {
			return nil
		}
		if err := w.receive(ctx, now); err != nil {
			return err
		}
	}
}

func (w *writer) send(f *frame, now time.Time) error {
	f.stamp(w.nextID, now.UnixMilli())
	w.nextID += int64(w.batch)
	w.sent = append(w.sent, now)
	return w.conn.Write(f.bytes)
}

// The types are told apart by their names in the frame, which is far cheaper than
// decoding it and the same for server and floor.
var (
	nameAck      = []byte("OP_ACK")
	nameRejected = []byte("OP_REJECTED")
	nameError    = []byte("ERROR")
)

func (w *writer) receive(ctx context.Context, now func() time.Time) error {
	m, err := w.conn.Next(ctx)
	if err != nil {
		return err
	}
	head := m[:min(len(m), 32)]
	switch {
	case bytes.Contains(head, nameAck):
		w.times = append(w.times, now().Sub(w.sent[0]))
		w.sent = append(w.sent[:0], w.sent[1:]...)
		w.acked += w.batch
		if !bytes.Contains(m, w.level) {
			w.errors++
		}
	case bytes.Contains(head, nameRejected):
		w.refused++
	case bytes.Contains(head, nameError):
		w.errors++
	}
	return nil
}

// load is all connections to one server.
type load struct {
	writers []*writer
	now     func() time.Time
}

func newLoad(ctx context.Context, url string, o Options) (*load, error) {
	l := &load{now: o.Clock.Now}
	for n := range o.Connections {
		w, err := newWriter(ctx, url, n, o)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.writers = append(l.writers, w)
	}
	return l, nil
}

func (l *load) close() error {
	var errs []error
	for _, w := range l.writers {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(errs...)
}

// turn is what one window has shown.
type turn struct {
	seconds float64
	ops     int
	refused int
	errors  int
	times   []time.Duration
}

// drainTimeout bounds the wait for what is in flight when the time is over.
const drainTimeout = 30 * time.Second

// runFor writes with all connections for d. A connection that fails ends the
// measurement: what the others did meanwhile does not count.
func (l *load) runFor(ctx context.Context, o Options, d time.Duration) (turn, error) {
	for _, w := range l.writers {
		w.acked, w.refused, w.errors, w.times = 0, 0, 0, w.times[:0]
	}
	stop := make(chan struct{})
	failures := make([]error, len(l.writers))
	start := l.now()
	var all sync.WaitGroup
	for i, w := range l.writers {
		if err := w.conn.SetDeadline(start.Add(d + drainTimeout)); err != nil {
			return turn{}, err
		}
		all.Go(func() { failures[i] = w.run(ctx, l.now, stop) })
	}
	timer := o.Clock.NewTimer(d)
	select {
	case <-timer.C():
	case <-ctx.Done():
		_ = l.close() // frees those that wait for an answer
	}
	timer.Stop()
	close(stop)
	all.Wait()
	t := turn{seconds: l.now().Sub(start).Seconds()}
	for _, w := range l.writers {
		t.ops += w.acked - w.refused
		t.refused += w.refused
		t.errors += w.errors
		t.times = append(t.times, w.times...)
	}
	return t, errors.Join(failures...)
}
