package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// names are those that the program has in one place or the other.
var names = []string{"chromium", "chromium-browser", "google-chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}

// Find returns the program, or an error that says what to install.
func Find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium is there: install it (Debian: apt-get install chromium), under one of the names %q", names)
}

// Browser is a running Chromium with a profile of its own.
type Browser struct {
	cmd   *exec.Cmd
	pipe  *pipe
	dir   string
	log   bytes.Buffer // written by cmd, read when it has ended
	ended chan struct{}
	once  sync.Once
}

// Start starts a browser with an empty profile, which Close removes.
func Start(ctx context.Context) (*Browser, error) {
	name, err := Find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "topgun-browser-")
	if err != nil {
		return nil, err
	}
	b := &Browser{dir: dir, ended: make(chan struct{})}
	b.cmd = exec.CommandContext(context.WithoutCancel(ctx), name,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-default-apps", "--disable-dev-shm-usage", "--disable-breakpad", "--metrics-recording-only",
		// Pages behind others are not to be slowed down: they are windows side by side here.
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		"--disable-features=Translate,OptimizationHints,MediaRouter", "--mute-audio", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--remote-debugging-pipe", "about:blank",
	)
	b.cmd.Stderr = &b.log
	if err := b.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := b.pipe.call(ctx, "", "Browser.getVersion", nil, nil); err != nil {
		b.Close(ctx)
		return nil, fmt.Errorf("start %s: %w\n%s", name, err, b.log.String())
	}
	return b, nil
}

// start connects the pipes and starts the program.
func (b *Browser) start() error {
	commands, out, err := os.Pipe()
	if err != nil {
		return err
	}
	in, answers, err := os.Pipe()
	if err != nil {
		return errors.Join(err, commands.Close(), out.Close())
	}
	b.cmd.ExtraFiles = []*os.File{commands, answers} // its file descriptors 3 and 4
	b.pipe = newPipe(out)
	err = errors.Join(b.cmd.Start(), commands.Close(), answers.Close())
	if err != nil {
		return errors.Join(err, out.Close(), in.Close())
	}
	//arch:goroutine Close waits for ended
	go func() {
		defer close(b.ended)
		b.pipe.read(in)
		_ = in.Close()
		_ = b.cmd.Wait() // how it ends is nobody's concern
	}()
	return nil
}

// Close ends the browser and removes its profile. When ctx ends first, the
// browser is killed.
func (b *Browser) Close(ctx context.Context) {
	b.once.Do(func() {
		_ = b.pipe.call(ctx, "", "Browser.close", nil, nil) // else it ends with the pipe
		_ = b.pipe.out.Close()
		select {
		case <-b.ended:
		case <-ctx.Done():
			_ = b.cmd.Process.Kill() // else it has ended just now
			<-b.ended
		}
		_ = os.RemoveAll(b.dir) // else the system's directory for temporary files keeps it
	})
}

// Open opens a page in a window of its own, at a URL.
func (b *Browser) Open(ctx context.Context, url string, opt PageOptions) (*Page, error) {
	var target struct {
		ID string `json:"targetId"`
	}
	if err := b.pipe.call(ctx, "", "Target.createTarget", object{"url": "about:blank", "newWindow": true}, &target); err != nil {
		return nil, err
	}
	var attached struct {
		ID string `json:"sessionId"`
	}
	if err := b.pipe.call(ctx, "", "Target.attachToTarget", object{"targetId": target.ID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p := &Page{pipe: b.pipe, target: target.ID, session: attached.ID}
	b.pipe.listen(p.session, p.heard)
	if err := p.prepare(ctx, opt); err != nil {
		return nil, err
	}
	return p, p.Go(ctx, url)
}

// object is a JSON object.
type object map[string]any
