//go:build !unix

package ws

import "net"

// attempt is a write that does not wait; here there is none.
type attempt struct{}

func newAttempt(net.Conn) *attempt { return &attempt{} }

// write leaves everything to a write that waits.
func (*attempt) write([]byte) (n int, waits bool, err error) { return 0, true, nil }
