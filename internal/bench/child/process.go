package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// stopTimeout is how long a child may take to end before it is killed.
const stopTimeout = 15 * time.Second

// Command says how to start a child.
type Command struct {
	Program string
	Args    []string
	Environ []string
	Stderr  io.Writer
}

// Process is a running child.
type Process struct {
	Port int

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts a child and returns when clients can connect to it. The end of
// ctx kills it; the caller calls Stop in any case.
func Start(ctx context.Context, c Command) (*Process, error) {
	cmd := exec.CommandContext(ctx, c.Program, c.Args...)
	cmd.Env, cmd.Stderr, cmd.WaitDelay = c.Environ, c.Stderr, stopTimeout
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not become ready", strings.Join(c.Args, " ")), p.Stop())
	}
	number, ok := strings.CutPrefix(strings.TrimSpace(line), "PORT=")
	if p.Port, err = strconv.Atoi(number); !ok || err != nil {
		return nil, errors.Join(fmt.Errorf("%s says %q instead of its port", strings.Join(c.Args, " "), line), p.Stop())
	}
	return p, nil
}

// URL is where the child is reached.
func (p *Process) URL() string { return fmt.Sprintf("ws://127.0.0.1:%d/ws", p.Port) }

// Take returns the child's figures.
func (p *Process) Take() (Figures, error) { return p.ask(cmdTake) }

// Collect returns the child's figures after a garbage collection.
func (p *Process) Collect() (Figures, error) { return p.ask(cmdCollect) }

// Profile writes a CPU profile of the child to file until StopProfile.
func (p *Process) Profile(file string) error {
	_, err := p.ask(cmdProfile + " " + file)
	return err
}

// StopProfile completes the profile.
func (p *Process) StopProfile() error {
	_, err := p.ask(cmdStop)
	return err
}

func (p *Process) ask(command string) (Figures, error) {
	if _, err := io.WriteString(p.in, command+"\n"); err != nil {
		return Figures{}, fmt.Errorf("ask the child for %s: %w", command, err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return Figures{}, fmt.Errorf("the child does not answer %s: %w", command, err)
	}
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		return Figures{}, fmt.Errorf("the child's answer to %s: %w", command, err)
	}
	if r.Error != "" {
		return Figures{}, fmt.Errorf("the child at %s: %s", command, r.Error)
	}
	return r.Figures, nil
}

// Kill ends the child as a crash would, and waits for it.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = p.cmd.Wait() // says that it was killed
	return nil
}

// Stop asks the child to end and waits for it.
func (p *Process) Stop() error {
	err := p.in.Close()
	// A child that does not end by itself is killed: draining is not what is
	// measured.
	kill := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() }) //nolint:forbidigo // bounds a wait for the system, not for anything that is measured
	defer kill.Stop()
	return errors.Join(err, p.cmd.Wait())
}
