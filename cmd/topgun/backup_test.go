package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/crdt"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
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

// TestAMapThatIsNotThereIsTold of: an export of nothing is no success.
func TestAMapThatIsNotThereIsTold(t *testing.T) {
	var b bytes.Buffer
	w, err := snapshot.NewWriter(&b, snapshot.Header{ID: "1", Log: "l"})
	if err != nil {
		t.Fatal(err)
	}
	state := crdt.AppendLWW(nil, crdt.LWW{TS: hlc.Timestamp{Millis: 1, Node: "n"}, Value: value.AppendInt(nil, 1)})
	row := backing.Row{Key: backing.Key{Map: "there", Hash: hash.Key("k"), Key: "k"}, Kind: uint8(change.KindLWW), Seq: 1, State: state}
	written := w.Row(&row)
	if _, err := w.Close(snapshot.Positions{}, 1); errors.Join(written, err) != nil {
		t.Fatal(written, err)
	}
	r, _, _ := serve(t, http.StatusOK, b.String())
	for _, c := range []struct {
		maps []string
		says string
	}{{nil, ""}, {[]string{"there"}, ""}, {[]string{"there", "their"}, `no map ["their"]`}} {
		var out bytes.Buffer
		err := exportCommand{Map: c.maps, remote: r}.Run(context.Background(), process{stdout: &out})
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("maps %q: wrote %q, %v", c.maps, &out, err)
		}
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
