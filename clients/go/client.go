package topgun

import (
	"context"
	"sync"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
)

// State is what a client is doing about its connection.
type State int

// The states.
const (
	Connecting   State = iota // dialling or authenticating
	Connected                 // in touch with the server
	Disconnected              // waiting before the next attempt
	Closed                    // for good
)

// String is the state's name.
func (s State) String() string {
	return [...]string{"connecting", "connected", "disconnected", "closed"}[s]
}

// Client is one replica of the grid. Connect makes it, Close ends it.
type Client struct {
	opt   options
	url   string
	codec codec

	bell  chan struct{} // rung when the writer may have something to do; room for one
	alarm chan struct{} // rung when something is due earlier than thought; room for one

	stop    func()         // ends run
	done    chan struct{}  // closed when run has returned
	endings sync.WaitGroup // of subscriptions whose context has ended
	telling sync.Mutex     // held while the error handler runs; never together with mu

	mu          sync.Mutex // guards everything below
	closed      bool
	state       State
	node        string // the client's name in timestamps
	hlc         *hlc.Clock
	deviceToken string
	link        *link // nil unless Connected
	queue       []outgoing
	waiting     int // publications in queue
	log         opLog
	lww         map[string]*lwwReplica
	or          map[string]*orReplica
	counters    map[string]*counter
	topics      map[string]map[*listener]struct{}
	queries     map[string]*liveQuery
	subs        map[*ending]struct{}
	watchers    map[*stateWatch]struct{}
	reports     []error // for the error handler
}

// Connect makes a client and connects it to the server at address, such as
// ws://localhost:8080/ws. It returns when the server has accepted the client, or
// with the error of the first attempt: *ConnectionError, *AuthError, or that of
// ctx. Afterwards the client reconnects by itself until it is closed; ctx has no
// influence on it then.
func Connect(ctx context.Context, address string, opts ...Option) (*Client, error) {
	if err := checkURL(address); err != nil {
		return nil, err
	}
	c := newClient(address, newOptions(opts))
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	first := make(chan error, 1)
	//arch:goroutine the client waits in Close
	go c.run(work, first)
	if c.opt.offline {
		return c, nil
	}
	var err error
	select {
	case err = <-first:
	case <-ctx.Done():
		err = &ConnectionError{Doing: "wait", Err: context.Cause(ctx)}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func newClient(address string, o options) *Client {
	node := newUUID(o.random)
	return &Client{
		opt: o, url: address, node: node, hlc: hlc.NewClock(node), deviceToken: o.deviceToken,
		bell: make(chan struct{}, 1), alarm: make(chan struct{}, 1), done: make(chan struct{}),
		log:  opLog{limits: o.limits},
		lww:  map[string]*lwwReplica{},
		or:   map[string]*orReplica{},
		subs: map[*ending]struct{}{}, watchers: map[*stateWatch]struct{}{},
		counters: map[string]*counter{}, topics: map[string]map[*listener]struct{}{}, queries: map[string]*liveQuery{},
	}
}

// Close ends the connection, all subscriptions and everything that waits, and
// returns when every goroutine of the client has ended. Operations that are not
// acknowledged by then fail with ErrClosed; they may have been carried out all
// the same. Closing again does nothing.
func (c *Client) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		for s := range c.subs {
			s.end(ErrClosed)
		}
		c.log.abandon(ErrClosed)
		for _, r := range c.replicas() {
			r.common().sync.abandon(ErrClosed)
		}
		for _, n := range c.counters {
			n.abandon(ErrClosed)
		}
	}
	c.mu.Unlock()
	c.stop()
	<-c.done
	c.endings.Wait()
	if c.opt.ownHTTP != nil {
		c.opt.ownHTTP.CloseIdleConnections()
	}
}

// State returns what the client is doing about its connection.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// DeviceToken returns the credential by which the server knows this
// installation again, for WithDeviceToken; empty before the first connection.
// It is a secret.
func (c *Client) DeviceToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deviceToken
}

