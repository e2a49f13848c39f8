package topgun

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Option changes one thing about a client. There is none that has to be given.
type Option func(*options)

// Limits bound what a client keeps and sends. The zero value of every field
// means its default. The replicas themselves are as large as the maps.
type Limits struct {
	// QueueOps is the most operations that wait for their acknowledgement; one
	// more write is refused with ErrQueueFull. Default 10 000.
	QueueOps int

	// QueueBytes is the most bytes of keys and values in that queue.
	// Default 64 MiB.
	QueueBytes int

	// KeyBytes and ValueBytes are the longest key and the largest encoded value;
	// what exceeds them is refused with ErrTooLarge. They should not be above
	// those of the server, which refuses too. Defaults 4 KiB and 1 MiB.
	KeyBytes, ValueBytes int

	// Publications is the most topic messages that wait to be sent; one more is
	// refused with ErrQueueFull. Default 1000.
	Publications int

	// Backlog is the most messages that wait in one subscription to a topic; the
	// oldest go first, and the next message says how many. Default 1024.
	Backlog int

	// MessageBytes is the largest message accepted from the server.
	// Default 64 MiB.
	MessageBytes int
}

func (l Limits) withDefaults() Limits {
	def(&l.QueueOps, 10_000)
	def(&l.QueueBytes, 64<<20)
	def(&l.KeyBytes, 4<<10)
	def(&l.ValueBytes, 1<<20)
	def(&l.Publications, 1000)
	def(&l.Backlog, 1024)
	def(&l.MessageBytes, 64<<20)
	return l
}

func def[T int | time.Duration](field *T, v T) {
	if *field == 0 {
		*field = v
	}
}

type options struct {
	token       func(context.Context) (string, error)
	deviceToken string
	offline     bool
	onError     func(error)
	limits      Limits
	backoff     backoff
	handshake   time.Duration
	clock       Clock
	random      Random
	http        *http.Client
	ownHTTP     *http.Transport // to be tidied up in Close
}

// WithToken authenticates with a JSON Web Token.
func WithToken(token string) Option {
	return WithTokenProvider(func(context.Context) (string, error) { return token, nil })
}

// WithTokenProvider authenticates with what provide returns. It is asked anew
// for every connection, and has to return when its context ends.
func WithTokenProvider(provide func(context.Context) (string, error)) Option {
	return func(o *options) { o.token = provide }
}

// WithDeviceToken presents the credential that Client.DeviceToken returned in an
// earlier process, so that the server knows the installation again. Without it
// the server makes a new one.
func WithDeviceToken(token string) Option {
	return func(o *options) { o.deviceToken = token }
}

// StartOffline makes Connect return without a connection; the client connects
// when it can.
func StartOffline() Option {
	return func(o *options) { o.offline = true }
}

// WithErrorHandler hands over everything that goes wrong and that no call
// returns: *ConnectionError, *AuthError, *ServerError and *RejectedError. The
// handler is called by one goroutine at a time and delays the client while it
// runs. It must not call Close.
func WithErrorHandler(handle func(error)) Option {
	return func(o *options) { o.onError = handle }
}

// WithLimits replaces the limits that are not zero.
func WithLimits(l Limits) Option {
	return func(o *options) { o.limits = l }
}

// WithBackoff sets how long to wait before connecting again: about first,
// doubled after each failure, up to most. Each wait is between 0.5 and 1.5 times
// as long, by chance, so that clients do not come back all at once. Defaults
// 500 ms and 30 s.
func WithBackoff(first, most time.Duration) Option {
	return func(o *options) { o.backoff = backoff{first, most} }
}

// WithHandshakeTimeout bounds dialling and authenticating together.
// Default 10 s.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(o *options) { o.handshake = d }
}

// WithHTTPClient makes the connection through an HTTP client, for its proxy and
// TLS settings. Its Timeout has to be zero.
func WithHTTPClient(h *http.Client) Option {
	return func(o *options) { o.http = h }
}

// WithDialer makes connections by dial, and not through any proxy.
func WithDialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return func(o *options) {
		o.ownHTTP = &http.Transport{DialContext: dial}
		o.http = &http.Client{Transport: o.ownHTTP}
	}
}

// WithClock reads time from another clock.
func WithClock(clk Clock) Option {
	return func(o *options) { o.clock = clk }
}

// WithRandom takes random bytes from another source.
func WithRandom(r Random) Option {
	return func(o *options) { o.random = r }
}

func newOptions(opts []Option) options {
	o := options{clock: systemClock{}, random: systemRandom{}, onError: func(error) {}}
	for _, opt := range opts {
		opt(&o)
	}
	o.limits = o.limits.withDefaults()
	o.backoff = o.backoff.withDefaults()
	def(&o.handshake, 10*time.Second)
	if o.http == nil {
		o.ownHTTP = &http.Transport{Proxy: http.ProxyFromEnvironment}
		o.http = &http.Client{Transport: o.ownHTTP}
	}
	return o
}

// checkURL refuses what cannot be dialled.
func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("topgun: the server's address: %w", err)
	}
	if (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		return fmt.Errorf("topgun: the server's address %q is not of the form ws://host:port/ws or wss://host:port/ws", address)
	}
	return nil
}

// backoff is how long to wait between attempts to connect.
type backoff struct{ first, most time.Duration }

func (b backoff) withDefaults() backoff {
	def(&b.first, 500*time.Millisecond)
	def(&b.most, 30*time.Second)
	return b
}

// after is the wait after n failures in a row before this one.
func (b backoff) after(n int, r Random) time.Duration {
	d := b.first
	for ; n > 0 && d < b.most; n-- {
		d *= 2
	}
	return jitter(r, min(d, b.most))
}
