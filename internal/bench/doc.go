// Package bench measures a server of the protocol from outside, over real
// sockets, and says what it measured.
//
// Server and floor run as processes of their own (package child), so that their
// processor time and memory are told apart from those of the load generator. The
// floor (package floor) takes the same frames over the same sockets and does
// nothing but acknowledge; write measures it in the same run, in turn with the
// server, because two runs on a shared machine cannot be compared.
//
// Frames are encoded before the clock starts; a frame that is sent again gets
// new timestamps and ids in place. Every connection has keys of its own, so every
// operation is newer than what is stored and really applied. Refusals and errors
// are counted and make the run fail.
package bench
