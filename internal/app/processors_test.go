package app

import (
	"os"
	"runtime"
	"testing"
)

func TestAddProcessor(t *testing.T) {
	had := os.Getenv("GOMAXPROCS")
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(runtime.NumCPU())
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	if had == "" {
		t.Cleanup(runtime.SetDefaultGOMAXPROCS)
	}

	undo := addProcessor()
	if got, want := runtime.GOMAXPROCS(0), runtime.NumCPU()+1; got != want {
		t.Errorf("%d run at once, want %d", got, want)
	}
	again := addProcessor()
	if got, want := runtime.GOMAXPROCS(0), runtime.NumCPU()+1; got != want {
		t.Errorf("a second server in the process: %d run at once, want %d", got, want)
	}
	again()
	undo()

	for name, set := range map[string]func() int{
		"chosen by the environment": func() int { t.Setenv("GOMAXPROCS", "2"); return runtime.NumCPU() },
		"not as many as there are":  func() int { return runtime.NumCPU() + 2 },
	} {
		want := set()
		runtime.GOMAXPROCS(want)
		undo := addProcessor()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%s: %d run at once, want %d", name, got, want)
		}
		undo()
		t.Setenv("GOMAXPROCS", "")
	}
}
