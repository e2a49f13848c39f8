package socket

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// acceptGUID is the constant of RFC 6455 §4.2.2.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// key is what every connection sends as Sec-WebSocket-Key: the header proves that
// the server understood, it protects nothing.
const key = "dG9wZ3VuIGJlbmNobWFyaw=="

// Dial opens a connection to a ws:// or wss:// URL. ctx bounds the dialling only.
func Dial(ctx context.Context, target string) (*Conn, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	nc, err := dial(ctx, u)
	if err != nil {
		return nil, err
	}
	c, err := upgrade(nc, u)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("upgrade of %s: %w", target, err), nc.Close())
	}
	return c, nil
}

func dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	host, port := u.Hostname(), u.Port()
	switch u.Scheme {
	case "ws":
		if port == "" {
			port = "80"
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	case "wss":
		if port == "" {
			port = "443"
		}
		return (&tls.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	}
	return nil, fmt.Errorf("socket: %q is no ws:// or wss:// URL", u)
}

func upgrade(nc net.Conn, u *url.URL) (*Conn, error) {
	path := u.RequestURI()
	_, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, u.Host, key)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(nc)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	sum := sha1.Sum([]byte(key + acceptGUID))
	switch {
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return nil, fmt.Errorf("the server answers %s", answer.Status)
	case answer.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return nil, errors.New("the server's answer is no WebSocket's")
	}
	early, err := in.Peek(in.Buffered())
	if err != nil {
		return nil, err
	}
	c := &Conn{net: nc, buf: make([]byte, max(readBuffer, len(early)))}
	c.w = copy(c.buf, early)
	return c, nil
}
