package process

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come, on a loaded machine.
const patience = 60 * time.Second

// stopWithin is how long a stop may take (the contract of SIGTERM).
const stopWithin = 5 * time.Second

// launch says how the program is started.
type launch struct {
	// name is the program; empty means the one that was built.
	name string

	args []string

	// env is added to an environment that holds nothing of TopGun.
	env []string

	// dir is the working directory; empty means a fresh one that has to be empty
	// still at the end.
	dir string
}

// program is a running server.
type program struct {
	t    testing.TB
	cmd  *exec.Cmd
	port string

	read   chan struct{} // closed when standard output has ended
	rest   []byte        // of standard output, after the first line
	stderr lockedBuffer
	ended  bool
}

var portLine = regexp.MustCompile(`^PORT=([1-9][0-9]*)\n$`)

// command prepares the program.
func (l launch) command(t testing.TB) *exec.Cmd {
	t.Helper()
	if l.name == "" {
		l.name = binary
	}
	if l.dir == "" {
		l.dir = t.TempDir()
		t.Cleanup(func() {
			left, err := os.ReadDir(l.dir)
			if err != nil || len(left) > 0 {
				t.Errorf("the working directory holds %v after the program ran there (%v)", left, err)
			}
		})
	}
	cmd := exec.Command(l.name, l.args...)
	cmd.Dir = l.dir
	for _, v := range os.Environ() {
		if !strings.Contains(v, "TOPGUN") && !strings.HasPrefix(v, "PORT=") && !strings.HasPrefix(v, "JWT_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if m := os.Getenv("TOPGUN_MISTAKE"); m != "" {
		cmd.Env = append(cmd.Env, "TOPGUN_MISTAKE="+m)
	}
	cmd.Env = append(cmd.Env, l.env...)
	return cmd
}

// start starts the program and waits for its PORT line.
func (l launch) start(t testing.TB) *program {
	t.Helper()
	p := &program{t: t, cmd: l.command(t), read: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cleanUp)
	slow := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer slow.Stop()
	in := bufio.NewReader(stdout)
	line, err := in.ReadString('\n')
	m := portLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the first line is %q (%v), expected PORT=<number>\n%s", line, err, p.stderr.String())
	}
	p.port = m[1]
	go func() {
		defer close(p.read)
		p.rest, _ = io.ReadAll(in)
	}()
	return p
}

// cleanUp ends a program that a failed test has left running.
func (p *program) cleanUp() {
	if !p.ended {
		_ = p.cmd.Process.Kill()
		<-p.read
		_ = p.cmd.Wait()
	}
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and returns how it came about. Standard output must
// hold nothing but the PORT line.
func (p *program) wait(within time.Duration) syscall.WaitStatus {
	p.t.Helper()
	late := time.AfterFunc(within, func() { _ = p.cmd.Process.Signal(syscall.SIGABRT) })
	<-p.read
	err := p.cmd.Wait()
	p.ended = true
	if !late.Stop() {
		p.t.Fatalf("the program did not end within %v: %v\n%s", within, err, p.stderr.String())
	}
	if len(p.rest) > 0 {
		p.t.Errorf("standard output holds %q after the PORT line", p.rest)
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		p.t.Fatal("there is no wait status")
	}
	return status
}

// stop ends the program in the orderly way.
func (p *program) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.stopped()
}

// stopped waits for the orderly end.
func (p *program) stopped() {
	p.t.Helper()
	if st := p.wait(stopWithin); !st.Exited() || st.ExitStatus() != 0 {
		p.t.Fatalf("the program ended with %v (exit code %d), expected 0\n%s", p.cmd.ProcessState, st.ExitStatus(), p.stderr.String())
	}
}

// kill ends the program in the middle of whatever it does.
func (p *program) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	if st := p.wait(patience); !st.Signaled() || st.Signal() != syscall.SIGKILL {
		p.t.Fatalf("the program ended by itself, with %v\n%s", p.cmd.ProcessState, p.stderr.String())
	}
}

// outcome is how a program that is not to serve has ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// fails runs a program that has to end by itself.
func (l launch) fails(t testing.TB) outcome {
	t.Helper()
	cmd := l.command(t)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slow := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer slow.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// refused reports whether nobody listens on the port any more.
func refused(port string) bool {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// lockedBuffer takes the standard error of a program while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
