package log

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Run steps the log until ctx ends, and after a failure recovers it, with pauses
// that grow from Options.RetryMin to RetryMax. When ctx ends it makes durable
// what was appended until then and returns nil, or the reason why that was not
// possible.
func (l *Log) Run(ctx context.Context) error {
	for {
		worked, err := l.Step()
		switch {
		case errors.Is(err, ErrClosed), err != nil && !l.recovering(ctx, err):
			return fmt.Errorf("run log: %w", err)
		case worked || err != nil:
			if ctx.Err() != nil {
				return l.flush()
			}
		default:
			select {
			case <-l.pending:
			case <-ctx.Done():
				return l.flush()
			}
		}
	}
}

// recovering tries to recover until that succeeds. It returns false when ctx
// ends or the log is closed before.
func (l *Log) recovering(ctx context.Context, cause error) bool {
	l.opt.Logger.ErrorContext(ctx, "log has failed", "error", cause, "generation", l.Generation(), "durable", l.Durable())
	for pause := l.opt.RetryMin; ; pause = min(2*pause, l.opt.RetryMax) {
		if ctx.Err() != nil || l.isClosed() {
			return false
		}
		err := l.Recover()
		if err == nil {
			l.opt.Logger.InfoContext(ctx, "log has recovered", "generation", l.Generation())
			return true
		}
		l.opt.Logger.WarnContext(ctx, "log cannot recover yet", "error", err, "pause", pause)
		if !l.wait(ctx, pause) {
			return false
		}
	}
}

func (l *Log) wait(ctx context.Context, pause time.Duration) bool {
	timer := l.clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *Log) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state == closed
}

// flush steps until everything appended before the call is durable. Appends that
// still come do not keep it going for ever.
func (l *Log) flush() error {
	end, gen := l.End(), l.Generation()
	for l.DurableAt(gen) < end {
		worked, err := l.Step()
		if err != nil {
			return fmt.Errorf("run log: last flush: %w", err)
		}
		if !worked {
			break // the rest had failed before
		}
	}
	return nil
}
