package process

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// topgun runs a command of the program to its good end and returns what it
// wrote.
func topgun(t *testing.T, args ...string) string {
	t.Helper()
	out := launch{args: args}.fails(t)
	if out.code != 0 {
		t.Fatalf("topgun %s ended with %d\n%s", strings.Join(args, " "), out.code, out.stderr)
	}
	return out.stdout
}

func server(p *started) string { return "--server=http://127.0.0.1:" + p.Port }

var backupLine = regexp.MustCompile(`^\S+\.tgsnap  (full|incremental)  \d+ bytes  \d+ rows  \d+ log frames  as of \S+\n$`)

// TestBackupsOfABusyServer backs a server up while clients write to it and after
// it was killed, and restores the newest state to an empty directory: everything
// that was acknowledged is there, and nothing else.
func TestBackupsOfABusyServer(t *testing.T) {
	l := newLoad(t)
	archive := filepath.Join(t.TempDir(), "backups")
	var kinds []string
	take := func(p *started) {
		t.Helper()
		m := backupLine.FindStringSubmatch(topgun(t, "backup", archive, server(p)))
		if m == nil {
			t.Fatal("the backup does not say what it is")
		}
		kinds = append(kinds, m[1])
	}
	p := l.launch.start(t)
	r := l.start(p.Port)
	<-time.After(300 * time.Millisecond)
	take(p)
	take(p)
	p.kill()
	r.ended()

	p = l.launch.start(t)
	l.verify(p.Port)
	take(p)
	exported := topgun(t, "export", server(p), "--deleted")
	p.stop()
	if got := fmt.Sprint(kinds); got != "[full incremental incremental]" {
		t.Errorf("the backups are %s", got)
	}
	if said := topgun(t, "verify", archive); strings.Count(said, ".tgsnap") != 3 || !strings.Contains(said, "\ngood: ") {
		t.Errorf("verify says %q", said)
	}
	if again := topgun(t, "export", "--from", archive, "--deleted"); again != exported {
		t.Error("the export of the backup is not that of the server")
	}

	restored := *l
	restored.dataDir = filepath.Join(t.TempDir(), "restored")
	topgun(t, "restore", archive, "--data-dir", restored.dataDir)
	restored.launch.args = []string{"serve", "--port", "0", "--no-auth", "--data-dir", restored.dataDir}
	p = restored.launch.start(t)
	restored.verify(p.Port)
	if again := topgun(t, "export", server(p), "--deleted"); again != exported {
		t.Error("the restored server holds something else")
	}
	p.stop()
}

// TestImportMerges brings the lines of one server into another, twice.
func TestImportMerges(t *testing.T) {
	l := newLoad(t)
	p := l.launch.start(t)
	r := l.start(p.Port)
	<-time.After(200 * time.Millisecond)
	p.kill()
	r.ended()
	p = l.launch.start(t)
	lines := filepath.Join(t.TempDir(), "lines.jsonl")
	exported := topgun(t, "export", server(p), "--deleted")
	if err := os.WriteFile(lines, []byte(exported), 0o600); err != nil {
		t.Fatal(err)
	}
	p.stop()

	fresh := launch{args: []string{"serve", "--port", "0", "--no-auth", "--data-dir", filepath.Join(t.TempDir(), "fresh")}}.start(t)
	for range 2 {
		if said := topgun(t, "import", lines, server(fresh)); !strings.HasSuffix(said, ", 0 refused\n") {
			t.Errorf("import says %q", said)
		}
	}
	if again := topgun(t, "export", server(fresh), "--deleted"); again != exported {
		t.Error("what was brought in is not what was exported")
	}
	fresh.stop()
}

// TestBackupsThatAreRefused names the mistakes that people make.
func TestBackupsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "restoring"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nothing := launch{args: []string{"serve", "--port", "0", "--no-auth", "--storage", "null"}}.start(t)
	closed := launch{
		args: []string{"serve", "--port", "0", "--data-dir", filepath.Join(dir, "closed")}, env: []string{"JWT_SECRET=secret-of-this-test"},
	}.start(t)
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"a directory without backups", "holds no backup", []string{"restore", dir, "--data-dir", filepath.Join(dir, "new")}},
		{"a directory that is not there", "no such file", []string{"verify", filepath.Join(dir, "none")}},
		{"a server that keeps nothing", "keeps nothing", []string{"backup", filepath.Join(dir, "a"), server(nothing)}},
		{"no token", "administrator's token", []string{"backup", filepath.Join(dir, "b"), server(closed)}},
		{"a bad token", "Authentication failed", []string{"export", server(closed), "--token", "x"}},
		{"a restore that broke off", "did not end", []string{"serve", "--no-auth", "--port", "0", "--data-dir", broken}},
	} {
		out := launch{args: c.args}.fails(t)
		if out.code != 1 || out.stdout != "" || !strings.Contains(out.stderr, c.says) {
			t.Errorf("%s: %d %q %q", c.name, out.code, out.stdout, out.stderr)
		}
	}
	nothing.stop()
	closed.stop()
}
