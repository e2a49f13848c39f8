package app

import (
	"os"
	"runtime"
)

// addProcessor lets one goroutine more run at once than there are processors. The
// log is synced most of the time when there is much to write; whoever waits for the
// disk keeps a processor of Go's scheduler until that notices, which takes as long
// as a good part of the sync. undo takes it back. See decision 019.
//
// What the environment says of GOMAXPROCS counts more, and a container that may use
// fewer processors than the machine has keeps to those: it would be slowed down for
// using more.
func addProcessor() (undo func()) {
	n := runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") != "" || n != runtime.NumCPU() {
		return func() {}
	}
	runtime.GOMAXPROCS(n + 1)
	return runtime.SetDefaultGOMAXPROCS
}
