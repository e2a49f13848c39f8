package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/app/config"
)

// process is what the system gives a program.
type process struct {
	args    []string // the first is the name it was called by
	environ []string
	stdout  io.Writer
	stderr  io.Writer
}

// server runs a node until ctx ends, then drains and returns nil.
type server func(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error

func main() {
	// The first signal asks the command to stop. The system's default is back
	// before anybody can notice that, so that a second one ends the process at
	// once and is never swallowed.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-signals
		signal.Stop(signals)
		if len(signals) > 0 { // the second came with the first
			os.Exit(exitFailed)
		}
		stop()
	}()

	p := process{args: os.Args, environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(run(ctx, p, app.Run))
}
