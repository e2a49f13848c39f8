// Package transport is the floor between sockets and sessions.
//
// It declares what the packages below it in the tree share: the [Session] that
// a connection talks to and its [Peer], the addresses that a server listens on
// ([Listen]), who may talk to it ([Hosts], [Origins]), the shape of an HTTP
// refusal ([Problem]), and the [Server] that owns the listeners and the order of
// a graceful stop. How bytes become messages is in package ws, what is answered
// over plain HTTP in package httpapi; neither knows the other, they meet in
// internal/app.
//
// A transport knows no message: it moves whole frames between a socket and a
// session. Order, limits on work, answers and errors are the session's; limits
// on bytes, connections and time on the socket are the transport's. One session
// belongs to one connection, is fed by one goroutine and drained by at most one
// other. A session that blocks in Handle is how the socket is slowed down.
package transport
