package log

import "time"

// Step writes what was appended so far, syncs it, and moves Durable; it reports
// whether there was anything to do. Appends that come meanwhile go to the next
// group.
//
// When it fails, everything beyond Durable has failed: the generation is a new
// one, and until Recover succeeds Step and Append return ErrUnavailable.
func (l *Log) Step() (worked bool, err error) {
	l.step.Lock()
	defer l.step.Unlock()
	g, err := l.take()
	if err != nil || len(g.buf) == 0 {
		return false, err
	}
	begun := l.clock.Now()
	if err := l.commit(g); err != nil {
		l.fail(err, g.buf)
		l.notify()
		return true, err
	}
	took := l.clock.Now().Sub(begun)
	l.advance(g, took)
	if l.opt.OnSync != nil {
		l.opt.OnSync(took, len(g.buf))
	}
	l.notify()
	return true, nil
}

// commit makes g durable. A group that would make the segment too long starts
// another one; everything before is durable by then.
func (l *Log) commit(g group) error {
	limit := l.opt.SegmentBytes
	if a := l.current; a != nil && g.start > a.base && int64(g.end-a.base) > limit {
		l.leave(false) // everything in it is synced
	}
	if l.current == nil {
		if err := l.begin(g.start, l.lastBase()); err != nil {
			return err
		}
	}
	return l.current.write(g, l.zeros, headerBytes+limit)
}

// begin makes the segment that starts at base the current one, behind the one
// that starts at prevBase.
func (l *Log) begin(base, prevBase LSN) error {
	h := header{id: l.id, base: base, prevBase: prevBase, prevEnd: l.Durable()}
	a, err := newSegment(l.fs, l.dir, h, l.takeSpare())
	if err != nil {
		return err
	}
	l.current = a
	l.mu.Lock()
	l.segments = append(l.segments, a.segment)
	l.mu.Unlock()
	return nil
}

// leave closes the current segment for good.
func (l *Log) leave(failed bool) {
	a := l.current
	l.current = nil
	_ = a.file.Close() // nothing that is wanted is left to be written
	l.mu.Lock()
	defer l.mu.Unlock()
	a.size, a.segment.failed = a.filled, failed
}

// lastBase is where the last segment starts. It stays the last one while step is
// held: DropBefore never takes it.
func (l *Log) lastBase() LSN {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segments[len(l.segments)-1].base
}

func (l *Log) advance(g group, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current.end = g.end
	l.durable.Store(uint64(g.end))
	l.stats.Syncs++
	l.stats.SyncTime += took
	l.stats.WrittenBytes += uint64(len(g.buf))
	l.stats.Frames += uint64(g.frames)
	l.measureLocked()
	l.reuseLocked(g.buf)
}

// fail gives up everything beyond Durable and leaves the segment for good.
func (l *Log) fail(cause error, buf []byte) {
	if l.current != nil {
		l.leave(true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures.add(LSN(l.durable.Load()))
	l.generation.Add(1)
	l.state, l.cause = failed, cause
	l.healthy.Store(false)
	l.gather = group{buf: l.gather.buf[:0]}
	l.stats.Failures++
	l.reuseLocked(buf)
}
