package program

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Build builds the program into a directory of its own, which remove removes.
// With TOPGUN_MISTAKE in environ, the caller's environment, the program is built
// wrong on purpose, in the way that internal/mistake describes, and the tests
// have to notice.
func Build(ctx context.Context, environ []string) (binary string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "topgun-program-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	binary = filepath.Join(dir, "topgun")
	args := []string{"build", "-o", binary}
	if slices.ContainsFunc(environ, isMistake) {
		args = append(args, "-tags", "mistakes")
	}
	build := exec.CommandContext(ctx, "go", append(args, "github.com/topgunbuild/topgun-go/cmd/topgun")...)
	if out, err := build.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return binary, remove, nil
}

func isMistake(v string) bool {
	value, ok := strings.CutPrefix(v, "TOPGUN_MISTAKE=")
	return ok && value != ""
}

// Environ is environ without what the program would read of it, and env.
func Environ(environ []string, env ...string) []string {
	out := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		ours := strings.Contains(v, "TOPGUN") || strings.HasPrefix(v, "PORT=") || strings.HasPrefix(v, "JWT_")
		return ours && !isMistake(v)
	})
	return append(out, env...)
}

// Program is a running server.
type Program struct {
	Cmd  *exec.Cmd
	Port string

	read   chan struct{} // closed when standard output has ended
	rest   []byte        // of standard output, after the first line
	stderr lockedBuffer
}

var portLine = regexp.MustCompile(`^PORT=([1-9][0-9]*)\n$`)

// Start starts a command that is to serve and waits for its PORT line. One that
// has not written it when ctx ends is killed, and the error has what it said.
// Whoever starts a program has to Wait for its end.
func Start(ctx context.Context, cmd *exec.Cmd) (*Program, error) {
	p := &Program{Cmd: cmd, read: make(chan struct{})}
	cmd.Stderr = &p.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	in := bufio.NewReader(stdout)
	line, _ := in.ReadString('\n')
	go func() { //arch:goroutine Wait waits for it
		defer close(p.read)
		p.rest, _ = io.ReadAll(in)
	}()
	m := portLine.FindStringSubmatch(line)
	if m == nil {
		_ = cmd.Process.Kill()
		_ = p.Wait()
		return nil, fmt.Errorf("the first line is %q, expected PORT=<number>\n%s", line, p.Stderr())
	}
	p.Port = m[1]
	return p, nil
}

// Wait waits for the end and returns what exec.Cmd.Wait does.
func (p *Program) Wait() error {
	<-p.read
	return p.Cmd.Wait()
}

// Kill ends the program in the middle of whatever it does, if it still runs.
func (p *Program) Kill() {
	if p.Cmd.ProcessState == nil {
		_ = p.Cmd.Process.Kill()
		_ = p.Wait()
	}
}

// Rest is what standard output held behind the PORT line, after Wait.
func (p *Program) Rest() []byte { return p.rest }

// Stderr is what the program has written to standard error so far.
func (p *Program) Stderr() string { return p.stderr.String() }

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
