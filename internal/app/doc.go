// Package app puts a server together: it is the one place where all parts meet.
//
// NewNode connects the grid, its services and its sessions, over whatever clock,
// randomness, log and store it is given; nothing in it runs by itself. Run is
// the server: it reads a configuration, opens real files and sockets, and gives
// each actor of the node a goroutine.
package app
