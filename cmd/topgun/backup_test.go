package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
)

// stream is a snapshot without rows.
func stream(t *testing.T, h snapshot.Header, at int64) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := snapshot.NewWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(snapshot.Positions{}, at); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestAFullBackupNeedsNoChain: one whose base is lost ends the incremental ones,
// and a full one begins anew in the same directory.
func TestAFullBackupNeedsNoChain(t *testing.T) {
	dir := t.TempDir()
	archive, err := snapshot.OpenArchive(vfs.Default, dir)
	if err != nil {
		t.Fatal(err)
	}
	part, err := archive.Create("old")
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.Write(stream(t, snapshot.Header{ID: "2", Base: "1", Log: "l"}, 1))
	if err := errors.Join(err, part.Commit()); err != nil {
		t.Fatal(err)
	}
	r, _, _ := serve(t, http.StatusOK, string(stream(t, snapshot.Header{ID: "3", Log: "l"}, 2)))
	var out bytes.Buffer
	p := process{stdout: &out, stderr: &out}
	if err := (backupCommand{To: dir, remote: r}).Run(context.Background(), p); !errors.Is(err, snapshot.ErrChain) {
		t.Errorf("an incremental one: %v", err)
	}
	if err := (backupCommand{To: dir, Full: true, remote: r}).Run(context.Background(), p); err != nil {
		t.Errorf("a full one: %v", err)
	}
	if chain, err := archive.Latest(); err != nil || chain.Last().Header.ID != "3" {
		t.Errorf("the newest is %+v, %v", chain.Entries(), err)
	}
}

// TestABackupThatIsNotTheNewestIsTold of: the server's clock was set back.
func TestABackupThatIsNotTheNewestIsTold(t *testing.T) {
	dir := t.TempDir()
	for i, at := range []int64{2, 1} {
		r, _, _ := serve(t, http.StatusOK, string(stream(t, snapshot.Header{ID: "i" + string(rune('0'+i)), Log: "l"}, at)))
		var out bytes.Buffer
		err := backupCommand{To: dir, Full: true, remote: r}.Run(context.Background(), process{stdout: &out, stderr: &out})
		if (err != nil) != (i == 1) {
			t.Errorf("backup %d: %v", i, err)
		}
	}
}
