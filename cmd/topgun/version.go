package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// versionCommand says what this binary is.
type versionCommand struct{}

// Run writes one "name value" line for each fact.
func (versionCommand) Run(p process) error {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	_, err := fmt.Fprintf(p.stdout, "version  %s\ncommit   %s\ngo       %s %s/%s\nwire     %d\n",
		version(build), commit(build), runtime.Version(), runtime.GOOS, runtime.GOARCH, wire.Version)
	return err
}

// version is the version of the module, "(devel)" when built from a work tree.
func version(build *debug.BuildInfo) string {
	if build.Main.Version == "" {
		return "(devel)"
	}
	return build.Main.Version
}

// commit is the revision that was built, marked when the work tree differed
// from it; "unknown" when the build had no version control.
func commit(build *debug.BuildInfo) string {
	var revision, date, modified string
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.time":
			date = " of " + s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = " with changes"
			}
		}
	}
	if revision == "" {
		return "unknown"
	}
	return revision + date + modified
}
