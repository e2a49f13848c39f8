package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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
	if err := t.startIn(ctx, o, what, arg); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	return t, nil
}

// budgetVariable hands the memory budget to a child.
const budgetVariable = "TOPGUN_MEMORY_BUDGET="

// BudgetOf is the part of a child's environment that says what it may take.
func BudgetOf(environ []string) []string {
	for _, v := range slices.Backward(environ) {
		if strings.HasPrefix(v, budgetVariable) {
			return []string{v}
		}
	}
	return nil
}

// startIn starts the process of a target, with a directory or a level.
func (t *target) startIn(ctx context.Context, o Options, what, arg string) error {
	environ := o.Environ
	if o.MemoryBudget != "" {
		environ = append(slices.Clone(environ), budgetVariable+o.MemoryBudget)
	}
	p, err := child.Start(ctx, child.Command{
		Program: o.Program, Args: []string{ChildCommand, what, arg}, Environ: environ, Stderr: o.Stderr,
	})
	t.process = p
	if err == nil {
		t.url = p.URL()
	}
	return err
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
