// Package process holds the tests that run the real program: they build it,
// start it as others do, and judge it by its sockets, its standard output, its
// exit code and what it has kept after it was killed.
package process

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBinary(m.Run))
}

// withBinary builds the program and returns what run returns. With
// TOPGUN_MISTAKE in the environment the program is built wrong on purpose, in
// the way that internal/mistake describes, and the tests have to notice.
func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "topgun-process-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "topgun")
	args := []string{"build", "-o", binary}
	if os.Getenv("TOPGUN_MISTAKE") != "" {
		args = append(args, "-tags", "mistakes")
	}
	build := exec.Command("go", append(args, "github.com/topgunbuild/topgun-go/cmd/topgun")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return run()
}
