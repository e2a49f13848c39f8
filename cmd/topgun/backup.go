package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
	"github.com/topgunbuild/topgun-go/internal/transport/adminapi"
)

// snapshot asks the server for what lies beyond base, nil for everything. The
// caller closes the body.
func (r remote) snapshot(ctx context.Context, base *backup.Base) (io.ReadCloser, error) {
	var body []byte
	if base != nil {
		var err error
		if body, err = json.Marshal(base); err != nil {
			return nil, err
		}
	}
	in, err := r.do(ctx, adminapi.BackupPath, body)
	var no *refusal
	if errors.As(err, &no) && no.status == http.StatusConflict {
		return nil, fmt.Errorf("%w (%s)", backup.ErrBase, no.message)
	}
	return in, err
}

// backupCommand copies a running server.
type backupCommand struct {
	To   string `arg:"" help:"A directory of backups, or - for a full backup on standard output." placeholder:"DIR"`
	Full bool   `help:"Take a full backup even if an incremental one is possible."`

	remote
}

// Help is what `topgun backup --help` says beyond its flags.
func (backupCommand) Help() string {
	return `The server goes on meanwhile; the backup is its state at one position. The first backup in a directory is a full one, ` +
		`each later one holds what has changed since. docs/operations/backup.md says how to keep and restore them.`
}

// Run takes one backup.
func (c backupCommand) Run(ctx context.Context, p process) error {
	if c.To == "-" {
		in, err := c.snapshot(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }()
		_, err = io.Copy(p.stdout, in)
		return err
	}
	archive, err := snapshot.OpenArchive(vfs.Default, c.To)
	if err != nil {
		return err
	}
	base, err := c.base(archive)
	if err != nil {
		return err
	}
	in, err := c.snapshot(ctx, base)
	if errors.Is(err, backup.ErrBase) {
		_, _ = fmt.Fprintf(p.stderr, "topgun: %v\n", err)
		in, err = c.snapshot(ctx, nil)
	}
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return c.keep(archive, in, p.stdout)
}

// base is what the next backup builds on, nil for nothing. A full one does so
// whatever became of the chain that is there.
func (c backupCommand) base(archive *snapshot.Archive) (*backup.Base, error) {
	if c.Full {
		_, err := archive.List()
		return nil, err
	}
	chain, err := archive.Latest()
	switch {
	case errors.Is(err, snapshot.ErrChain):
		return nil, fmt.Errorf("%w; --full begins a new chain", err)
	case err != nil || len(chain.Entries()) == 0:
		return nil, err
	}
	return backup.BaseOf(chain.Last()), nil
}

// keep stores a stream in the archive and says what it was.
func (c backupCommand) keep(archive *snapshot.Archive, in io.Reader, stdout io.Writer) error {
	name := time.Now().UTC().Format("20060102T150405.000Z")
	part, err := archive.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, in); err != nil {
		return errors.Join(fmt.Errorf("the backup broke off: %w", err), part.Abandon())
	}
	if err := part.Commit(); err != nil {
		return err
	}
	chain, err := archive.Latest()
	if err != nil {
		return err
	}
	if last := chain.Last(); last.Name != snapshot.FileName(name) {
		return fmt.Errorf("the backup %s is complete, but %s in the same directory is of a later time, and a restore would use that: "+
			"has the clock been set back? Move the later one away", snapshot.FileName(name), last.Name)
	}
	_, err = fmt.Fprintln(stdout, describe(chain.Last()))
	return err
}

// describe is one line about a snapshot.
func describe(e snapshot.Entry) string {
	kind := "incremental"
	if e.Header.Full() {
		kind = "full"
	}
	return fmt.Sprintf("%s  %s  %d bytes  %d rows  %d log frames  as of %s", e.Name, kind, e.Bytes, e.Trailer.Rows,
		e.Trailer.Frames, time.UnixMilli(e.Trailer.At).UTC().Format(time.RFC3339))
}

// openChain is the newest state in a directory of backups, or that of one file.
func openChain(from string) (snapshot.Chain, error) {
	info, err := os.Stat(from)
	if err != nil {
		return snapshot.Chain{}, fmt.Errorf("open the backup: %w", err)
	}
	if !info.IsDir() {
		return snapshot.OpenFile(vfs.Default, from)
	}
	archive, err := snapshot.OpenArchive(vfs.Default, from)
	if err != nil {
		return snapshot.Chain{}, err
	}
	chain, err := archive.Latest()
	if err == nil && len(chain.Entries()) == 0 {
		err = fmt.Errorf("%s holds no backup", from)
	}
	return chain, err
}
