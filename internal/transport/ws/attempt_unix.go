//go:build unix

package ws

import (
	"errors"
	"net"
	"syscall"
)

// attempt is a write that does not wait.
type attempt struct {
	raw  syscall.RawConn // nil if the connection has none
	call func(fd uintptr) bool

	// What call writes, and what became of it.
	data []byte
	n    int
	err  error
}

func newAttempt(c net.Conn) *attempt {
	a := &attempt{}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			a.raw = raw
		}
	}
	a.call = func(fd uintptr) bool { // made once, so that a write costs no memory
		for {
			a.n, a.err = syscall.Write(int(fd), a.data)
			if !errors.Is(a.err, syscall.EINTR) {
				return true
			}
		}
	}
	return a
}

// write writes what the socket takes now. waits says that it does not take it
// all.
func (a *attempt) write(data []byte) (n int, waits bool, err error) {
	if a.raw == nil {
		return 0, true, nil
	}
	a.data = data
	if err := a.raw.Write(a.call); err != nil {
		return 0, false, err
	}
	a.data = nil
	switch n = max(a.n, 0); {
	case a.err == nil:
		return n, n < len(data), nil
	case errors.Is(a.err, syscall.EAGAIN):
		return n, true, nil
	}
	return n, false, a.err
}
