package topgun

import (
	"context"
	"strings"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Topic carries messages to those who are subscribed when they are published: at
// most once, in the order of publishing, nothing stored.
type Topic[T any] struct {
	client *Client
	name   string
	err    error
}

// Message is what somebody published.
type Message[T any] struct {
	Data      T
	Publisher string    // the publishing connection; empty if the server does not say
	Time      time.Time // when the server received it, to the millisecond
	Missed    int       // messages before this one that were dropped because the backlog was full
}

// TopicOf returns a handle of a topic. If the name is not one of a topic, every
// method returns ErrInvalidName.
func TopicOf[T any](c *Client, name string) *Topic[T] {
	return &Topic[T]{client: c, name: strings.Clone(name), err: checkName(name)}
}

// checkName refuses what is not a name of a topic or counter.
func checkName(name string) error {
	if len(name) == 0 || len(name) > 256 {
		return ErrInvalidName
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("_.:/-", r) {
			return ErrInvalidName
		}
	}
	return nil
}

// Publish sends a message to all other clients that are subscribed. It does not
// wait; without a connection the message waits for the next one, up to
// Limits.Publications, beyond which ErrQueueFull is returned. A message under way
// when the connection breaks may be lost. The other errors are ErrInvalidValue,
// ErrTooLarge (Limits.ValueBytes) and ErrClosed.
func (t *Topic[T]) Publish(v T) error {
	if t.err != nil {
		return t.err
	}
	raw, err := t.client.codec.encode(v)
	if err != nil {
		return err
	}
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch lim := c.opt.limits; {
	case c.closed:
		return ErrClosed
	case len(raw) > lim.ValueBytes:
		return &TooLargeError{What: "value", Size: len(raw), Limit: lim.ValueBytes}
	case c.waiting >= lim.Publications:
		return &QueueFullError{Queue: "publications", Limit: lim.Publications, Unit: "messages"}
	}
	c.waiting++
	c.enqueue(outgoing{message: &wire.TopicPub{Topic: t.name, Data: raw}, keep: true})
	return nil
}

// Subscribe delivers the messages that other clients publish from now on; what
// is published while there is no connection is missed. When more than
// Limits.Backlog wait to be read, the oldest are dropped, and the next one says
// how many.
func (t *Topic[T]) Subscribe(ctx context.Context) (*Subscription[Message[T]], error) {
	if t.err != nil {
		return nil, t.err
	}
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &listener{}
	e, err := c.newEnding(ctx, func() {
		delete(c.topics[t.name], l)
		if len(c.topics[t.name]) == 0 {
			delete(c.topics, t.name)
			c.send(&wire.TopicUnsub{Topic: t.name})
		}
	})
	if err != nil {
		return nil, err
	}
	l.ending = e
	if c.topics[t.name] == nil {
		c.topics[t.name] = map[*listener]struct{}{}
		c.send(&wire.TopicSub{Topic: t.name})
	}
	c.topics[t.name][l] = struct{}{}
	return &Subscription[Message[T]]{e, func() (func() (Message[T], error), bool) {
		m, missed, ok := l.pop()
		if !ok {
			return nil, false
		}
		return func() (Message[T], error) {
			out := Message[T]{Publisher: m.PublisherID, Time: time.UnixMilli(m.Timestamp), Missed: missed}
			err := c.codec.decode("", m.Data, &out.Data)
			return out, err
		}, true
	}}, nil
}

// listener is one subscription to a topic. It is guarded by Client.mu.
type listener struct {
	ending  *ending
	backlog []*wire.TopicMessage
	missed  int
}

func (l *listener) push(m *wire.TopicMessage, limit int) {
	if len(l.backlog) >= limit {
		l.backlog[0] = nil
		l.backlog = l.backlog[1:]
		l.missed++
	}
	l.backlog = append(l.backlog, m)
	l.ending.ring()
}

func (l *listener) pop() (m *wire.TopicMessage, missed int, ok bool) {
	if len(l.backlog) == 0 {
		return nil, 0, false
	}
	m, missed = l.backlog[0], l.missed
	l.backlog[0], l.missed = nil, 0
	l.backlog = l.backlog[1:]
	return m, missed, true
}

// topicMessage hands a message to who listens. mu is held.
func (c *Client) topicMessage(m *wire.TopicMessage) {
	if len(m.Data) == 0 {
		m.Data = value.AppendNil(nil)
	}
	for l := range c.topics[m.Topic] {
		l.push(m, c.opt.limits.Backlog)
	}
}
