package topgun_test

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/clients/go"
	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/snapshot"
)

// backup writes a full backup of the server to a file.
func (s *server) backup() string {
	s.t.Helper()
	resp, err := http.Post("http://127.0.0.1:"+s.port+"/api/admin/backup", "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %v", resp.Status, err)
	}
	name := filepath.Join(s.t.TempDir(), "full.tgsnap")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// restore stops the server and starts one in its place that holds the backup.
func (s *server) restore(name string) {
	s.t.Helper()
	s.stop()
	chain, err := snapshot.OpenFile(vfs.Default, name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.dir = filepath.Join(s.t.TempDir(), "restored")
	if _, err := app.Restore(s.t.Context(), chain, s.dir, app.SystemClock(), slog.New(slog.DiscardHandler)); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// TestARestoredServerIsGivenWhatItLacks writes after a backup, restores it, and
// lets a client come back that has seen everything acknowledged: nothing of it
// is lost, in the client or in the server.
func TestARestoredServerIsGivenWhatItLacks(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.port)
	// A queue that is smaller than what has to be offered.
	c := connect(t, p.url(), topgun.WithLimits(topgun.Limits{QueueOps: 50}))
	m, sets := topgun.MapOf[int](c, "m"), topgun.ORMapOf[int](c, "sets")
	for i := range 40 {
		must(m.Set(fmt.Sprint("k", i), i))(t)
	}
	must(sets.Add("s", 1))(t)
	if err := c.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	name := s.backup()

	want := map[string]int{}
	for i := range 200 {
		last := must(m.Set(fmt.Sprint("k", i), -i))(t)
		if i%50 == 40 {
			written(t, last, nil)
		}
		if i%7 == 0 {
			written(t, must(m.Remove(fmt.Sprint("k", i)))(t), nil)
			continue
		}
		written(t, last, nil)
		want[fmt.Sprint("k", i)] = -i
	}
	must(sets.Remove("s", 1))(t)
	must(sets.Add("s", 2))(t)
	if err := c.Flush(within(t)); err != nil {
		t.Fatal(err)
	}

	p.cut()
	s.restore(name)
	p.lead(s.port)
	if err := m.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	other := s.connect()
	om, osets := topgun.MapOf[int](other, "m"), topgun.ORMapOf[int](other, "sets")
	settle(t, m, om)
	settle(t, sets, osets)
	if got := must(om.Entries())(t); !maps.Equal(got, want) {
		t.Errorf("the restored server holds %d entries, want %d: %v", len(got), len(want), got)
	}
	if got := must(m.Entries())(t); !maps.Equal(got, want) {
		t.Errorf("the client holds %v", got)
	}
	if set := must(osets.Get("s"))(t); len(set) != 1 || set[0] != 2 {
		t.Errorf("the set is %v", set)
	}
}
