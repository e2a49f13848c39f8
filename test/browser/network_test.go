package browser

import (
	"io"
	"net"
	"sync"
	"testing"
)

// network is the way from one person's browser to a server. It can be cut, in
// the middle of whatever is under way, and it leads to whichever process the
// server is.
type network struct {
	listener net.Listener
	server   *server

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
	all   sync.WaitGroup
}

// connect lays a network to a server.
func connect(t *testing.T, s *server) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{listener: l, server: s, conns: map[net.Conn]struct{}{}}
	n.all.Go(n.accept)
	t.Cleanup(func() {
		_ = l.Close()
		n.cut()
		n.all.Wait()
	})
	return n
}

// url is where the server is, through the network.
func (n *network) url() string { return "http://" + n.listener.Addr().String() + "/" }

// cut ends every connection and lets nothing through any more.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for c := range n.conns {
		_ = c.Close()
	}
	clear(n.conns)
}

// heal lets connections through again.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

func (n *network) accept() {
	for {
		c, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.all.Go(func() { n.carry(c) })
	}
}

// carry takes bytes both ways until one side ends.
func (n *network) carry(browser net.Conn) {
	defer n.drop(browser)
	if !n.keep(browser) {
		return
	}
	there, err := net.Dial("tcp", n.server.addr())
	if err != nil {
		return
	}
	defer n.drop(there)
	if !n.keep(there) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{browser, there}, {there, browser}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // a network tells nobody why
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
}

// keep remembers a connection, unless the network is down.
func (n *network) keep(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return false
	}
	n.conns[c] = struct{}{}
	return true
}

func (n *network) drop(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = c.Close()
	delete(n.conns, c)
}
