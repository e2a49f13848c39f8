// Package socket is the client's end of a WebSocket, made to cost a load
// generator as little as possible: frames are prepared once, with room for their
// header and a mask of zeros, and written as they are; what arrives is handed out
// as views of one buffer.
//
// One goroutine reads a Conn and one writes to it; they may be the same one.
package socket
