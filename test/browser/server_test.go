package browser

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is `topgun dev` on a directory, whichever process it is just now.
type server struct {
	t      *testing.T
	dir    string
	env    []string
	port   atomic.Value // string
	cmd    *exec.Cmd
	stderr bytes.Buffer
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
	s.cmd = exec.Command(binary, "dev", "--port", "0", "--data-dir", s.dir)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TOPGUN") && !strings.HasPrefix(v, "PORT=") && !strings.HasPrefix(v, "JWT_") {
			s.cmd.Env = append(s.cmd.Env, v)
		}
	}
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.stderr.Reset()
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "PORT=")
	if !ok {
		_ = s.cmd.Wait()
		s.t.Fatalf("the first line is %q (%v)\n%s", line, err, &s.stderr)
	}
	s.port.Store(port)
}

// addr is where the process listens.
func (s *server) addr() string { return fmt.Sprintf("127.0.0.1:%v", s.port.Load()) }

// kill ends the process in the middle of whatever it does.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		_ = s.cmd.Wait() // it was killed
	}
}
