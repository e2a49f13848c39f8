package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/topgunbuild/topgun-go/internal/app/config"
)

// Exit codes of the program.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// serverName is the name under which the program is `topgun serve`.
const serverName = "topgun-server"

const description = "A reactive in-memory data grid: maps that merge, are kept on disk, and push every change to the queries it matters to."

// grammar is the command line.
type grammar struct {
	Dev     devCommand     `cmd:"" help:"Run a node to try things out on: no authentication, this machine only, with the board at /."`
	Serve   serveCommand   `cmd:"" help:"Run a node."`
	Backup  backupCommand  `cmd:"" help:"Copy a running server: all of it, then what has changed."`
	Restore restoreCommand `cmd:"" help:"Make a data directory of a backup."`
	Verify  verifyCommand  `cmd:"" help:"Check a backup from one end to the other."`
	Export  exportCommand  `cmd:"" help:"Write maps as lines of JSON."`
	Import  importCommand  `cmd:"" help:"Bring lines of JSON into a running server."`
	Inspect inspectCommand `cmd:"" help:"Look into what a node has on disk."`
	Query   queryCommand   `cmd:"" help:"Ask how a running server answers queries."`
	Bench   benchCommand   `cmd:"" help:"Measure a server, and what the least possible one would do."`
	Version versionCommand `cmd:"" help:"Say which version this is and how it was built."`

	BenchChild benchChildCommand `cmd:"" hidden:""`
}

// run parses the command line of p, carries it out and returns the exit code.
func run(ctx context.Context, p process, srv server) int {
	cli := grammar{Serve: newServeCommand()}
	parser, err := kong.New(
		&cli,
		kong.Name("topgun"),
		kong.Description(description),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(int) { panic(helped{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p, srv),
	)
	if err != nil {
		return p.fail(exitFailed, err)
	}
	command, err := parse(parser, arguments(p.args))
	if command == nil && err == nil {
		return exitOK
	}
	if err != nil {
		return p.fail(exitUsage, fmt.Errorf("%w; `topgun --help` and `topgun COMMAND --help` say what there is", err))
	}
	err = command.Run()
	var refused *config.RefusedError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &refused):
		return p.fail(exitUsage, err)
	default:
		return p.fail(exitFailed, err)
	}
}

// helped leaves the parser after it has shown the help; it would go on to
// complain about what else stands on the command line.
type helped struct{}

// parse returns the command to run, or nil when help was asked for and shown.
func parse(parser *kong.Kong, args []string) (command *kong.Context, err error) {
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(helped); !ok {
				panic(v)
			}
			command, err = nil, nil
		}
	}()
	return parser.Parse(args)
}

// fail tells what went wrong and returns code. When standard error is gone too,
// the code is all that can be said.
func (p process) fail(code int, err error) int {
	_, _ = fmt.Fprintf(p.stderr, "topgun: %v\n", err)
	return code
}

// arguments returns what follows the name of the program, with the command that
// the name stands for.
func arguments(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	if filepath.Base(args[0]) == serverName {
		return slices.Concat([]string{"serve"}, args[1:])
	}
	return args[1:]
}
