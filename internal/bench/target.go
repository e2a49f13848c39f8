package bench

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/topgunbuild/topgun-go/internal/bench/child"
)

// ChildCommand is the hidden command of the program that runs a child: followed
// by server or floor, and a directory or a level.
const ChildCommand = "bench-child"

const (
	childServer = "server"
	childFloor  = "floor"
)

// floorWork is what the floor of a scenario does: acknowledge at a level, and,
// for fanout, tell its subscribers of values of a size.
func floorWork(o Options) string {
	level := string(concerns[o.Concern].achieved)
	if o.Scenario == "fanout" {
		return fmt.Sprintf("%s,%d", level, o.ValueBytes)
	}
	return level
}

// target is a server that is measured: one of its own, or one that runs already.
type target struct {
	url     string
	process *child.Process // nil for one that runs already
	dir     string         // to remove
}

func startTarget(ctx context.Context, o Options, what string) (*target, error) {
	if o.URL != "" {
		return &target{url: o.URL}, nil
	}
	t := &target{}
	arg := floorWork(o)
	if what == childServer {
		dir, err := os.MkdirTemp(o.Dir, "topgun-bench-")
		if err != nil {
			return nil, err
		}
		t.dir, arg = dir, dir
	}
	var err error
	t.process, err = child.Start(ctx, child.Command{
		Program: o.Program, Args: []string{ChildCommand, what, arg}, Environ: o.Environ, Stderr: o.Stderr,
	})
	if err != nil {
		return nil, errors.Join(err, t.remove())
	}
	t.url = t.process.URL()
	return t, nil
}

// take returns the figures of the child, zero when there is none.
func (t *target) take() (child.Figures, error) {
	if t.process == nil {
		return child.Figures{}, nil
	}
	return t.process.Take()
}

func (t *target) stop() error {
	if t.process == nil {
		return nil
	}
	return errors.Join(t.process.Stop(), t.remove())
}

func (t *target) remove() error {
	if t.dir == "" {
		return nil
	}
	return os.RemoveAll(t.dir)
}
