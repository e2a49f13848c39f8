package ws

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/transport"
)

// acceptGUID is the constant of RFC 6455 §4.2.2.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// maxPeerText bounds what is kept of a request header.
const maxPeerText = 256

// refusal is why an upgrade is not made.
type refusal struct {
	reason  string // label of the metric
	problem transport.Problem
	header  [2]string // one header to send along; empty: none
}

// check returns why r cannot be upgraded, or nil.
func (s *Server) check(r *http.Request) *refusal {
	origin := r.Header.Get("Origin")
	switch {
	case r.Method != http.MethodGet:
		return &refusal{
			"method",
			transport.Problem{Code: http.StatusMethodNotAllowed, Message: "a WebSocket begins with GET"},
			[2]string{"Allow", http.MethodGet},
		}
	case !s.opt.Hosts.Allow(r.Host):
		return &refusal{reason: "host", problem: transport.Problem{
			Code:    http.StatusForbidden,
			Message: fmt.Sprintf("host %.100q is not served here; add it to the allowed hosts", r.Host),
		}}
	case !transport.IsUpgrade(r):
		return &refusal{
			"no_upgrade",
			transport.Problem{Code: http.StatusUpgradeRequired, Message: "this is a WebSocket endpoint; connect with ws:// or wss://"},
			[2]string{"Upgrade", "websocket"},
		}
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return &refusal{
			"version",
			transport.Problem{Code: http.StatusUpgradeRequired, Message: "only version 13 of the WebSocket protocol is spoken"},
			[2]string{"Sec-WebSocket-Version", "13"},
		}
	case !validKey(r.Header["Sec-Websocket-Key"]):
		return &refusal{reason: "key", problem: transport.Problem{
			Code: http.StatusBadRequest, Message: "Sec-WebSocket-Key must be 16 bytes in base64", Field: "Sec-WebSocket-Key",
		}}
	case !s.opt.Origins.Allow(origin, r.Host):
		return &refusal{reason: "origin", problem: transport.Problem{
			Code:    http.StatusForbidden,
			Message: fmt.Sprintf("origin %.100q may not connect to this server; add it to the allowed origins", origin),
		}}
	}
	return nil
}

// full is the refusal of a server that has no room.
var full = &refusal{
	"full",
	transport.Problem{Code: http.StatusServiceUnavailable, Message: "the maximum of connections is reached; come back later"},
	[2]string{"Retry-After", "5"},
}

// stopping is the refusal of a server that is going away.
var stopping = &refusal{
	"stopping",
	transport.Problem{Code: http.StatusServiceUnavailable, Message: "the server is stopping"},
	[2]string{"Retry-After", "1"},
}

// refuse answers a request that is not upgraded.
func (s *Server) refuse(w http.ResponseWriter, why *refusal) {
	s.metrics.refused.WithLabelValues(why.reason).Inc()
	if why.header[0] != "" {
		w.Header().Set(why.header[0], why.header[1])
	}
	why.problem.Write(w)
}

// answer is the response to a request that check has passed. RFC 6455 wants the
// key hashed as proof that the other end understood; it protects nothing.
func answer(r *http.Request) []byte {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + acceptGUID))
	b := make([]byte, 0, 160)
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	return append(b, "\r\n\r\n"...)
}

// peerOf describes who sent r. It keeps nothing of r alive.
func peerOf(r *http.Request, c net.Conn) transport.Peer {
	p := transport.Peer{
		Transport: "ws",
		Host:      short(r.Host),
		Origin:    short(r.Header.Get("Origin")),
		UserAgent: short(r.UserAgent()),
	}
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		p.Remote = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return p
}

// short is a copy of at most the beginning of s.
func short(s string) string {
	return strings.Clone(s[:min(len(s), maxPeerText)])
}

// validKey reports whether there is one key of the form that RFC 6455 asks for.
func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(key) == 16
}
