// Package browser holds the tests that run the real program with real browsers:
// Chromium opens the board that `topgun dev` serves, through a network that can
// be cut, and people's hands are played by scripts. What is judged is what the
// pages show and what the server has kept.
package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/test/chromium"
	"github.com/topgunbuild/topgun-go/test/program"
)

// patience bounds everything that a test waits for, on a loaded machine.
const patience = 60 * time.Second

// binary is the program under test; alice and bob are two people, each with a
// browser and a profile of their own.
var (
	binary     string
	alice, bob *chromium.Browser
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("no browser is started with -short")
		return
	}
	os.Exit(withBrowsers(m.Run))
}

// withBrowsers builds the program, starts the browsers and returns what run
// returns.
func withBrowsers(run func() int) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	built, remove, err := program.Build(ctx, os.Environ())
	if err != nil {
		return fail(err)
	}
	defer remove()
	binary = built
	for _, b := range []**chromium.Browser{&alice, &bob} {
		if *b, err = chromium.Start(ctx); err != nil {
			return fail(err)
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			(*b).Close(ctx)
		}()
	}
	return run()
}
