package embedded

import (
	"fmt"
	"log/slog"
)

// A logger is what pebble writes its messages to. What it does in the course of
// its work is not worth a line; what goes wrong is.
type logger struct {
	log   *slog.Logger
	fatal func(what string)
}

// Infof implements pebble.Logger.
func (logger) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) {
	l.log.Warn("store engine reports a problem", "detail", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. Pebble calls it when it cannot go on, which
// the fence keeps from happening by way of the disk. It returns all the same:
// the fence is shut by then, and the process has other things to do.
func (l logger) Fatalf(format string, args ...any) {
	l.fatal(fmt.Sprintf(format, args...))
}
