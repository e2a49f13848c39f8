// Package ws carries sessions over WebSocket (RFC 6455).
//
// A [Server] is an [http.Handler] that upgrades requests; every connection gets
// a session from [transport.Sessions] and lives until either side closes it.
// Messages are binary, one document each. Text messages are read, counted and
// ignored. Extensions and subprotocols are not negotiated.
//
// # The protocol is ours
//
// The server's half of RFC 6455 is small (framing.go, reader.go, batch.go), and
// writing it down gives three things that the libraries we measured do not:
// memory that follows what has arrived and not what a header declares, no read
// buffer worth mentioning for a connection that is silent, and one write to the
// socket for everything that waits, whatever number of messages that is. The
// client half of the tests is another implementation.
//
// # Goroutines
//
// One reader per connection, started at the upgrade; it alone calls Handle and
// Closed. One writer while there is something to write, started by a notify or
// by the reader, at most one at a time; it alone writes to the socket after the
// upgrade, calls Take and sends the close frame. A pong or a close that the
// reader owes is left for the writer. Closed is called when the socket is
// closed and both have ended; [Server.Shutdown] returns when that is true for
// every connection.
//
// # Limits
//
// Number of connections, bytes of a message, time for the upgrade, time without
// progress of a write, time for an orderly close. Memory of a connection is its
// reader's stack, 1 KiB of read buffer, the message being read (growing with
// its bytes, up to the limit), and, while it is written to, one batch.
package ws
