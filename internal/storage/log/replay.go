package log

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Replay calls fn for each frame beyond from, in order, up to what was durable
// when it was called. It may be called at any time, also while appends go on or
// the log is failed. The payload is valid during the call only.
//
// It returns the error of fn, or one that matches ErrTruncated when frames
// beyond from have been dropped, or ErrCorrupt.
func (l *Log) Replay(from LSN, fn func(lsn LSN, payload []byte) error) error {
	spans, oldest := l.spans()
	if from < oldest {
		return fmt.Errorf("%w: %d, the log begins after %d", ErrTruncated, from, oldest)
	}
	for _, s := range spans {
		if s.end <= from || s.end == s.base {
			continue
		}
		if err := l.replay(s, from, fn); err != nil {
			return err
		}
	}
	return nil
}

// spans returns the segments as they are now, and the position after which all
// frames are retained.
func (l *Log) spans() ([]span, LSN) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spans := make([]span, len(l.segments))
	for i, s := range l.segments {
		spans[i] = span{s, s.end}
	}
	return spans, l.segments[0].prevEnd
}

// replay calls fn for the frames of one segment.
func (l *Log) replay(s span, from LSN, fn func(LSN, []byte) error) error {
	return l.read(s, func(c *cursor) error {
		if err := c.jump(from); err != nil {
			return fmt.Errorf("read segment %s: %w", s.name, err)
		}
		return walk(c, s, func(f frame) error {
			if f.end <= from {
				return nil
			}
			return fn(f.end, f.payload)
		})
	})
}

// walk calls fn for the frames from the cursor to the end of the span.
func walk(c *cursor, s span, fn func(frame) error) error {
	for c.end < s.end {
		f, ok, err := c.next()
		if err != nil {
			return fmt.Errorf("read segment %s at %d: %w", s.name, c.offset(c.end), err)
		}
		if !ok {
			return &CorruptError{Segment: s.name, Offset: c.offset(c.end), Reason: "no valid frame, but there was one"}
		}
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

// read calls fn with a cursor at the first frame of the segment. The file is not
// used for another segment meanwhile.
func (l *Log) read(s span, fn func(*cursor) error) (err error) {
	if !l.hold(s) {
		return fmt.Errorf("%w: segment %s was dropped meanwhile", ErrTruncated, s.name)
	}
	defer l.release(s)
	h, err := l.fs.Open(l.fs.PathJoin(l.dir, s.name))
	if err != nil {
		if _, oldest := l.spans(); errors.Is(err, fs.ErrNotExist) && s.end <= oldest {
			return fmt.Errorf("%w: segment %s was dropped meanwhile", ErrTruncated, s.name)
		}
		return fmt.Errorf("open segment %s: %w", s.name, err)
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	size := headerBytes + int64(s.end-s.base)
	return fn(newCursor(&reader{win: window{file: h, size: size}, id: l.id, base: s.base}))
}

// hold keeps the file of a segment from being used again; it reports false when
// the segment was dropped.
func (l *Log) hold(s span) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.segments, s.segment) {
		return false
	}
	s.readers++
	return true
}

func (l *Log) release(s span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.readers--
}
