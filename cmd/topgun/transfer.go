package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
	"github.com/topgunbuild/topgun-go/internal/transfer"
)

// exportCommand writes maps as lines of JSON.
type exportCommand struct {
	From    string   `help:"A backup to read instead of a running server: a directory of backups or one full backup." placeholder:"FROM"`
	Map     []string `help:"A map to write; may be repeated. By default all maps and counters." placeholder:"NAME"`
	Deleted bool     `help:"Also write what was deleted, so that bringing the lines in deletes it elsewhere."`

	remote
}

// Help is what `topgun export --help` says beyond its flags.
func (exportCommand) Help() string {
	return `One line of JSON a key, on standard output, as of one position of the server. ` +
		`topgun import brings the lines into another server; docs/format/jsonlines.md describes them.`
}

// Run writes the lines.
func (c exportCommand) Run(ctx context.Context, p process) error {
	chain, remove, err := c.chain(ctx)
	if err != nil {
		return err
	}
	defer remove()
	st, err := backup.Open(ctx, chain)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(p.stdout, 1<<16)
	var buf []byte
	absent := slices.Clone(c.Map)
	err = st.Rows(ctx, func(r *backing.Row) error {
		if len(c.Map) > 0 && !slices.Contains(c.Map, r.Map) {
			return nil
		}
		absent = slices.DeleteFunc(absent, func(name string) bool { return name == r.Map })
		var err error
		if buf, err = transfer.AppendLine(buf[:0], r, c.Deleted); err != nil {
			return err
		}
		_, err = out.Write(buf)
		return err
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if len(absent) > 0 {
		return fmt.Errorf("there is no map %q; the others are written", absent)
	}
	return nil
}

// chain is what is exported: a backup that is there, or one taken now.
func (c exportCommand) chain(ctx context.Context) (snapshot.Chain, func(), error) {
	if c.From != "" {
		chain, err := openChain(c.From)
		return chain, func() {}, err
	}
	in, err := c.snapshot(ctx, nil)
	if err != nil {
		return snapshot.Chain{}, nil, err
	}
	defer func() { _ = in.Close() }()
	f, err := os.CreateTemp("", "topgun-*.tgsnap")
	if err != nil {
		return snapshot.Chain{}, nil, err
	}
	remove := func() { _ = os.Remove(f.Name()) }
	_, err = io.Copy(f, in)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return snapshot.Chain{}, nil, fmt.Errorf("read from the server: %w", err)
	}
	chain, err := openChain(f.Name())
	if err != nil {
		remove()
		return snapshot.Chain{}, nil, err
	}
	return chain, remove, nil
}

// importCommand brings lines of JSON into a running server.
type importCommand struct {
	File string `arg:"" optional:"" default:"-" help:"The lines; - is standard input." placeholder:"FILE"`

	remote
}

// Help is what `topgun import --help` says beyond its flags.
func (importCommand) Help() string {
	return `Every line is merged with what the server holds: the later edit stays, and importing twice changes nothing. ` +
		`Lines come from topgun export, or from any program that writes them; docs/format/jsonlines.md describes them.`
}

// errRefused is returned when the server refused some of what was brought.
var errRefused = errors.New("some operations were refused; they are named above")

// Run imports.
func (c importCommand) Run(ctx context.Context, p process) error {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	url := "ws" + strings.TrimPrefix(strings.TrimSuffix(c.Server, "/"), "http") + "/ws"
	counts, err := transfer.Import{
		URL: url, Token: c.Token,
		Refused: func(mapName, key, reason string) {
			_, _ = fmt.Fprintf(p.stderr, "topgun: refused %q in %q: %s\n", key, mapName, reason)
		},
	}.Run(ctx, in)
	if err != nil {
		return fmt.Errorf("after %d lines: %w", counts.Lines, err)
	}
	if _, err := fmt.Fprintf(p.stdout, "%d lines, %d operations, %d refused\n", counts.Lines, counts.Ops, counts.Refused); err != nil {
		return err
	}
	if counts.Refused > 0 {
		return errRefused
	}
	return nil
}
