package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// restoreCommand makes a data directory of a backup.
type restoreCommand struct {
	From    string `arg:"" help:"A directory of backups (its newest state), one full backup, or - for standard input." placeholder:"FROM"`
	DataDir string `required:"" env:"TOPGUN_DATA_DIR" help:"The data directory to make; it must be empty or absent." placeholder:"DIR"`
}

// Help is what `topgun restore --help` says beyond its flags.
func (restoreCommand) Help() string {
	return `The new node begins a new epoch: clients that hold newer writes than the backup offer them again when they connect, ` +
		`so that merging brings back what they have seen.`
}

// Run restores.
func (c restoreCommand) Run(ctx context.Context, p process) error {
	from, remove, err := spooled(c.From)
	if err != nil {
		return err
	}
	defer remove()
	chain, err := openChain(from)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	rows, err := app.Restore(ctx, chain, c.DataDir, app.SystemClock(), logger)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "restored %d rows into %s\n%s\n", rows, c.DataDir, describe(chain.Last()))
	return err
}

// spooled is a backup that can be read more than once: standard input is copied
// to a temporary file, which remove deletes.
func spooled(from string) (path string, remove func(), err error) {
	if from != "-" {
		return from, func() {}, nil
	}
	f, err := os.CreateTemp("", "topgun-*.tgsnap")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.Remove(f.Name()) }
	_, err = io.Copy(f, os.Stdin)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, fmt.Errorf("read the backup from standard input: %w", err)
	}
	return f.Name(), remove, nil
}

// verifyCommand checks a backup.
type verifyCommand struct {
	From string `arg:"" help:"A directory of backups (all that its newest state needs), or one full backup." placeholder:"FROM"`
}

// Run reads everything and says what there is.
func (c verifyCommand) Run(ctx context.Context, p process) error {
	chain, err := openChain(c.From)
	if err != nil {
		return err
	}
	st, err := backup.Open(ctx, chain)
	if err != nil {
		return err
	}
	rows, bytes, maps, last := uint64(0), uint64(0), 0, ""
	err = st.Rows(ctx, func(r *backing.Row) error {
		if maps == 0 || r.Map != last {
			maps, last = maps+1, r.Map
		}
		rows++
		bytes += uint64(len(r.State))
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range chain.Entries() {
		if _, err := fmt.Fprintln(p.stdout, describe(e)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "good: %d rows of %d maps, %d bytes of state\n", rows, maps, bytes)
	return err
}
