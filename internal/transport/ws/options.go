package ws

import (
	"errors"
	"time"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// Options configures a Server. The zero value of every field but Hosts and
// Origins means its default.
type Options struct {
	// Hosts are the Host headers that are answered. The zero value is loopback
	// names only.
	Hosts transport.Hosts

	// Origins are the pages that may connect. The zero value is pages of the
	// same host only.
	Origins transport.Origins

	// MaxConnections bounds the connections open at a time; further ones are
	// refused with 503. Default 100 000.
	MaxConnections int

	// MaxMessageBytes bounds an incoming message, over all its fragments; a
	// bigger one ends the connection with 1009. Default 2 MiB.
	MaxMessageBytes int

	// HandshakeTimeout bounds how long the answer to an upgrade may take to
	// leave. Default 5 s.
	HandshakeTimeout time.Duration

	// StallTimeout is how long a peer may accept no byte at all while there is
	// something to send to it; then the connection is cut. It is measured with
	// a tolerance of a quarter. Default 15 s, after which a client that got
	// nothing gives up as well.
	StallTimeout time.Duration

	// CloseTimeout bounds an orderly close twice: the rest of the outbox and
	// the close frame must be written in this time, and the peer's answer is
	// awaited for this time. Default 2 s.
	CloseTimeout time.Duration
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	orDefault(&o.MaxConnections, 100_000)
	orDefault(&o.MaxMessageBytes, 2<<20)
	orDefault(&o.HandshakeTimeout, 5*time.Second)
	orDefault(&o.StallTimeout, 15*time.Second)
	orDefault(&o.CloseTimeout, 2*time.Second)
	return o
}

// orDefault sets v to d if it is zero.
func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// validate reports everything that is wrong with o.
func (o Options) validate() error {
	var errs []error
	if o.MaxConnections < 0 {
		errs = append(errs, errors.New("maximum of connections is negative"))
	}
	if o.MaxMessageBytes < 0 {
		errs = append(errs, errors.New("maximum of message bytes is negative"))
	}
	if o.HandshakeTimeout < 0 || o.StallTimeout < 0 || o.CloseTimeout < 0 {
		errs = append(errs, errors.New("a timeout is negative"))
	}
	return errors.Join(errs...)
}
