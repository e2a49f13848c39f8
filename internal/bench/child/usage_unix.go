//go:build unix

package child

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// cpuSeconds is the processor time that this process has used.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return (time.Duration(u.Utime.Nano()) + time.Duration(u.Stime.Nano())).Seconds()
}

// cpuWait is for how many seconds the threads of this process that live were ready
// to run while others had the processors, where /proc tells.
func cpuWait() float64 {
	files, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		return 0
	}
	var nanos uint64
	for _, name := range files {
		data, err := os.ReadFile(name)
		fields := bytes.Fields(data)
		if err != nil || len(fields) < 2 {
			continue // the thread has ended
		}
		n, _ := strconv.ParseUint(string(fields[1]), 10, 64)
		nanos += n
	}
	return time.Duration(nanos).Seconds()
}

// resident is the memory of this process that is in RAM, where /proc tells.
func resident() uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(data)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
