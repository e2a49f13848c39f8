package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"

	"github.com/topgunbuild/topgun-go/internal/app/config"
)

// serveCommand runs a node. Its flags are the options of package config.
type serveCommand struct {
	kong.Plugins
	flags *flagSet
}

func newServeCommand() serveCommand {
	flags := newFlagSet(config.Options())
	return serveCommand{Plugins: kong.Plugins{flags.fields()}, flags: flags}
}

// Help is what `topgun serve --help` says beyond its flags.
func (serveCommand) Help() string {
	return `Set JWT_SECRET in the environment to verify the tokens of clients: an HS256 secret, or a PEM public key for RS256. ` +
		`Or start with --no-auth, on this machine only.

When clients can connect, one line PORT=<number> is written to standard output. SIGTERM or SIGINT drains, flushes and ends; ` +
		`a second signal ends at once.

Every option can also come from the environment (named after $) or from a file of "name: value" lines, see --config; ` +
		`a flag wins over the environment, and that over the file. docs/configuration.md has the whole table.`
}

// Run reads the configuration and serves until ctx ends.
func (c serveCommand) Run(ctx context.Context, p process, srv server) error {
	cfg, err := config.Load(config.Sources{Flags: c.flags.given(), Environ: p.environ, ReadFile: os.ReadFile})
	if err != nil {
		return err
	}
	return srv(ctx, cfg, p.stdout, p.stderr)
}
