package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/topgunbuild/topgun-go/test/program"
)

// server is `topgun dev` on a directory, whichever process it is just now.
type server struct {
	t       *testing.T
	dir     string
	env     []string
	port    atomic.Value // string
	program *program.Program
}

// startServer starts the program on an empty directory.
func startServer(t *testing.T, env ...string) *server {
	t.Helper()
	s := &server{t: t, dir: filepath.Join(t.TempDir(), "data"), env: env}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start starts it and waits for its PORT line.
func (s *server) start() {
	s.t.Helper()
	cmd := exec.Command(binary, "dev", "--port", "0", "--data-dir", s.dir)
	cmd.Env = program.Environ(os.Environ(), s.env...)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var err error
	if s.program, err = program.Start(ctx, cmd); err != nil {
		s.t.Fatal(err)
	}
	s.port.Store(s.program.Port)
}

// addr is where the process listens.
func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%v", s.port.Load()) }

// kill ends the process in the middle of whatever it does.
func (s *server) kill() { s.program.Kill() }
