package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/app/config"
)

// devCommand runs a node for a person at this machine.
type devCommand struct {
	Port    string `placeholder:"NUMBER" help:"TCP port; 0 lets the system pick one (default 8080; $$PORT)."`
	DataDir string `placeholder:"TEXT" help:"Directory for the data (default ./topgun-data; $$TOPGUN_DATA_DIR)."`
}

// Help is what `topgun dev --help` says beyond its flags.
func (devCommand) Help() string {
	return `Starts a server ready to use: no authentication, this machine only, data in ./topgun-data. It serves the board at / and the TypeScript client ` +
		`at /topgun.js; three lines on standard error say what is where.

When clients can connect, one line PORT=<number> is written to standard output, as serve does. What else serve can be told comes from the environment.`
}

// devFlags are the choices of dev that nothing overrides.
var devFlags = map[string]string{"no-auth": "true", "host": "localhost", "storage": string(config.Embedded), "board": "true"}

// devDefaults stand where neither a flag nor the environment says otherwise.
var devDefaults = map[string]string{"TOPGUN_DATA_DIR": "topgun-data", "TOPGUN_LOG_LEVEL": "warn"}

// Run reads the configuration and serves until ctx ends.
func (c devCommand) Run(ctx context.Context, p process, srv server) error {
	flags := map[string][]string{}
	for name, text := range devFlags {
		flags[name] = []string{text}
	}
	if c.Port != "" {
		flags["port"] = []string{c.Port}
	}
	if c.DataDir != "" {
		flags["data-dir"] = []string{c.DataDir}
	}
	environ := slices.Clone(p.environ)
	for name, text := range devDefaults {
		isSet := func(kv string) bool { return strings.HasPrefix(kv, name+"=") && kv != name+"=" }
		if !slices.ContainsFunc(environ, isSet) {
			environ = append(environ, name+"="+text)
		}
	}
	cfg, err := config.Load(config.Sources{Flags: flags, Environ: environ, ReadFile: os.ReadFile})
	if err != nil {
		return err
	}
	return srv(ctx, cfg, p.stdout, p.stderr)
}
