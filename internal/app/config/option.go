package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// Option describes one setting to whoever offers it: the command line, the
// documentation, an operator's tool.
type Option struct {
	// Name is the flag without its dashes, and the key in the file.
	Name string
	// Env is the environment variable.
	Env string
	// Group is the heading under which the option is shown.
	Group string
	// Default is the text of the value when nothing is given; empty: none.
	Default string
	// Help says what the option does, in one or two sentences.
	Help string
	// NoFlag keeps the option off the command line, where every user of the
	// machine can read it.
	NoFlag bool
	// Secret means that the value is never shown.
	Secret bool

	value value
}

// Options returns every option in the order of the documentation.
func Options() []Option {
	return define(new(Config), new(string))
}

// Kind names the type of the value: number, size, duration, switch, choice,
// text, list or secret.
func (o Option) Kind() string { return o.value.kind() }

// Allowed says which values are accepted, without a full stop.
func (o Option) Allowed() string { return o.value.allowed() }

// Switch reports whether the flag may stand without a value.
func (o Option) Switch() bool {
	_, ok := o.value.(onOff)
	return ok
}

// localhost is the one host name that needs no look-up to be understood.
const localhost = "localhost"

func isAny(string) bool { return true }

// isPath refuses only what no file system takes.
func isPath(s string) bool { return !strings.ContainsRune(s, 0) }

func isNodeID(s string) bool {
	return len(s) <= 64 && !strings.ContainsAny(s[:1], "._-") && onlyNameBytes(s, "._-")
}

func isHost(s string) bool {
	if s == localhost {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isHostName accepts a host name or an IP address, as a Host header has it
// without its port, and "*".
func isHostName(s string) bool {
	if s == "*" || isHost(s) {
		return true
	}
	return s != "" && len(s) <= 253 && onlyNameBytes(s, ".-")
}

// isOrigin accepts what a browser sends as Origin, and "*". The schemes of
// application shells, such as tauri or capacitor, are as good as https.
func isOrigin(s string) bool {
	if s == "*" || s == "null" {
		return true
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" {
		return false
	}
	return s == u.Scheme+"://"+u.Host
}

// onlyNameBytes reports whether s consists of ASCII letters, digits and extra.
func onlyNameBytes(s, extra string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case strings.ContainsRune(extra, r):
		default:
			return false
		}
	}
	return true
}
