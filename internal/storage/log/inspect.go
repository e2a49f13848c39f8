package log

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// InspectOptions says what Inspect lists.
type InspectOptions struct {
	// Frames lists every frame, not only the segments.
	Frames bool

	// Describe, if set, renders a payload on one line behind its frame.
	Describe func(payload []byte) string
}

// Inspect writes a listing of the log in dir for people to read. It changes
// nothing, so that it may be used on a log that Open refuses; while the log is
// being written the end of the listing may look torn. Damage is part of the
// listing and is also returned, as Open would report it.
func Inspect(fsys vfs.FS, dir string, w io.Writer, opt InspectOptions) error {
	p := &printer{w: w}
	found, lookErr := look(fsys, dir)
	if lookErr != nil && !errors.Is(lookErr, ErrCorrupt) {
		return fmt.Errorf("inspect log: %w", lookErr)
	}
	for _, f := range found.strays {
		p.printf("stray    %s  %d bytes, never used\n", f.name, f.size)
	}
	damage := lookErr
	for i, f := range found.chain {
		var next *file
		if i+1 < len(found.chain) {
			next = found.chain[i+1]
		}
		err := f.inspect(fsys, dir, next, p, opt)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return fmt.Errorf("inspect log: %w", err)
		}
		damage = errors.Join(damage, err)
	}
	if lookErr != nil {
		p.printf("corrupt  %v\n", lookErr)
	}
	return errors.Join(damage, p.err)
}

// inspect lists one segment; next is nil for the last.
func (f *file) inspect(fsys vfs.FS, dir string, next *file, p *printer, opt InspectOptions) error {
	p.printf("segment  %s  %d bytes, log %016x, after %d\n", f.name, f.size, f.header.id, f.header.prevEnd)
	var end LSN
	frames, groups := 0, 0
	err := f.with(fsys, dir, func(r *reader) error {
		if next != nil {
			// What follows has failed and is nobody's business.
			r.win.size = min(r.win.size, r.offset(max(f.base, next.header.prevEnd)))
		}
		c := newCursor(r)
		for {
			fr, ok, err := c.next()
			if err != nil || !ok {
				end = c.end
				return err
			}
			frames++
			mark := ' '
			if fr.first {
				groups++
				mark = '+'
			}
			if opt.Frames {
				p.printf("  %c frame  lsn %d, byte %d, %d bytes%s\n", mark, fr.end, r.offset(fr.start), len(fr.payload), opt.describe(fr.payload))
			}
		}
	})
	if err != nil {
		return fmt.Errorf("read segment %s: %w", f.name, err)
	}
	p.printf("         %d frames in %d groups, up to lsn %d\n", frames, groups, end)
	if next != nil {
		err = f.verify(fsys, dir, next)
	} else {
		var t tail
		t, err = f.verifyLast(fsys, dir)
		if err == nil && t.torn > 0 {
			p.printf("torn     %s  %d bytes behind byte %d\n", f.name, t.torn, headerBytes+int64(t.end-f.base))
		}
	}
	if errors.Is(err, ErrCorrupt) {
		p.printf("corrupt  %v\n", err)
	}
	return err
}

func (o InspectOptions) describe(payload []byte) string {
	if o.Describe == nil {
		return ""
	}
	return "  " + o.Describe(payload)
}

// printer remembers the first error of its writer.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
