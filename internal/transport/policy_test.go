package transport

import (
	"net/http"
	"strings"
	"testing"
)

func TestHostsAllowsWhatItWasTold(t *testing.T) {
	for _, c := range []struct {
		name       string
		configured []string
		loopback   bool
		host       string
		want       bool
	}{
		{"every name when nothing is configured", nil, false, "any.example.com", true},
		{"localhost on loopback", nil, true, "localhost:8080", true},
		{"localhost in capitals", nil, true, "LocalHost", true},
		{"an IPv4 loopback address", nil, true, "127.0.0.1:8080", true},
		{"another IPv4 loopback address", nil, true, "127.8.9.1", true},
		{"the IPv6 loopback address", nil, true, "[::1]:8080", true},
		{"the IPv6 loopback address without port", nil, true, "[::1]", true},
		{"a foreign name on loopback", nil, true, "evil.example.com", false},
		{"a name that begins like loopback", nil, true, "127.0.0.1.evil.example.com", false},
		{"a name that ends like loopback", nil, true, "evil.localhost.example", false},
		{"an empty host on loopback", nil, true, "", false},
		{"a private address on loopback", nil, true, "192.168.1.1", false},
		{"a configured name", []string{"grid.example.com"}, true, "Grid.Example.com.:8080", true},
		{"a configured name with port", []string{"grid.example.com:443"}, true, "grid.example.com", true},
		{"a name beside the configured one", []string{"grid.example.com"}, false, "other.example.com", false},
		{"loopback beside the configured one", []string{"grid.example.com"}, false, "localhost", true},
		{"any name when the star is configured", []string{"*"}, true, "any.example.com", true},
	} {
		if got := NewHosts(c.configured, c.loopback).Allow(c.host); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if (Hosts{}).Allow("evil.example.com") || !(Hosts{}).Allow("localhost") {
		t.Error("the zero value is not loopback names only")
	}
}

func TestOriginsAllowsPagesOfTheHostAndOfTheList(t *testing.T) {
	for _, c := range []struct {
		name         string
		listed       []string
		origin, host string
		want         bool
	}{
		{"no browser", nil, "", "grid.example.com", true},
		{"the same host", nil, "https://grid.example.com", "grid.example.com", true},
		{"the same host on another port", nil, "http://grid.example.com:5173", "grid.example.com:8080", true},
		{"another host", nil, "https://evil.example.com", "grid.example.com", false},
		{"a name that only begins the same", nil, "https://grid.example.com.evil.example", "grid.example.com", false},
		{"two names of this machine", nil, "http://localhost:5173", "127.0.0.1:8080", true},
		{"this machine to elsewhere", nil, "http://localhost:5173", "grid.example.com", false},
		{"a listed page", []string{"https://app.example.com"}, "https://app.example.com", "grid.example.com", true},
		{"a listed page in other words", []string{"HTTPS://App.example.com:443"}, "https://app.example.com", "grid.example.com", true},
		{"a listed page over another scheme", []string{"https://app.example.com"}, "http://app.example.com", "grid.example.com", false},
		{"a listed page on another port", []string{"https://app.example.com"}, "https://app.example.com:8443", "grid.example.com", false},
		{"a sandboxed page", nil, "null", "grid.example.com", false},
		{"a sandboxed page that is listed", []string{"null"}, "null", "grid.example.com", true},
		{"every page", []string{"*"}, "https://evil.example.com", "grid.example.com", true},
		{"no origin at all", nil, "grid.example.com", "grid.example.com", false},
	} {
		o, err := NewOrigins(c.listed)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := o.Allow(c.origin, c.host); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestOriginsNamesEveryEntryThatIsNone(t *testing.T) {
	_, err := NewOrigins([]string{"app.example.com", "https://ok.example.com", "https://x.example.com/path"})
	if err == nil || !strings.Contains(err.Error(), "app.example.com") || !strings.Contains(err.Error(), "/path") ||
		strings.Contains(err.Error(), "ok.example.com") {
		t.Errorf("error %v", err)
	}
}

func TestUpgradeIsRecognised(t *testing.T) {
	for _, c := range []struct {
		connection, upgrade string
		want                bool
	}{
		{"Upgrade", "websocket", true},
		{"keep-alive, upgrade", "WebSocket", true},
		{"keep-alive", "websocket", false},
		{"Upgrade", "h2c", false},
		{"Upgraded", "websocket", false},
		{"", "", false},
	} {
		r := &http.Request{ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
			"Connection": {c.connection}, "Upgrade": {c.upgrade},
		}}
		if got := IsUpgrade(r); got != c.want {
			t.Errorf("Connection %q, Upgrade %q: %v", c.connection, c.upgrade, got)
		}
	}
}
