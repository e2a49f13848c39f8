// Package process holds the tests that run the real program: they build it,
// start it as others do, and judge it by its sockets, its standard output, its
// exit code and what it has kept after it was killed.
package process

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/topgunbuild/topgun-go/test/program"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBinary(m.Run))
}

// withBinary builds the program and returns what run returns.
func withBinary(run func() int) int {
	built, remove, err := program.Build(context.Background(), os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	binary = built
	return run()
}
