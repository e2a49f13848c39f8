package service

import (
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/policy"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Caller is one session as services see it. It is made when the session has
// authenticated, and its fields do not change. Subscriptions are identified by
// the caller and the client's own id together; two sessions may use the same id.
type Caller struct {
	// ID is unique among the sessions of a process and never zero.
	ID uint64

	Principal policy.Principal
	Device    string

	// Author is put on the changes that this caller makes.
	Author *change.Author

	Out Outbox

	// Acks puts the acknowledgements of this session into the order of its
	// operations.
	Acks *Order

	// Asks bounds the requests of this session that have large answers.
	Asks *Asks

	// Wake is called by whoever answered ErrBusy, once the same message may be
	// tried again.
	Wake func()
}

// Outbox takes the messages to one client. It is bounded: a client that does
// not read is closed, never waited for.
type Outbox interface {
	// Send queues a frame. It does not block, and after the session has ended it
	// does nothing. It may be called from any goroutine.
	Send(f Frame)

	// SendAll is Send for several frames, in order. It does not keep the slice.
	SendAll(frames []Frame)

	// Behind reports whether so much waits to be sent that what can be told later
	// should be. It may be called from any goroutine.
	Behind() bool

	// Drained reports whether little waits to be sent: as little as it takes for
	// Behind to report false again. If more does, then is called once, from any
	// goroutine, when that has changed. For a session that is being closed it
	// reports false and calls nobody: nothing more is sent.
	Drained(then func()) bool

	// Close ends the session after what was queued has been sent.
	Close(why *CloseError)
}

// Send queues a message of the caller's own.
func (c *Caller) Send(m wire.Message) {
	c.Out.Send(Frame{Head: wire.Append(nil, m)})
}
