package log

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// bubbleClock is the fake time of a synctest bubble.
type bubbleClock struct{}

func (bubbleClock) Now() time.Time                       { return time.Now() }
func (bubbleClock) NewTimer(d time.Duration) clock.Timer { return bubbleTimer{time.NewTimer(d)} }
func (t bubbleTimer) C() <-chan time.Time                { return t.Timer.C }
func (t bubbleTimer) Reset(d time.Duration)              { t.Timer.Reset(d) }

type bubbleTimer struct{ *time.Timer }

func startRun(ctx context.Context, l *Log) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return ended
}

func TestRunCommitsWhatIsAppendedAndFlushesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(vfs.NewMem(), testDir, bubbleClock{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := startRun(ctx, l)
		for range 3 {
			lsn := mustAppend(t, l, "a")
			synctest.Wait()
			if l.Durable() != lsn {
				t.Fatalf("durable is %d, appended %d", l.Durable(), lsn)
			}
		}
		// The end comes together with an append: both are seen at once.
		release := make(chan struct{})
		l.Subscribe(func() { <-release })
		mustAppend(t, l, "b")
		synctest.Wait()
		last := mustAppend(t, l, "c")
		cancel()
		close(release)
		if err := <-ended; err != nil || l.Durable() != last {
			t.Errorf("run: %v; durable is %d of %d", err, l.Durable(), last)
		}
	})
}

// An append and the end of ctx may be there at once; which one Run sees first
// must not matter.
func TestRunFlushesWhatComesWithTheEnd(t *testing.T) {
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			l, err := Open(vfs.NewMem(), testDir, bubbleClock{}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := startRun(ctx, l)
			synctest.Wait()
			lsn := mustAppend(t, l, "last")
			cancel()
			if err := <-ended; err != nil || l.Durable() != lsn {
				t.Errorf("run: %v; durable is %d of %d", err, l.Durable(), lsn)
			}
		})
	}
}

func TestRunRecoversWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := newWorld(vfs.NewMem())
		var out bytes.Buffer
		l, err := Open(fsys, testDir, bubbleClock{}, Options{
			RetryMin: time.Second, RetryMax: 5 * time.Second, Logger: slog.New(slog.NewTextHandler(&out, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		var attempts []int
		fsys.mu.Lock()
		fsys.ask = func(k kind, _ string) verdict {
			if k == opCreate {
				attempts = append(attempts, int(time.Since(begun).Seconds()))
			}
			if time.Since(begun) < 20*time.Second && (k == opWrite || k == opCreate) {
				return refuse
			}
			return proceed
		}
		fsys.mu.Unlock()
		ended := startRun(ctx, l)
		mustAppend(t, l, "lost")
		synctest.Wait()
		if l.Healthy() {
			t.Error("healthy on a disk that fails")
		}
		time.Sleep(30 * time.Second) // of the bubble
		synctest.Wait()
		if want := []int{0, 1, 3, 7, 12, 17, 22}; !slices.Equal(attempts, want) {
			t.Errorf("attempts at seconds %v, want %v", attempts, want)
		}
		lsn := mustAppend(t, l, "kept")
		synctest.Wait()
		if l.Durable() != lsn {
			t.Errorf("durable is %d, appended %d", l.Durable(), lsn)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		for _, line := range []string{"log has failed", "log cannot recover yet", "log has recovered"} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("no line %q in\n%s", line, out.String())
			}
		}
	})
}

func TestRunEndsWhileTheDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := newWorld(vfs.NewMem())
		l, err := Open(fsys, testDir, bubbleClock{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		fsys.ask = func(k kind, _ string) verdict {
			if k == opWrite {
				return refuse
			}
			return proceed
		}
		ctx, cancel := context.WithCancel(t.Context())
		mustAppend(t, l, "lost")
		ended := startRun(ctx, l)
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, errInjected) {
			t.Errorf("run: %v, want why it could not flush", err)
		}
	})
}

func TestRunEndsWhenTheLogIsClosed(t *testing.T) {
	l := mustOpen(t, vfs.NewMem(), Options{})
	_ = l.Close()
	if err := l.Run(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("run: %v", err)
	}
}
