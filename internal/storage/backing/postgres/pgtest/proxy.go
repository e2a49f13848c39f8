package pgtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between a client and a server and can cut what goes through it.
type Proxy struct {
	to string
	ls net.Listener

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
	stall bool
	left  int // bytes to the server until the next cut; negative: no limit

	done sync.WaitGroup
}

// NewProxy returns a proxy to the server at an address, which ends with the
// test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	ls, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &Proxy{to: to, ls: ls, conns: map[net.Conn]bool{}, left: -1}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		_ = ls.Close()
		p.SetDown(true)
		p.done.Wait()
	})
	return p
}

// URL is base, by way of the proxy.
func (p *Proxy) URL(t testing.TB, base string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("parse the URL of the server: %v", err)
	}
	u.Host = p.ls.Addr().String()
	return u.String()
}

// SetDown says whether connections are refused; those there are are cut.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.Cut()
	}
}

// Cut cuts all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = false
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

// Stall has everything that comes from now on vanish, as in a network that
// drops packets, until the connections are cut.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stall = true
}

// CutAfter cuts all connections, once, after so many more bytes to the server.
func (p *Proxy) CutAfter(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = bytes
}

func (p *Proxy) accept() {
	for {
		c, err := p.ls.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	s, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	p.mu.Lock()
	if p.down {
		p.mu.Unlock()
		return
	}
	p.conns[c], p.conns[s] = true, true
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, s)
		_ = c.Close()
	})
	_, _ = io.Copy(counted{s, p}, c)
	_ = s.Close()
	back.Wait()
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}

// counted is a connection to the server that ends all when enough was written.
type counted struct {
	net.Conn
	p *Proxy
}

// Write implements io.Writer.
func (c counted) Write(b []byte) (int, error) {
	c.p.mu.Lock()
	if c.p.stall {
		c.p.mu.Unlock()
		return len(b), nil
	}
	left := c.p.left
	if left >= 0 {
		c.p.left = max(left-len(b), -1)
	}
	c.p.mu.Unlock()
	if left < 0 || left >= len(b) {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:left])
	c.p.Cut()
	if err == nil {
		err = net.ErrClosed
	}
	return n, err
}
