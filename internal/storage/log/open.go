package log

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
)

// Open verifies the log in dir, makes its end durable and returns it ready for
// appends. A directory that is not there is made. Nobody else may have the log
// open: the caller sees to that.
//
// The end of the last segment may be torn; it is cut off and counted in
// Stats.TornBytes. The error matches ErrCorrupt, with the place in a
// CorruptError, when anything else does not verify, and ErrVersion when a later
// version has written here; neither changes anything on disk. Open starts
// nothing and makes no segment: the first Step does.
func Open(fsys vfs.FS, dir string, clk clock.Clock, opt Options) (*Log, error) {
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, err
	}
	if err := makeDir(fsys, dir); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	found, err := look(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{
		fs: fsys, dir: dir, clock: clk, opt: opt, zeros: make([]byte, max(opt.ZeroAhead, 0)),
		pending: make(chan struct{}, 1), failures: failures{first: 1},
	}
	l.generation.Store(1)
	l.healthy.Store(true)
	if err := l.adopt(found); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	places, err := readPlaces(fsys, dir, l.id)
	if err != nil {
		opt.Logger.Warn("places of the log's consumers are lost; they take a copy of the state", "error", err)
	}
	l.adoptPlaces(places)
	return l, nil
}

func makeDir(fsys vfs.FS, dir string) error {
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory %s: %w", dir, err)
	}
	return syncDir(fsys, fsys.PathDir(dir))
}

// adopt makes what was found on disk the content of the log, and begins a
// segment: so that the positions that this run hands out leave a trace, and are
// not handed out again by the next.
func (l *Log) adopt(found survey) error {
	prevBase, useless := noBase, found.strays
	if n := len(found.chain); n > 0 {
		if err := l.adoptChain(found.chain); err != nil {
			return err
		}
		if err := l.adoptSpares(found.spares); err != nil {
			return err
		}
		last := found.chain[n-1]
		prevBase = last.base
		if !last.frames {
			// It said nothing that the next one does not say.
			prevBase = last.header.prevBase
			l.segments = l.segments[:n-1]
			useless = append(useless, last)
		}
	} else {
		var b [8]byte
		l.opt.Random.Fill(b[:])
		l.id = binary.LittleEndian.Uint64(b[:])
	}
	for _, f := range useless {
		l.next = max(l.next, f.base)
	}
	if len(found.chain)+len(found.strays) > 0 {
		l.next = align(l.next) + restartGap
	}
	if err := l.begin(l.next, prevBase); err != nil {
		return err
	}
	for _, f := range useless {
		// One that stays will be a stray next time.
		_ = l.fs.Remove(l.fs.PathJoin(l.dir, f.name))
	}
	return nil
}

func (l *Log) adoptChain(chain []*file) error {
	t, err := verifyChain(l.fs, l.dir, chain)
	if err != nil {
		return err
	}
	last := chain[len(chain)-1]
	durable := last.header.prevEnd
	if t.end > last.base {
		durable = t.end
		if err := last.settle(l.fs, l.dir, t); err != nil {
			return fmt.Errorf("make the end of segment %s durable: %w", last.name, err)
		}
	}
	for i, f := range chain {
		end := t.end
		if i+1 < len(chain) {
			end = max(f.base, chain[i+1].header.prevEnd)
		}
		l.segments = append(l.segments, &segment{header: f.header, name: f.name, end: end, size: f.size, index: newIndex(f.base)})
	}
	l.id = last.header.id
	l.durable.Store(uint64(durable))
	l.end = durable
	l.next = max(last.base+LSN(max(last.size-headerBytes, 0)), t.end)
	l.stats.TornBytes = t.torn
	l.measureLocked()
	return nil
}

// adoptSpares keeps as many spares as may be, and removes the others. They are
// written over only when no crash can give them back the name of a segment.
func (l *Log) adoptSpares(spares []spare) error {
	if len(spares) == 0 {
		return nil
	}
	if err := syncDir(l.fs, l.dir); err != nil {
		return err
	}
	for _, s := range spares {
		if len(l.spares) < l.opt.Spares && s.size >= l.opt.SegmentBytes/2 {
			l.spares = append(l.spares, s)
			continue
		}
		_ = l.fs.Remove(l.fs.PathJoin(l.dir, s.name)) // one that stays is looked at next time
	}
	return nil
}

// settle makes the last group durable; what comes before was durable when it was
// written. The bytes may have come from the memory of the operating system and
// not be on disk, not even when they are synced now, if the process that wrote
// them had its sync fail; so they are written again, in place, the same.
func (f *file) settle(fsys vfs.FS, dir string, t tail) (err error) {
	h, err := fsys.OpenReadWrite(fsys.PathJoin(dir, f.name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	b := make([]byte, t.end-t.group)
	off := headerBytes + int64(t.group-f.base)
	if n, err := h.ReadAt(b, off); n < len(b) {
		return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
	}
	if err := writeAt(h, b, off); err != nil {
		return err
	}
	return h.SyncData()
}
