// Package pgtest gives tests a real PostgreSQL: a server of their own that is
// started from the programs on this machine, in a temporary directory, on a
// loopback port of its own; or the one that
// TOPGUN_TEST_POSTGRES_URL names.
package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// urlVariable names a server to be used instead of one that is started.
const urlVariable = "TOPGUN_TEST_POSTGRES_URL"

// Password is that of the server's superuser: a test can look for it where no
// secret may be.
const Password = "never-to-be-printed"

// Server is one PostgreSQL server that a test owns: it may be stopped, killed
// and started again.
type Server struct {
	dir  string // of the data
	bin  string // of initdb and postgres
	as   *syscall.Credential
	port int
	cmd  *exec.Cmd

	reader sync.WaitGroup // reads what the server says, until it ends
}

// Start starts a server of the test's own, which ends with the test. Where the
// programs of PostgreSQL are missing the test fails and says what to install.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start()
	if err != nil {
		giveUp(t, err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return s
}

// giveUp ends a test that has no server: short tests do without where PostgreSQL
// is not installed.
func giveUp(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errMissing) && testing.Short() {
		t.Skipf("start PostgreSQL: %v", err)
	}
	t.Fatalf("start PostgreSQL: %v", err)
}

var errMissing = errors.New("initdb is not here")

func start() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "topgun-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if err := s.init(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Up(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// programs is the directory of PostgreSQL's programs: on the PATH, or where
// Debian puts the newest.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%w: install PostgreSQL (Debian: apt-get install postgresql), "+
			"or name a server with %s=postgres://user:password@host/database", errMissing, urlVariable)
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// init makes the files of the server. PostgreSQL refuses to run as root, so root
// hands it to another user.
func (s *Server) init() error {
	if err := s.chooseUser(); err != nil {
		return err
	}
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(Password), 0o644); err != nil {
		return err
	}
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	cmd := s.command("initdb", "-D", s.data(), "-U", "postgres", "--pwfile", password, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) chooseUser() error {
	if os.Getuid() != 0 {
		return nil
	}
	var who *user.User
	var err error
	for _, name := range []string{"postgres", "nobody"} {
		if who, err = user.Lookup(name); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("this is root, under which PostgreSQL does not run, and there is no other user: %w", err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// Up starts the server, on the port that it had before if it had one, and
// returns when it answers.
func (s *Server) Up() error {
	if s.port == 0 {
		ls, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		addr, _ := ls.Addr().(*net.TCPAddr)
		s.port = addr.Port
		if err := ls.Close(); err != nil {
			return err
		}
	}
	// Tests kill processes and do not cut the power: what the system has been
	// given survives without being synced.
	s.cmd = s.command("postgres", "-D", s.data(), "-p", strconv.Itoa(s.port), "-k", "", "-h", "127.0.0.1",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=60", "-c", "shared_buffers=32MB")
	said, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ready := make(chan bool, 1)
	var all strings.Builder
	s.reader.Go(func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if all.Len() < 1<<16 {
				all.WriteString(lines.Text() + "\n")
			}
			if strings.Contains(lines.Text(), "ready to accept connections") {
				ready <- true
			}
		}
		close(ready)
	})
	if <-ready {
		return nil
	}
	return errors.Join(fmt.Errorf("it ended while it started:\n%s", &all), s.Kill())
}

// URL is how clients reach the server: by TCP, as its superuser.
func (s *Server) URL() string { return s.url("127.0.0.1:" + strconv.Itoa(s.port)) }

func (s *Server) url(host string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", Password), Host: host, Path: "/postgres"}
	return u.String()
}

// Addr is the server's address.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Kill ends every process of the server at once, as the loss of its machine
// would.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Down stops the server, cutting its connections.
func (s *Server) Down() error { return s.end(syscall.SIGINT) }

func (s *Server) end(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	if sig == syscall.SIGKILL {
		// The server's processes are its children; the oldest dies last, so that
		// none is left unfound.
		kids, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.cmd.Process.Pid, s.cmd.Process.Pid))
		if err == nil {
			for kid := range strings.FieldsSeq(string(kids)) {
				if pid, err := strconv.Atoi(kid); err == nil {
					_ = syscall.Kill(pid, sig)
				}
			}
		}
	}
	_ = s.cmd.Process.Signal(sig)
	s.reader.Wait()
	_ = s.cmd.Wait() // a signal is how it was meant to end
	s.cmd = nil
	return nil
}

// Remove ends the server and removes its data.
func (s *Server) Remove() error {
	return errors.Join(s.end(syscall.SIGINT), os.RemoveAll(s.dir))
}
