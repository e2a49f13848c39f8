package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/bench"
	"github.com/topgunbuild/topgun-go/internal/bench/child"
	"github.com/topgunbuild/topgun-go/internal/bench/floor"
)

// benchCommand measures a server.
type benchCommand struct {
	Scenario    string        `arg:"" enum:"write,query,fanout,sync,idle,memory" help:"What to measure: write, query (many standing queries), fanout (one writer, many live queries), sync (of a replica), idle (memory of a silent connection) or memory (of records, and starts)."`
	Connections int           `default:"50" help:"Clients: writers, subscribers or idle ones."`
	Batch       int           `default:"10" help:"Operations in a frame."`
	Window      int           `default:"0" help:"Frames of a connection that wait for their acknowledgement, 1 by default; in fanout writes that have not reached every subscriber, 64 by default."`
	Concern     string        `default:"persisted" enum:"memory,applied,persisted" help:"What an acknowledgement means: memory, applied or persisted."`
	Duration    time.Duration `default:"10s" help:"Measured time of the server; the floor gets as much."`
	Warmup      time.Duration `default:"2s" help:"Time before it."`
	ValueBytes  int           `default:"100" help:"Size of each value."`
	Keys        int           `default:"10000" help:"Keys that are written, records that are synchronised."`
	Rate        int           `default:"0" help:"Writes per second in fanout and query; 0 is as fast as they are delivered, and 2000 in query."`
	Queries     int           `default:"100000" help:"Standing queries: so many equalities, a tenth of it ranges, a tenth of it windows over as many records."`
	Part        string        `help:"The only part of query to measure: equalities, ranges, windows or index; by default all." placeholder:"PART"`

	MemoryBudget string `help:"What a started server may take, as its --memory-budget says." placeholder:"SIZE"`

	URL        string `help:"A server that runs already, as ws://host:port/ws; none starts one and measures it and a floor."`
	JSON       string `name:"json" help:"A file for the figures." placeholder:"FILE"`
	CPUProfile string `name:"cpuprofile" help:"A file for a CPU profile of the started server." placeholder:"FILE"`
	Dir        string `help:"Where a started server keeps its data; by default in the system's directory for temporary files." placeholder:"DIR"`
}

// Help is what `topgun bench --help` says beyond its flags.
func (benchCommand) Help() string {
	return `Server and floor run as processes of their own. The floor takes the same frames over the same kind of sockets and only acknowledges; ` +
		`it is measured in turn with the server. Quote ratios, not absolute figures. docs/bench.md explains each figure.

A server given by --url limits the operations of each connection (--ops-per-second, 20000 by default); one that this program starts does not.`
}

// errMeasured is returned when a run has figures, but not good ones.
var errMeasured = errors.New("operations were refused or failed; the figures above do not count")

// Run measures and prints.
func (c benchCommand) Run(ctx context.Context, p process) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	res, err := bench.Run(ctx, bench.Options{
		Scenario: c.Scenario, Connections: c.Connections, Batch: c.Batch, Window: c.Window, Concern: c.Concern,
		Duration: c.Duration, Warmup: c.Warmup, ValueBytes: c.ValueBytes, Keys: c.Keys, Rate: c.Rate, Queries: c.Queries, Part: c.Part,
		URL: c.URL, MemoryBudget: c.MemoryBudget, CPUProfile: c.CPUProfile, Dir: c.Dir,
		Program: program, Environ: p.environ, Stderr: p.stderr, Clock: app.SystemClock(),
	})
	if err != nil {
		return fmt.Errorf("bench %s: %w", c.Scenario, err)
	}
	if err := res.WriteTable(p.stdout); err != nil {
		return err
	}
	if c.JSON != "" {
		b, err := json.MarshalIndent(res, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.JSON, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if res.Errors+res.Refused > 0 {
		return errMeasured
	}
	return nil
}

// benchChildCommand is what bench starts: the server or the floor, with a
// standard input that takes commands.
type benchChildCommand struct {
	What string `arg:"" enum:"server,floor"`
	With string `arg:"" help:"The server's directory, the floor's level."`
}

// Run serves until its standard input ends.
func (c benchChildCommand) Run(ctx context.Context, p process) error {
	return child.Serve(ctx, os.Stdin, p.stdout, func(ctx context.Context) error {
		if c.What == "floor" {
			return floor.Run(ctx, app.SystemClock(), c.With, p.stdout, p.stderr)
		}
		cfg, err := config.Load(config.Sources{
			Environ: append(bench.BudgetOf(p.environ),
				"TOPGUN_NO_AUTH=1", "PORT=0", "TOPGUN_DATA_DIR="+c.With, "TOPGUN_LOG_LEVEL=warn",
				// What is measured is the server, not the share that it gives each client.
				"TOPGUN_OPS_PER_SECOND=10000000", "TOPGUN_OPS_BURST=10000000",
			),
			ReadFile: os.ReadFile,
		})
		if err != nil {
			return err
		}
		return app.Run(ctx, cfg, p.stdout, p.stderr)
	})
}
