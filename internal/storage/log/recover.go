package log

import "fmt"

// Recover makes a failed log accept appends again, under the generation that the
// failure began. It starts a new segment, whose header ends the old one at
// Durable, so that the failed bytes cannot come back even if the disk has them.
//
// It may fail itself, when the disk is full for example; the log then stays
// failed and Recover may be called again. On a log that has not failed it does
// nothing.
func (l *Log) Recover() error {
	l.step.Lock()
	defer l.step.Unlock()
	l.mu.Lock()
	if l.state == open {
		l.mu.Unlock()
		return nil
	}
	if l.state == closed {
		l.mu.Unlock()
		return ErrClosed
	}
	// Every attempt has a base of its own, beyond all that were handed out.
	base := align(l.next)
	l.next = base + sectorBytes
	l.mu.Unlock()

	err := l.begin(base, l.lastBase())
	if err == nil {
		err = l.reserve()
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cause = err
		l.stats.FailedRecoveries++
		return err
	}
	l.mu.Lock()
	l.next = base
	l.state, l.cause = open, nil
	l.healthy.Store(true)
	l.mu.Unlock()
	l.notify()
	return nil
}

// reserve fills the beginning of the new segment with zeros, so that a disk that
// has room for the file's name and no more is found out before anybody appends.
func (l *Log) reserve() error {
	a := l.current
	n := min(headerBytes+int64(len(l.zeros)), headerBytes+l.opt.SegmentBytes)
	if a.filled >= n {
		return nil
	}
	err := writeAt(a.file, l.zeros[:n-a.filled], a.filled)
	if err == nil {
		err = a.file.SyncData()
	}
	if err != nil {
		l.leave(true)
		return fmt.Errorf("reserve the beginning of segment %s: %w", a.name, err)
	}
	a.filled = n
	return nil
}
