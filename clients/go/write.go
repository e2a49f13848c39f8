package topgun

import (
	"context"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Concern is how far a write has to come before the server acknowledges it, and
// how far it came. Greater is stronger.
type Concern int

// The concerns. A write that asks for none is acknowledged when it is Persisted,
// or Applied on a server without storage.
const (
	FireAndForget Concern = iota + 1 // received
	Memory                           // received
	Applied                          // merged
	Replicated                       // merged on the backups too
	Persisted                        // on disk
)

// String is the concern's name on the wire, empty for none.
func (c Concern) String() string {
	switch c {
	case FireAndForget:
		return string(wire.FireAndForget)
	case Memory:
		return string(wire.Memory)
	case Applied:
		return string(wire.Applied)
	case Replicated:
		return string(wire.Replicated)
	case Persisted:
		return string(wire.Persisted)
	}
	return ""
}

func concernOf(w wire.WriteConcern) Concern { return Concern(w.Rank()) }

// Write is what became of one write. It need not be looked at.
type Write struct {
	done chan struct{} // closed when the fields below are final

	// Guarded by Client.mu until then.
	left   int // operations without an answer
	level  Concern
	err    error
	closed bool // the client was closed before all were answered
}

// newWrite returns the Write of n operations. Without any it is done.
func newWrite(n int) *Write {
	w := &Write{done: make(chan struct{}), left: n}
	if n == 0 {
		close(w.done)
	}
	return w
}

// settle takes the answer for one operation: the weakest level and the first
// error count.
func (w *Write) settle(level Concern, err error) {
	switch {
	case err != nil && w.err == nil:
		w.err = err
	case err == nil && (w.level == 0 || level < w.level):
		w.level = level
	}
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// Done is closed when the server has answered.
func (w *Write) Done() <-chan struct{} { return w.done }

// Wait waits until the server has acknowledged the write and returns the level
// that was reached. The error is a *RejectedError if the write was refused, a
// *ConcernError if it was carried out but did not come as far as it asked for,
// ErrClosed if the client was closed before, or that of ctx, whose end stops the
// waiting and not the write.
//
// The level of a write that had nothing to do is 0.
func (w *Write) Wait(ctx context.Context) (Concern, error) {
	select {
	case <-w.done:
	default:
		select {
		case <-w.done:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.level, nil
}

// WriteOption changes one thing about a write.
type WriteOption func(*writeOptions)

type writeOptions struct {
	concern Concern
	ttl     time.Duration
	hasTTL  bool
}

// WithConcern asks for an acknowledgement at this level. A level that the server
// does not offer is refused with a *RejectedError.
func WithConcern(c Concern) WriteOption {
	return func(o *writeOptions) { o.concern = c }
}

// WithTTL hides the record when d has passed, in whole milliseconds, at least
// one. The record stays in the map, unseen, until it is overwritten or removed.
func WithTTL(d time.Duration) WriteOption {
	return func(o *writeOptions) { o.ttl, o.hasTTL = d, true }
}

func newWriteOptions(opts []WriteOption) (writeOptions, error) {
	var o writeOptions
	for _, opt := range opts {
		opt(&o)
	}
	if o.hasTTL && o.ttl < time.Millisecond {
		return o, ErrInvalidTTL
	}
	return o, nil
}
