package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/app"
	"github.com/topgunbuild/topgun-go/internal/app/config"
	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// outcome is what one run of the program left behind.
type outcome struct {
	code           int
	stdout, stderr string
	served         *config.Config // nil: no server was started
}

// call runs the program with a server that ends at once with err.
func call(t *testing.T, err error, environ []string, args ...string) outcome {
	t.Helper()
	var out, errOut strings.Builder
	var got outcome
	srv := func(_ context.Context, cfg config.Config, stdout, _ io.Writer) error {
		got.served = &cfg
		io.WriteString(stdout, "PORT=1\n")
		return err
	}
	p := process{args: args, environ: environ, stdout: &out, stderr: &errOut}
	got.code = run(t.Context(), p, srv)
	got.stdout, got.stderr = out.String(), errOut.String()
	return got
}

func TestCommandLineMistakes(t *testing.T) {
	const hint = "; `topgun --help` and `topgun COMMAND --help` say what there is\n"
	tests := []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"no command", []string{"topgun"}, nil, `topgun: expected one of "dev", "serve", "backup", "restore", "verify", ...` + hint},
		{"an unknown command", []string{"topgun", "dance"}, nil, `topgun: unexpected argument dance` + hint},
		{"an unknown flag", []string{"topgun", "serve", "--prot=1"}, nil, `topgun: unknown flag --prot, did you mean "--port"?` + hint},
		{"an argument too many", []string{"topgun", "serve", "8080"}, nil, `topgun: unexpected argument 8080` + hint},
		{"a flag without its value", []string{"topgun", "serve", "--port"}, nil, `topgun: --port: expected value value but got "EOL" (<EOL>)` + hint},
		{"a secret has no flag, and is not repeated", []string{"topgun", "serve", "--jwt-secret=horse"}, nil, `topgun: unknown flag --jwt-secret` + hint},
		{
			"a server that is no URL",
			[]string{"topgun", "import", "--server=localhost:8080"},
			nil,
			`topgun: import: --server: "localhost:8080" is not the URL of a server, such as http://localhost:8080` + hint,
		},
		{
			"a refused configuration",
			[]string{"topgun", "serve", "--no-auth", "--storage=null", "--port=-1", "--idle-timeout=x"},
			nil,
			"topgun: the configuration is refused\n" +
				"  port = \"-1\" from flag --port: allowed is a whole number from 0 to 65535\n" +
				"  idle-timeout = \"x\" from flag --idle-timeout: allowed is a duration from 1s to 24h\n",
		},
		{
			"neither of the two ways to let clients in",
			[]string{"topgun-server"},
			[]string{"TOPGUN_DATA_DIR=d"},
			"topgun: the configuration is refused\n" +
				"  jwt-secret: nobody could be let in: set JWT_SECRET to verify tokens, or TOPGUN_NO_AUTH=1 to serve without authentication on this machine only\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(t, nil, tt.env, tt.args...)
			if got.code != exitUsage || got.stdout != "" || got.served != nil {
				t.Errorf("exit code %d, stdout %q, served %v; want 2, nothing and nothing", got.code, got.stdout, got.served)
			}
			if got.stderr != tt.want {
				t.Errorf("stderr\n got %q\nwant %q", got.stderr, tt.want)
			}
		})
	}
}

func TestServeHandsOverTheConfiguration(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  []string
	}{
		{"by flags", []string{"topgun", "serve", "--no-auth", "--storage", "null", "--port", "0", "--cors-origins=http://a", "--cors-origins=http://b"}, nil},
		{"a switch with a value", []string{"topgun", "serve", "--no-auth=1", "--storage=null", "--port=0", "--cors-origins=http://a,http://b"}, []string{"PORT=9"}},
		{"called topgun-server", []string{"/usr/bin/topgun-server", "--port", "0"}, []string{"TOPGUN_NO_AUTH=1", "STORAGE_BACKEND=null", "TOPGUN_CORS_ORIGINS=http://a,http://b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := call(t, nil, tt.env, tt.args...)
			if got.code != exitOK || got.stderr != "" || got.stdout != "PORT=1\n" || got.served == nil {
				t.Fatalf("got %+v", got)
			}
			c := got.served
			if !c.Auth.Off || c.Storage.Backend != config.Null || c.Listen.Port != 0 || len(c.Listen.Origins) != 2 {
				t.Errorf("got %+v", c)
			}
		})
	}
}

