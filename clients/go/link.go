package topgun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

const (
	// pingEvery is how often the client shows that it lives.
	pingEvery = 5 * time.Second
	// silence is how long the server may say nothing.
	silence = 15 * time.Second
	// goodbye is how long the server may take to confirm the end.
	goodbye = time.Second
)

// link is one connection. Its fields are guarded by Client.mu, except for socket.
type link struct {
	socket *websocket.Conn
	sent   int64 // the last operation that was sent on it
	heard  time.Time
	pingAt time.Time
	ping   bool // one is due
	give   chan error
}

// giveUp ends the connection: the client is to come back with a new one.
func (l *link) giveUp(err error) {
	select {
	case l.give <- err:
	default: // the first reason counts
	}
}

// serve connects and stays until the connection ends. It returns why, and since
// when the client had been accepted, zero if it never was.
func (c *Client) serve(ctx context.Context, accepted func()) (time.Time, error) {
	c.mu.Lock()
	c.setState(Connecting)
	c.mu.Unlock()
	l, err := c.connect(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = l.socket.CloseNow() }()
	since := c.opt.clock.Now()
	c.attach(l, since)
	accepted()

	// The goroutines outlive ctx until the connection is closed in good order.
	g, work := errgroup.WithContext(context.WithoutCancel(ctx))
	g.Go(func() error { return c.read(work, l) })
	g.Go(func() error { return c.write(work, l) })
	g.Go(func() error { return c.watch(work, l) })
	g.Go(func() error { return hangUp(work, ctx.Done(), l) })
	g.Go(func() error { return leave(work, ctx.Done()) })
	err = g.Wait()

	c.detach()
	return since, err
}

// connect dials and introduces the client.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.handshake)
	defer cancel()
	socket, resp, err := websocket.Dial(ctx, c.url, &websocket.DialOptions{HTTPClient: c.opt.http})
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, &ConnectionError{Doing: "dial", Err: err}
	}
	socket.SetReadLimit(int64(c.opt.limits.MessageBytes))
	l := &link{socket: socket, give: make(chan error, 1)}
	if err := c.introduce(ctx, l); err != nil {
		_ = socket.CloseNow()
		return nil, err
	}
	return l, nil
}

// introduce presents the token, or the device alone, and waits for the answer.
func (c *Client) introduce(ctx context.Context, l *link) error {
	var hello wire.Message
	device := c.DeviceToken()
	if c.opt.token != nil {
		token, err := c.opt.token(ctx)
		if err != nil {
			return &AuthError{Reason: fmt.Sprintf("the token provider: %v", err), Err: err}
		}
		hello = &wire.Auth{Token: token, DeviceToken: device}
	} else {
		hello = &wire.DeviceHello{DeviceToken: device}
	}
	if err := l.socket.Write(ctx, websocket.MessageBinary, wire.Append(nil, hello)); err != nil {
		return &ConnectionError{Doing: "handshake", Err: err}
	}
	for {
		m, err := c.next(ctx, l)
		if err != nil {
			return &ConnectionError{Doing: "handshake", Err: err}
		}
		switch m := m.(type) {
		case *wire.AuthAck:
			c.keepDevice(m.DeviceToken)
			return nil
		case *wire.DeviceAck:
			c.keepDevice(m.DeviceToken)
			return nil
		case *wire.AuthFail:
			return &AuthError{Code: int(m.Code), Reason: m.Error}
		case *wire.AuthRequired:
			if c.opt.token == nil {
				return &AuthError{Code: wire.CodeUnauthenticated.Number(), Reason: "the server wants a token; use WithToken"}
			}
		case *wire.Error:
			c.mu.Lock()
			c.report(serverError(m))
			c.mu.Unlock()
		}
	}
}

func (c *Client) keepDevice(token string) {
	if token == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deviceToken = string([]byte(token))
}

