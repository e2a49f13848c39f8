package log

import (
	"errors"
	"fmt"
	"io/fs"
)

// DropBefore says that the store needs nothing at or before lsn. It removes the
// segments of which all frames are at or before it and acknowledged by every
// consumer that holds log, but never the last one. It returns when their removal
// is durable; after an error some may be left, and a later call removes them.
func (l *Log) DropBefore(lsn LSN) error {
	l.dropping.Lock()
	defer l.dropping.Unlock()
	if err := l.markDropped(lsn); err != nil {
		return err
	}
	lsn, err := l.keepPlaces(lsn)
	return errors.Join(err, l.drop(lsn))
}

func (l *Log) drop(lsn LSN) error {
	for {
		// One at a time, oldest first: whatever a crash undoes, what is left has
		// no gap, so that Open can tell a lost segment from a dropped one.
		if l.unsynced {
			if err := syncDir(l.fs, l.dir); err != nil {
				return fmt.Errorf("drop log that the store has: %w", err)
			}
			l.unsynced = false
			l.offerSpares()
		}
		s, reuse := l.droppable(lsn)
		if s == nil {
			return nil
		}
		if err := l.putAway(s, reuse); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.restore(s)
			return fmt.Errorf("drop segment %s: %w", s.name, err)
		}
		l.unsynced = true
	}
}

// putAway takes the file of a segment out of the log.
func (l *Log) putAway(s *segment, reuse bool) error {
	path := l.fs.PathJoin(l.dir, s.name)
	if !reuse {
		return l.fs.Remove(path)
	}
	name := spareName(s.base)
	if err := l.fs.Rename(path, l.fs.PathJoin(l.dir, name)); err != nil {
		return err
	}
	l.away = append(l.away, spare{name, s.size})
	return nil
}

// offerSpares permits the use of files that were put away: a crash cannot undo
// that any longer.
func (l *Log) offerSpares() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares = append(l.spares, l.away...)
	l.away = l.away[:0]
}

// takeSpare returns a file to write a segment over, or nil.
func (l *Log) takeSpare() *spare {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spares) == 0 {
		return nil
	}
	s := l.spares[0]
	l.spares = append(l.spares[:0:0], l.spares[1:]...)
	return &s
}

func (l *Log) markDropped(lsn LSN) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == closed {
		return ErrClosed
	}
	l.dropped = max(l.dropped, min(lsn, l.Durable()))
	l.measureLocked()
	return nil
}

// droppable takes the oldest segment from the list if it may go, and says
// whether its file may be used again. Readers that come later do not see it;
// those that have it open are not disturbed.
func (l *Log) droppable(lsn LSN) (s *segment, reuse bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) < 2 || l.segments[1].prevEnd > lsn {
		return nil, false
	}
	s = l.segments[0]
	l.segments = append(l.segments[:0:0], l.segments[1:]...)
	reuse = len(l.spares) < l.opt.Spares && s.readers == 0 && !s.failed && s.size >= l.opt.SegmentBytes/2
	return s, reuse
}

// restore puts back the segment that droppable took.
func (l *Log) restore(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append([]*segment{s}, l.segments...)
}