// TestDev: flags and environment choose port, directory and log level; who is
// let in and where is settled.
func TestDev(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		env   []string
		port  int
		dir   string
		level slog.Level
	}{
		{"by itself", nil, nil, 8080, "topgun-data", slog.LevelWarn},
		{"by flags", []string{"--port", "0", "--data-dir", "d"}, []string{"PORT=9", "TOPGUN_DATA_DIR=e"}, 0, "d", slog.LevelWarn},
		{"by the environment", nil, []string{"PORT=9", "TOPGUN_DATA_DIR=e", "TOPGUN_LOG_LEVEL=info"}, 9, "e", slog.LevelInfo},
		{
			"whatever a server was told", nil,
			[]string{"TOPGUN_NO_AUTH=0", "TOPGUN_BIND_ADDR=0.0.0.0", "STORAGE_BACKEND=null", "JWT_SECRET=s", "TOPGUN_BOARD=0", "TOPGUN_DATA_DIR="},
			8080, "topgun-data", slog.LevelWarn,
		},
	} {
		got := call(t, nil, c.env, append([]string{"topgun", "dev"}, c.args...)...)
		if got.code != exitOK || got.stderr != "" || got.served == nil {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		s := got.served
		if !s.Auth.Off || !s.Listen.Loopback() || s.Storage.Backend != config.Embedded || !s.Listen.Board {
			t.Errorf("%s: %+v", c.name, s)
		}
		if s.Listen.Port != c.port || s.Storage.DataDir != c.dir || s.Log.Level != c.level {
			t.Errorf("%s: port %d, data in %q, level %v", c.name, s.Listen.Port, s.Storage.DataDir, s.Log.Level)
		}
	}
	if got := call(t, nil, nil, "topgun", "dev", "--port", "x"); got.code != exitUsage || !strings.Contains(got.stderr, "--port") {
		t.Errorf("a port that is none: %+v", got)
	}
}

func TestServeReadsTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "topgun.yaml")
	if err := os.WriteFile(name, []byte("no-auth: true\nstorage: \"null\"\nport: 4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := call(t, nil, nil, "topgun", "serve", "--config", name)
	if got.code != exitOK || got.served.Listen.Port != 4711 {
		t.Errorf("got %+v", got)
	}
}

func TestFailureOfTheServer(t *testing.T) {
	got := call(t, errors.New("listen: address in use"), nil, "topgun", "serve", "--no-auth", "--storage=null")
	if got.code != exitFailed || got.stderr != "topgun: listen: address in use\n" {
		t.Errorf("code %d, stderr %q", got.code, got.stderr)
	}
}

func TestVersion(t *testing.T) {
	got := call(t, nil, nil, "topgun", "version")
	want := regexp.MustCompile(`^version  \S+\ncommit   .+\ngo       go1\.\S+ \w+/\w+\nwire     \d+\n$`)
	if got.code != exitOK || got.stderr != "" || !want.MatchString(got.stdout) {
		t.Errorf("code %d, stderr %q, stdout %q", got.code, got.stderr, got.stdout)
	}
}

// TestHelp compares the help with testdata; `make golden` rewrites it.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "110")
	for file, args := range map[string][]string{
		"help.txt":       {"topgun", "--help"},
		"help-serve.txt": {"topgun", "serve", "--help"},
		"help-dev.txt":   {"topgun", "dev", "--help"},
	} {
		got := call(t, nil, nil, args...)
		if got.code != exitOK || got.stderr != "" || got.served != nil {
			t.Errorf("%v: code %d, stderr %q", args, got.code, got.stderr)
		}
		path := filepath.Join("testdata", file)
		if os.Getenv("GOLDEN") == "write" {
			if err := os.WriteFile(path, []byte(got.stdout), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.stdout != string(want) {
			t.Errorf("the help of %v is not what %s holds; if it is right, run `make golden`\n%s", args, path, got.stdout)
		}
	}
	server := call(t, nil, nil, "topgun-server", "--help")
	serve, err := os.ReadFile(filepath.Join("testdata", "help-serve.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if server.stdout != string(serve) {
		t.Errorf("topgun-server --help is not the help of topgun serve:\n%s", server.stdout)
	}
}

// TestInspectLog lists a log for people and for programs, and says in its exit
// code whether there is damage.
func TestInspectLog(t *testing.T) {
	dir := t.TempDir()
	l, err := log.Open(vfs.Default, filepath.Join(dir, "log"), app.SystemClock(), log.Options{})
	if err != nil {
		t.Fatal(err)
	}
	batch := change.AppendBatch(nil, []change.Record{{
		Pos: change.Position{Partition: 7, Epoch: 1, Seq: 42}, Map: "m", Key: "k", Kind: change.KindLWW, Verb: change.Put,
		After: "state", Author: &change.Author{Origin: change.OriginSession},
	}})
	for range 3 {
		if _, err := l.Append(l.Generation(), batch); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := call(t, nil, nil, "topgun", "inspect", "log", dir, "--frames")
	if got.code != exitOK || !strings.Contains(got.stdout, "1 changes: 7/1:42\n") || !strings.Contains(got.stdout, "3 frames in 3 groups") {
		t.Errorf("for people: %+v", got)
	}
	got = call(t, nil, nil, "topgun", "inspect", "log", "--json", dir)
	var f log.Finding
	if err := json.Unmarshal([]byte(got.stdout), &f); got.code != exitOK || err != nil || f.What != log.FoundSegment || f.Frames != 3 {
		t.Errorf("for programs: %+v, %v", got, err)
	}
	name := filepath.Join(dir, "log", f.File)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[512+16] ^= 1 // the first payload, of three groups
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got = call(t, nil, nil, "topgun", "inspect", "log", dir)
	if got.code != exitFailed || !strings.Contains(got.stdout, "corrupt  "+f.File+"  at byte 512: ") || !strings.Contains(got.stderr, "corrupt") {
		t.Errorf("with damage: %+v", got)
	}
	if got := call(t, nil, nil, "topgun", "inspect", "log", filepath.Join(dir, "none")); got.code != exitFailed || got.stdout != "" {
		t.Errorf("without a log: %+v", got)
	}
}
