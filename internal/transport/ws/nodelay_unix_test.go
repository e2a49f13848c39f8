//go:build unix

package ws

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSocketDoesNotDelaySmallWrites(t *testing.T) {
	n := start(t, &sessions{handle: echo}, Options{})
	n.raw()
	n.session()
	n.srv.mu.Lock()
	defer n.srv.mu.Unlock()
	for c := range n.srv.conns {
		tcp, _ := c.net.(*net.TCPConn)
		sys, err := tcp.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = sys.Control(func(fd uintptr) {
			if v, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || v == 0 {
				t.Errorf("TCP_NODELAY is %d: %v", v, err)
			}
		})
	}
}
