package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topgunbuild/topgun-go/test/peer"
)

// contains reports whether text holds all parts.
func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// alive fails the test when the server does not answer.
func alive(t *testing.T, port string) {
	t.Helper()
	c := peer.New(t, port)
	defer c.Drop()
	c.Silent()
}

// TestRefusedToStart: what is wrong with the command line or the configuration
// ends the program with exit code 2 and an error that names it.
func TestRefusedToStart(t *testing.T) {
	dir := "data" // never made
	tests := []struct {
		name string
		args []string
		env  []string
		want []string
	}{
		{"an unknown flag", []string{"serve", "--prot", "0"}, nil, []string{"--prot"}},
		{"a wrong value", []string{"serve", "--no-auth", "--data-dir", dir, "--port", "70000"}, nil, []string{"port", "70000", "0 to 65535"}},
		{"neither a secret nor no-auth", []string{"serve", "--data-dir", dir}, nil, []string{"JWT_SECRET", "TOPGUN_NO_AUTH"}},
		{"embedded storage without a directory", []string{"serve", "--no-auth"}, nil, []string{"data-dir"}},
		{"no-auth for other machines", []string{"serve", "--no-auth", "--host", "0.0.0.0", "--data-dir", dir}, nil, []string{"TOPGUN_ALLOW_NO_AUTH_PUBLIC_BIND"}},
		{"a database without its URL", []string{"serve", "--no-auth"}, []string{"STORAGE_BACKEND=postgres"}, []string{"DATABASE_URL"}},
		{"no command", nil, nil, []string{"serve"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := launch{args: tt.args, env: tt.env}.fails(t)
			if out.code != 2 || out.stdout != "" {
				t.Errorf("exit code %d and stdout %q, expected 2 and nothing", out.code, out.stdout)
			}
			if !contains(out.stderr, tt.want...) {
				t.Errorf("stderr %q does not name %q", out.stderr, tt.want)
			}
		})
	}
}

// TestCalledTopgunServer: under that name the program serves, configured by the
// environment alone, as containers and older launchers start it.
func TestCalledTopgunServer(t *testing.T) {
	name := filepath.Join(t.TempDir(), "topgun-server")
	if err := os.Symlink(binary, name); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	env := []string{"TOPGUN_NO_AUTH=1", "TOPGUN_DATA_DIR=" + dir, "PORT=1"}
	p := launch{name: name, args: []string{"--port", "0"}, env: env}.start(t)
	if p.Port == "1" {
		t.Error("PORT wins over --port")
	}
	alive(t, p.Port)
	p.stop()

	again := launch{name: name, env: append(env[:2:2], "PORT="+p.Port)}.start(t)
	if again.Port != p.Port {
		t.Errorf("the port is %s, PORT says %s", again.Port, p.Port)
	}
	again.stop()
}

// TestNothingIsKeptWithNullStorage: it needs no directory and starts empty.
func TestNothingIsKeptWithNullStorage(t *testing.T) {
	l := launch{args: []string{"serve", "--port", "0", "--no-auth", "--storage", "null"}}
	p := l.start(t)
	alive(t, p.Port)
	p.stop() // the working directory is looked at after the test
}

// TestLogsGoToStandardError: also when there is a lot to say.
func TestLogsGoToStandardError(t *testing.T) {
	p := onOwnData(t, "--log-level", "debug", "--log-format", "json").start(t)
	alive(t, p.Port)
	p.stop()
	if !contains(p.Stderr(), `"msg":"ready"`, `"msg":"stopped"`) {
		t.Errorf("stderr is %q", p.Stderr())
	}
}
