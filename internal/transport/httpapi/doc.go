// Package httpapi answers what is asked over plain HTTP.
//
// An [API] is the handler of the node's HTTP server: it gives every request an
// id, hands upgrades to the WebSocket handler, answers the operator's questions
// (health, metrics), serves the files that are built into the program, and
// carries the endpoints that others mount on it. Whatever is not a success is
// answered with a [transport.Problem], also for paths and methods that nobody
// serves. Bodies are bounded: a mounted endpoint reads its body with [ReadBody]
// and gets the answer to give when that fails.
//
// The package starts no goroutine, and an API is safe for concurrent use once
// everything is mounted.
package httpapi
