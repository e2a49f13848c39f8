package transport

import (
	"net"
	"net/netip"
	"strings"
)

// Hosts decides which Host headers a server answers to.
//
// A page on the internet can give its own name the address 127.0.0.1 and then
// talk to a server on the visitor's machine as if it were its own ("DNS
// rebinding"). It cannot change the Host header, so a server that is bound to
// loopback answers to loopback names and to the names it was told, no others.
type Hosts struct {
	any   bool
	names map[string]struct{}
}

// NewHosts allows the names in configured, with or without a port, besides the
// names of the loopback addresses; "*" allows every name. Nothing configured
// means every name, unless the server is bound to loopback only.
func NewHosts(configured []string, loopbackOnly bool) Hosts {
	h := Hosts{any: len(configured) == 0 && !loopbackOnly, names: make(map[string]struct{}, len(configured))}
	for _, c := range configured {
		if c == "*" {
			h.any = true
		}
		h.names[hostname(c)] = struct{}{}
	}
	return h
}

// Allow reports whether a request with this Host header is answered.
func (h Hosts) Allow(host string) bool {
	if h.any {
		return true
	}
	name := hostname(host)
	if IsLoopback(name) {
		return true
	}
	_, ok := h.names[name]
	return ok && name != ""
}

// IsLoopback reports whether name, a host without a port, means this machine
// and nothing else.
func IsLoopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// hostname is the lower-case name in a host with an optional port.
func hostname(hostport string) string {
	name := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
