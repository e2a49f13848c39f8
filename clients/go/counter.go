package topgun

import (
	"context"
	"math"

	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Counter is the replica of a counter that any number of clients count up and
// down, offline too.
type Counter struct {
	client  *Client
	name    string
	counter *counter // nil if err is not
	err     error
}

// CounterOf opens a counter: the client fetches it and keeps it up to date until
// the client is closed. If the name is not one of a counter, every method with an
// error returns ErrInvalidName.
func CounterOf(c *Client, name string) *Counter {
	if err := checkName(name); err != nil {
		return &Counter{client: c, name: name, err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.counters[name]
	if n == nil {
		n = &counter{name: name, node: c.node, followers: map[*counterFollower]struct{}{}}
		c.counters[name] = n
		c.greetCounter(n)
	}
	return &Counter{client: c, name: name, counter: n}
}

// Name is the name of the counter.
func (n *Counter) Name() string { return n.name }

// Value is the counter's value as far as it is known here, with everything that
// was counted here.
func (n *Counter) Value() float64 {
	if n.err != nil {
		return 0
	}
	n.client.mu.Lock()
	defer n.client.mu.Unlock()
	return n.counter.state.Value()
}

// Increment adds a positive amount, fractions allowed. It does not wait. The
// errors are ErrInvalidAmount and ErrClosed.
func (n *Counter) Increment(by float64) error { return n.count(by, 0) }

// Decrement subtracts a positive amount; see Increment.
func (n *Counter) Decrement(by float64) error { return n.count(0, by) }

func (n *Counter) count(up, down float64) error {
	by := up + down
	switch {
	case n.err != nil:
		return n.err
	case !(by > 0) || math.IsInf(by, 0):
		return ErrInvalidAmount
	}
	c := n.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	pos, neg := n.counter.own(n.counter.state)
	mine, err := crdt.AppendCounter(nil, map[string]float64{c.node: pos + up}, map[string]float64{c.node: neg + down})
	if err != nil {
		return ErrInvalidAmount
	}
	n.counter.merge(crdt.CounterState(mine))
	c.tellCounter(n.counter)
	return nil
}

// Subscribe delivers the value when it has changed, by whomever. Values that
// pass by faster than they are read are skipped.
func (n *Counter) Subscribe(ctx context.Context) (*Subscription[float64], error) {
	if n.err != nil {
		return nil, n.err
	}
	c := n.client
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &counterFollower{told: n.counter.state.Value()}
	e, err := c.newEnding(ctx, func() { delete(n.counter.followers, f) })
	if err != nil {
		return nil, err
	}
	f.ending = e
	n.counter.followers[f] = struct{}{}
	return &Subscription[float64]{e, func() (func() (float64, error), bool) {
		v := n.counter.state.Value()
		if v == f.told {
			return nil, false
		}
		f.told = v
		return func() (float64, error) { return v, nil }, true
	}}, nil
}

// Sync waits until the server has confirmed everything that was counted here
// before the call, and has told its own state on the present connection. The
// error is ctx's, ErrClosed, or the *ServerError with which the server refused.
func (n *Counter) Sync(ctx context.Context) error {
	if n.err != nil {
		return n.err
	}
	c := n.client
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	w := &counterWait{done: make(chan struct{})}
	w.pos, w.neg = n.counter.own(n.counter.state)
	n.counter.waits = append(n.counter.waits, w)
	n.counter.settle()
	c.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// counter is the replica. It is guarded by Client.mu.
type counter struct {
	name      string
	node      string // whose counts are this client's
	state     crdt.CounterState
	server    crdt.CounterState // what the server was last heard to hold
	heard     bool              // from the server, on this connection
	queued    bool              // the state is about to be sent
	followers map[*counterFollower]struct{}
	waits     []*counterWait
}

type counterFollower struct {
	ending *ending
	told   float64
}

// counterWait is somebody who waits until the server holds these counts.
type counterWait struct {
	pos, neg float64
	done     chan struct{}
	err      error // final when done is closed
}

// own returns this client's counts in a state.
func (n *counter) own(s crdt.CounterState) (pos, neg float64) {
	for e := range s.Entries() {
		if e.Node == n.node {
			return e.Pos, e.Neg
		}
	}
	return 0, 0
}

// merge takes in counts and tells who follows.
func (n *counter) merge(remote crdt.CounterState) {
	next, changed, err := n.state.Merge(nil, remote)
	if err != nil || !changed {
		return
	}
	n.state = crdt.CounterState(next)
	for f := range n.followers {
		f.ending.ring()
	}
}

// settle releases those whose counts the server holds.
func (n *counter) settle() {
	if !n.heard {
		return
	}
	pos, neg := n.own(n.server)
	rest := n.waits[:0]
	for _, w := range n.waits {
		if w.pos <= pos && w.neg <= neg {
			close(w.done)
		} else {
			rest = append(rest, w)
		}
	}
	clear(n.waits[len(rest):])
	n.waits = rest
}

func (n *counter) abandon(err error) {
	for _, w := range n.waits {
		w.err = err
		close(w.done)
	}
	n.waits = nil
}

// message is the whole state, for the server.
func (n *counter) message() wire.Message {
	m := &wire.CounterSync{Name: n.name}
	for e := range n.state.Entries() {
		if e.Pos != 0 {
			m.State.Positive = append(m.State.Positive, wire.NumberEntry{Name: e.Node, Value: e.Pos})
		}
		if e.Neg != 0 {
			m.State.Negative = append(m.State.Negative, wire.NumberEntry{Name: e.Node, Value: e.Neg})
		}
	}
	return m
}

// greetCounter asks for a counter, or presents what is known of it. Both
// subscribe. mu is held.
func (c *Client) greetCounter(n *counter) {
	if n.state == "" {
		c.send(&wire.CounterRequest{Name: n.name})
		return
	}
	c.tellCounter(n)
}

// tellCounter sends the state, once for all that is counted until it goes.
func (c *Client) tellCounter(n *counter) {
	if c.link != nil && !n.queued {
		n.queued = true
		c.enqueue(outgoing{counter: n})
	}
}

// counterState takes in what the server holds. mu is held.
func (c *Client) counterState(name string, s *wire.CounterState) {
	if n := c.counters[name]; n != nil {
		n.take(s)
	}
}

// take merges the server's state. One with a number that is none is left out.
func (n *counter) take(s *wire.CounterState) {
	state, err := crdt.AppendCounter(nil, numbers(s.Positive), numbers(s.Negative))
	if err != nil {
		return
	}
	n.server, n.heard = crdt.CounterState(state), true
	n.merge(n.server)
	n.settle()
}

func numbers(m wire.NumberMap) map[string]float64 {
	out := make(map[string]float64, len(m))
	for _, e := range m {
		out[e.Name] = e.Value
	}
	return out
}
