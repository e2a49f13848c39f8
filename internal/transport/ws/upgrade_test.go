package ws

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// request sends a proper upgrade with changes: "Name: -" removes a header,
// "Method: X" is the method. It returns the status, the headers and what a
// refusal says.
func (n *node) request(t *testing.T, changes string) (int, http.Header, transport.Problem) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.addr+"/ws", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(handshake[strings.Index(handshake, "\n")+1:]+changes, "\r\n") {
		name, value, ok := strings.Cut(line, ": ")
		switch {
		case !ok:
		case name == "Host":
			req.Host = value
		case value == "-":
			req.Header.Del(name)
		case name == "Method":
			req.Method = value
		default:
			req.Header.Set(name, value)
		}
	}
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var p transport.Problem
	if res.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(res.Body)
		if err := json.Unmarshal(body, &p); err != nil || p.Code != res.StatusCode || p.Message == "" {
			t.Errorf("body %q does not say what is wrong: %v", body, err)
		}
	}
	return res.StatusCode, res.Header, p
}

func TestUpgradeIsRefusedWithAReason(t *testing.T) {
	origins, err := transport.NewOrigins([]string{"https://app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, &sessions{handle: echo}, Options{
		Hosts: transport.NewHosts([]string{"grid.example.com"}, true), Origins: origins,
	})
	for _, c := range []struct {
		name, change string
		status       int
		reason, say  string
	}{
		{"a proper request", "", 101, "", ""},
		{"no upgrade", "Upgrade: -", 426, "no_upgrade", "ws://"},
		{"no connection upgrade", "Connection: keep-alive", 426, "no_upgrade", "ws://"},
		{"another method", "Method: POST", 405, "method", "GET"},
		{"an old version", "Sec-WebSocket-Version: 8", 426, "version", "13"},
		{"no key", "Sec-WebSocket-Key: -", 400, "key", "Key"},
		{"a short key", "Sec-WebSocket-Key: AAAA", 400, "key", "Key"},
		{"a rebound host", "Host: evil.example.com:8080", 403, "host", "evil.example.com"},
		{"a configured host", "Host: GRID.example.com:80", 101, "", ""},
		{"an IPv6 loopback host", "Host: [::1]:80", 101, "", ""},
		{"a foreign origin", "Origin: https://evil.example.com", 403, "origin", "evil.example.com"},
		{"a listed origin", "Origin: https://app.example.com", 101, "", ""},
		{"a page of the same host", "Origin: http://localhost:5173", 101, "", ""},
		{"a page of the same configured host", "Host: grid.example.com\r\nOrigin: https://grid.example.com", 101, "", ""},
		{"a sandboxed page", "Origin: null", 403, "origin", "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := 0
			if c.reason != "" {
				before = metric(n.srv.metrics.refused.WithLabelValues(c.reason))
			}
			status, _, p := n.request(t, c.change)
			if status != c.status || !strings.Contains(p.Message, c.say) {
				t.Errorf("answered %d %q, want %d saying %q", status, p.Message, c.status, c.say)
			}
			if c.reason != "" && metric(n.srv.metrics.refused.WithLabelValues(c.reason)) != before+1 {
				t.Errorf("the refusal is not counted as %q", c.reason)
			}
		})
	}
}

func TestFullServerRefusesUntilAPlaceIsFree(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{MaxConnections: 1, Hosts: transport.NewHosts(nil, true)})
	r := n.raw()
	s := n.session()
	status, header, _ := n.request(t, "")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Fatalf("answered %d %v", status, header)
	}
	_ = r.net.Close()
	await(t, s.gone, "end of the session")
	for n.srv.Connections() != 0 { // the place is free right after Closed
		runtime.Gosched()
	}
	n.raw().write(clientFrame(true, opBinary, "x"))
	n.session()
}

func TestExtensionsAndSubprotocolsAreNotNegotiated(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	status, header, _ := n.request(t, "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat")
	for _, h := range []string{"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} {
		if got := header.Get(h); status != http.StatusSwitchingProtocols || got != "" {
			t.Errorf("answered %d with %s %q", status, h, got)
		}
	}
}

func TestPeerIsDescribed(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	n.request(t, "Origin: http://localhost\r\nUser-Agent: "+strings.Repeat("u", 1000))
	p := n.session().peer
	if !p.Remote.Addr().Is4() || !p.Remote.Addr().IsLoopback() || p.Remote.Port() == 0 || p.Transport != "ws" ||
		p.Host != "localhost" || p.Origin != "http://localhost" || p.UserAgent != strings.Repeat("u", 256) {
		t.Errorf("peer %+v", p)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	_, err := New(&sessions{}, newTestClock(), slog.New(slog.DiscardHandler), m, Options{MaxConnections: -1, StallTimeout: -1})
	if err == nil || !strings.Contains(err.Error(), "connections") || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("error %v, want both complaints", err)
	}
}