// next reads one message; nil for one that this client does not know.
func (c *Client) next(ctx context.Context, l *link) (wire.Message, error) {
	typ, frame, err := l.socket.Read(ctx)
	if err != nil || typ != websocket.MessageBinary {
		return nil, err
	}
	// The socket has bounded the frame, and a record may be as long as a frame.
	n := max(len(frame), 1)
	m, err := wire.Decode(frame, wire.Limits{FrameBytes: n, Ops: n, Items: n, KeyBytes: n, TextBytes: n, NameBytes: n})
	if err != nil && !errors.Is(err, wire.ErrUnknownType) {
		c.mu.Lock()
		c.report(fmt.Errorf("topgun: a message of the server is left out: %w", err))
		c.mu.Unlock()
	}
	return m, nil
}

// attach makes l the client's connection: everything unacknowledged goes out
// first, then what others have to be asked for.
func (c *Client) attach(l *link, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.heard, l.pingAt = now, now.Add(pingEvery)
	c.link = l
	for _, q := range c.queries {
		c.subscribeQuery(q)
	}
	for topic := range c.topics {
		c.send(&wire.TopicSub{Topic: topic})
	}
	for _, n := range c.counters {
		c.greetCounter(n)
	}
	for _, r := range c.replicas() {
		r.common().sync.reset()
		if o, ok := r.(*orReplica); ok {
			o.covered = 0
		}
		c.startSync(r)
	}
	c.setState(Connected)
	ring(c.bell)
}

// detach forgets the connection, and what was to be said on it. Publications
// that were not sent stay for the next one.
func (c *Client) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = nil
	kept := c.queue[:0]
	for _, o := range c.queue {
		if o.keep {
			kept = append(kept, o)
		}
	}
	clear(c.queue[len(kept):])
	c.queue = kept
	for _, n := range c.counters {
		n.queued, n.heard = false, false
	}
}

// read takes in messages until the connection ends.
func (c *Client) read(ctx context.Context, l *link) error {
	for {
		m, err := c.next(ctx, l)
		if err != nil {
			return &ConnectionError{Doing: "read", Err: err}
		}
		c.mu.Lock()
		l.heard = c.opt.clock.Now()
		if m != nil {
			c.receive(m, true)
		}
		c.mu.Unlock()
		c.tell()
	}
}

// hangUp closes the connection in good order when quit is closed.
func hangUp(ctx context.Context, quit <-chan struct{}, l *link) error {
	select {
	case <-ctx.Done():
		return nil
	case <-quit:
		_ = l.socket.Close(websocket.StatusNormalClosure, "")
		return ErrClosed
	}
}

// leave gives up waiting for a server that does not answer hangUp.
func leave(ctx context.Context, quit <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return nil
	case <-quit:
	}
	polite, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	<-polite.Done()
	return ErrClosed
}

// watch sees to everything that has its time.
func (c *Client) watch(ctx context.Context, l *link) error {
	t := c.opt.clock.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-t.C():
		case <-c.alarm:
		case err := <-l.give:
			return &ConnectionError{Doing: "read", Err: err}
		case <-ctx.Done():
			return nil
		}
		next, err := c.tick(l)
		if err != nil {
			return &ConnectionError{Doing: "wait", Err: err}
		}
		t.Reset(next)
	}
}

// tick does what is due, and returns when the next thing is.
func (c *Client) tick(l *link) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.opt.clock.Now()
	if now.Sub(l.heard) >= silence {
		return 0, ErrHeartbeat
	}
	if !now.Before(l.pingAt) {
		l.ping, l.pingAt = true, now.Add(pingEvery)
		ring(c.bell)
	}
	next := min(l.pingAt.Sub(now), l.heard.Add(silence).Sub(now))
	for _, r := range c.replicas() {
		next = min(next, c.tickSync(r, now))
	}
	for _, q := range c.queries {
		next = min(next, c.tickQuery(q, now))
	}
	return next, nil
}
