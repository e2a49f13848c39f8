package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// portAttempts bounds how often a port that the system picked is given back
// because the other address family has it in use.
const portAttempts = 64

// Listeners are the open sockets of one server. All have the same port.
type Listeners struct {
	All  []net.Listener
	Port int
}

// Listen opens host and port; port 0 lets the system pick one. The host
// "localhost" is both 127.0.0.1 and ::1 on the same port, or the one of them
// that the machine has; an empty host is every address of both families; any
// other is opened as given. The caller owns the listeners.
func Listen(ctx context.Context, host string, port int) (Listeners, error) {
	hosts := []string{host}
	if strings.EqualFold(host, "localhost") {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for attempt := 1; ; attempt++ {
		l, err := listenAll(ctx, hosts, port)
		if err == nil {
			return l, nil
		}
		if port != 0 || attempt == portAttempts || !errors.Is(err, syscall.EADDRINUSE) {
			return Listeners{}, fmt.Errorf("listen on %s: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
		}
	}
}

// Close closes every listener.
func (l Listeners) Close() error {
	var errs []error
	for _, one := range l.All {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// listenAll opens port on all hosts or on none. When port is 0 the first host
// picks and the others follow. An address family that the machine lacks is
// left out as long as one remains.
func listenAll(ctx context.Context, hosts []string, port int) (Listeners, error) {
	l := Listeners{Port: port}
	var lc net.ListenConfig
	var missing error
	for _, host := range hosts {
		one, err := lc.Listen(ctx, network(host), net.JoinHostPort(host, strconv.Itoa(l.Port)))
		switch {
		case err == nil:
			l.All = append(l.All, one)
			if a, ok := one.Addr().(*net.TCPAddr); ok {
				l.Port = a.Port
			}
		case len(hosts) > 1 && isMissingFamily(err):
			missing = err
		default:
			return Listeners{}, errors.Join(err, l.Close())
		}
	}
	if len(l.All) == 0 {
		return Listeners{}, missing
	}
	return l, nil
}

// network is the family to open host in: 0.0.0.0 alone does not keep package
// net from opening IPv6 as well.
func network(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		return "tcp4"
	}
	return "tcp"
}

// isMissingFamily reports whether the machine does not have the address at all.
func isMissingFamily(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT)
}
