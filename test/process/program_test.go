package process

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/topgunbuild/topgun-go/test/program"
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

// started is the program as it runs, with what is expected of its end.
type started struct {
	*program.Program

	t testing.TB
}

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
	cmd.Env = program.Environ(os.Environ(), l.env...)
	return cmd
}

// start starts the program and waits for its PORT line.
func (l launch) start(t testing.TB) *started {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := program.Start(ctx, l.command(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill) // where a failed test has left it running
	return &started{Program: p, t: t}
}

func (p *started) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and returns how it came about. Standard output must
// hold nothing but the PORT line.
func (p *started) wait(within time.Duration) syscall.WaitStatus {
	p.t.Helper()
	late := time.AfterFunc(within, func() { _ = p.Cmd.Process.Signal(syscall.SIGABRT) })
	err := p.Wait()
	if !late.Stop() {
		p.t.Fatalf("the program did not end within %v: %v\n%s", within, err, p.Stderr())
	}
	if rest := p.Rest(); len(rest) > 0 {
		p.t.Errorf("standard output holds %q after the PORT line", rest)
	}
	status, ok := p.Cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		p.t.Fatal("there is no wait status")
	}
	return status
}

// stop ends the program in the orderly way.
func (p *started) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.stopped()
}

// stopped waits for the orderly end.
func (p *started) stopped() {
	p.t.Helper()
	if st := p.wait(stopWithin); !st.Exited() || st.ExitStatus() != 0 {
		p.t.Fatalf("the program ended with %v (exit code %d), expected 0\n%s", p.Cmd.ProcessState, st.ExitStatus(), p.Stderr())
	}
}

// kill ends the program in the middle of whatever it does.
func (p *started) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	if st := p.wait(patience); !st.Signaled() || st.Signal() != syscall.SIGKILL {
		p.t.Fatalf("the program ended by itself, with %v\n%s", p.Cmd.ProcessState, p.Stderr())
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
