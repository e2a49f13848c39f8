// Package peer is a client for tests that is made of nothing but frames: it
// knows no map, no operation log and no reconnect, so that a test says exactly
// what is sent and sees exactly what is answered.
//
// Conn returns errors and may be used by a goroutine of a test; Peer wraps one
// and fails the test instead. Neither is safe for concurrent use, except that
// one goroutine may send while another reads.
package peer
