package topgun

import (
	"context"
	"iter"
)

// Subscription delivers values as they come, until its context ends, it is
// closed, or the client is.
type Subscription[T any] struct {
	ending *ending

	// next returns how to make the next value, if there is one. It is called with
	// the client's lock held; what it returns is called without.
	next func() (func() (T, error), bool)
}

// Next waits for the next value. An error that wraps ErrInvalidValue concerns
// that value alone; any other is final: that of the context, ErrClosed, or the
// reason why the server ended it.
func (s *Subscription[T]) Next() (T, error) {
	e := s.ending
	for {
		v, ok, err := s.poll()
		switch {
		case ok:
			return v()
		case err != nil:
			var zero T
			return zero, err
		}
		select {
		case <-e.wake:
		case <-e.done:
		}
	}
}

func (s *Subscription[T]) poll() (func() (T, error), bool, error) {
	e := s.ending
	e.client.mu.Lock()
	defer e.client.mu.Unlock()
	if err := e.cause(); err != nil {
		e.end(err)
	}
	if e.err != nil {
		return nil, false, e.err
	}
	v, ok := s.next()
	if ok {
		e.ring() // there may be more, for another goroutine
	}
	return v, ok, nil
}

// All returns what Next does, one after the other. The error that ends the
// subscription comes last. Leaving the loop closes the subscription.
func (s *Subscription[T]) All() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer s.Close()
		for {
			v, err := s.Next()
			if !yield(v, err) || err != nil && s.ended() {
				return
			}
		}
	}
}

// Close ends the subscription; Next returns ErrClosed. Closing again does
// nothing.
func (s *Subscription[T]) Close() {
	s.ending.client.mu.Lock()
	defer s.ending.client.mu.Unlock()
	s.ending.end(ErrClosed)
}

func (s *Subscription[T]) ended() bool {
	s.ending.client.mu.Lock()
	defer s.ending.client.mu.Unlock()
	return s.ending.err != nil
}

// ending is the part of a subscription that does not depend on its values: how
// it is woken up, and how it ends.
type ending struct {
	client *Client
	wake   chan struct{} // room for one
	done   <-chan struct{}
	cause  func() error
	stop   func() bool // no longer waits for the context
	forget func()      // called once, with the lock held

	err error // why it has ended; guarded by Client.mu
}

// newEnding makes the ending of a subscription; forget takes the subscription
// out of wherever it was entered. mu is held.
func (c *Client) newEnding(ctx context.Context, forget func()) (*ending, error) {
	if c.closed {
		return nil, ErrClosed
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	e := &ending{
		client: c, wake: make(chan struct{}, 1), done: ctx.Done(), forget: forget,
		cause: func() error { return context.Cause(ctx) },
	}
	c.subs[e] = struct{}{}
	c.endings.Add(1)
	e.stop = context.AfterFunc(ctx, func() {
		defer c.endings.Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		e.end(e.cause())
	})
	return e, nil
}

// end ends the subscription; the first reason counts, and the context's before
// all others. mu is held.
func (e *ending) end(err error) {
	if e.err != nil {
		return
	}
	if cause := e.cause(); cause != nil {
		err = cause
	}
	e.err = err
	delete(e.client.subs, e)
	e.forget()
	if e.stop() {
		e.client.endings.Done()
	}
	e.ring()
}

func (e *ending) ring() { ring(e.wake) }
