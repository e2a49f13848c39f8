// Package session is one client of the server, whatever it is connected by.
//
// A Session takes frames in order, decides who is speaking, hands messages to
// the services, and collects what they answer in a bounded outbox. It never
// handles two frames at once, so a client's operations apply in the order in
// which it sent them. It may have many answers outstanding: reading ahead is
// what lets one sync serve many operations.
//
// # Back-pressure
//
// When a service or the grid is busy, or the session's share of operations is
// used up, Handle waits and the socket is not read. While it waits the session
// repeats a PONG, so that a waiting client does not take the silence for a dead
// connection (protocol 00 §7.5). In the other direction nobody waits: an outbox
// that is full ends the session.
//
// # Step-driven
//
// Try is the session without the waiting: it carries out a frame or reports
// that it cannot now. Handle is a loop around it; the simulator calls Try.
package session
