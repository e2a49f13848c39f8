package main

import (
	"encoding/json"
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// inspectCommand looks into what a node has on disk.
type inspectCommand struct {
	Log inspectLogCommand `cmd:"" help:"List the change log: segments, frames, positions, consumers, damage."`
}

// inspectLogCommand lists the change log.
type inspectLogCommand struct {
	DataDir string `arg:"" help:"The data directory of a node. It is not changed and may be in use." placeholder:"DIR"`
	Frames  bool   `help:"List every frame, with the positions of the changes in it."`
	JSON    bool   `name:"json" help:"One JSON object a line, for programs."`
}

// Help is what `topgun inspect log --help` says beyond its flags.
func (inspectLogCommand) Help() string {
	return `Damage that would keep the node from starting is listed as corrupt, with file and byte, and makes the exit code 1. ` +
		`A torn end is normal after a crash, and while the node is running. docs/format/log.md explains the words.`
}

// Run lists.
func (c inspectLogCommand) Run(p process) error {
	tell := func(f log.Finding) error {
		_, err := fmt.Fprintln(p.stdout, f)
		return err
	}
	if c.JSON {
		lines := json.NewEncoder(p.stdout)
		tell = func(f log.Finding) error { return lines.Encode(f) }
	}
	return app.InspectLog(c.DataDir, c.Frames, tell)
}