// Pending is the number of operations that are not yet acknowledged.
func (c *Client) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.log.ops)
}

// Flush waits until everything that was written before the call has been
// acknowledged or refused. It returns ctx's error or ErrClosed if that does not
// happen; refusals are reported to their Writes.
func (c *Client) Flush(ctx context.Context) error {
	c.mu.Lock()
	var last *Write
	if n := len(c.log.ops); n > 0 {
		// Acknowledgements are cumulative, but what is refused leaves early: so
		// each one counts.
		last = newWrite(n)
		for _, o := range c.log.ops {
			o.writes = append(o.writes, last)
		}
	}
	closed := c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case last == nil:
		return nil
	}
	select {
	case <-last.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if last.closed {
		return ErrClosed
	}
	return nil
}

// WatchState returns a subscription whose first value is the present state and
// which then follows it. States that pass by faster than they are read are
// skipped.
func (c *Client) WatchState(ctx context.Context) (*Subscription[State], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &stateWatch{fresh: true}
	e, err := c.newEnding(ctx, func() { delete(c.watchers, w) })
	if err != nil {
		return nil, err
	}
	w.ending = e
	c.watchers[w] = struct{}{}
	return &Subscription[State]{e, func() (func() (State, error), bool) {
		if !w.fresh {
			return nil, false
		}
		w.fresh = false
		s := c.state
		return func() (State, error) { return s, nil }, true
	}}, nil
}

type stateWatch struct {
	ending *ending
	fresh  bool
}

// setState changes the state and tells who watches. mu is held.
func (c *Client) setState(s State) {
	if c.state == s {
		return
	}
	c.state = s
	for w := range c.watchers {
		w.fresh = true
		w.ending.ring()
	}
}

// now is the wall clock in milliseconds since the Unix epoch.
func (c *Client) now() int64 { return clock.Millis(c.opt.clock.Now()) }

// stamp returns the timestamp of a write. It is greater than every timestamp
// that the client has seen, so a local write wins at once. mu is held.
func (c *Client) stamp() hlc.Timestamp { return c.hlc.Now(c.now()) }

// saw moves the clock past a timestamp of the server. The server lets nobody be
// far ahead of its own clock, so one that is far ahead of ours means that ours is
// behind: it follows. mu is held.
func (c *Client) saw(t hlc.Timestamp) {
	if !t.IsZero() && !c.hlc.Update(c.now(), t) {
		c.hlc.Resume(t)
	}
}

// report keeps an error for the error handler. mu is held.
func (c *Client) report(err error) { c.reports = append(c.reports, err) }

// tell hands what was reported to the error handler. No lock is held.
func (c *Client) tell() {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	reports := c.reports
	c.reports = nil
	c.mu.Unlock()
	for _, err := range reports {
		c.opt.onError(err)
	}
}

// ring wakes the owner of a channel with room for one.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// stableAfter is how long a connection has to last to count as a success.
const stableAfter = 5 * time.Second

// run keeps the client connected until ctx ends. The outcome of the first
// attempt goes to first.
func (c *Client) run(ctx context.Context, first chan<- error) {
	defer close(c.done)
	defer func() {
		c.mu.Lock()
		c.setState(Closed)
		c.mu.Unlock()
		c.tell()
	}()
	outcome := func(err error) {
		select {
		case first <- err:
		default:
		}
	}
	for failures := 0; ; failures++ {
		since, err := c.serve(ctx, func() { outcome(nil) })
		if ctx.Err() != nil {
			return
		}
		outcome(err)
		c.mu.Lock()
		c.setState(Disconnected)
		c.report(err)
		c.mu.Unlock()
		c.tell()
		if !since.IsZero() && c.opt.clock.Now().Sub(since) >= stableAfter {
			failures = 0
		}
		t := c.opt.clock.NewTimer(c.opt.backoff.after(failures, c.opt.random))
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
