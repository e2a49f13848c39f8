package log

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// InspectOptions says what Inspect looks into.
type InspectOptions struct {
	// Frames lists every frame, not only the segments.
	Frames bool

	// Describe, if set, says in one line what a payload holds.
	Describe func(payload []byte) string
}

// What a Finding is about.
const (
	FoundSegment  = "segment"  // a file of the log, with what verifies in it
	FoundFrame    = "frame"    // one frame of the segment that follows
	FoundStray    = "stray"    // a file that was made and never used
	FoundSpare    = "spare"    // a file that is kept to be written over
	FoundConsumer = "consumer" // the place of a consumer
	FoundTorn     = "torn"     // bytes behind the last frame that Open would cut off
	FoundCorrupt  = "corrupt"  // what Open would refuse
)

// Finding is one thing that Inspect has found. Which fields it has depends on
// What; those it does not have are zero.
type Finding struct {
	What string `json:"what"`
	File string `json:"file,omitempty"`

	// Bytes is the size of a file, of a payload, or of what is torn; Offset is
	// where a frame, torn or corrupt bytes begin in the file.
	Bytes  int64 `json:"bytes,omitempty"`
	Offset int64 `json:"offset,omitempty"`

	// LSN is that of a frame, the last one of a segment, or a consumer's place.
	LSN LSN `json:"lsn,omitempty"`

	// Of a segment. After is the position that it goes on from.
	Log    string `json:"log,omitempty"` // identity, in hexadecimal digits
	After  LSN    `json:"after,omitempty"`
	Reused bool   `json:"reused,omitempty"`
	Frames int    `json:"frames,omitempty"`
	Groups int    `json:"groups,omitempty"`

	// Of a frame. First says that it begins a group.
	First   bool   `json:"first,omitempty"`
	Payload string `json:"payload,omitempty"` // as InspectOptions.Describe says

	// Of a consumer.
	Name  string `json:"name,omitempty"`
	Whole bool   `json:"whole,omitempty"`

	// Reason is why something is corrupt or cannot be believed.
	Reason string `json:"reason,omitempty"`
}

// String is the finding on one line for people.
func (f Finding) String() string {
	switch f.What {
	case FoundSegment:
		reused := ""
		if f.Reused {
			reused = ", in a file used before"
		}
		return fmt.Sprintf("segment  %s  %d bytes, log %s, after %d%s: %d frames in %d groups, up to lsn %d", f.File, f.Bytes, f.Log, f.After, reused, f.Frames, f.Groups, f.LSN)
	case FoundFrame:
		mark := ' '
		if f.First {
			mark = '+'
		}
		return strings.TrimRight(fmt.Sprintf("  %c frame  lsn %d, byte %d, %d bytes  %s", mark, f.LSN, f.Offset, f.Bytes, f.Payload), " ")
	case FoundStray:
		return fmt.Sprintf("stray    %s  %d bytes, never used", f.File, f.Bytes)
	case FoundSpare:
		return fmt.Sprintf("spare    %s  %d bytes, to be written over", f.File, f.Bytes)
	case FoundConsumer:
		state := ""
		if !f.Whole {
			state = ", copying the state"
		}
		return fmt.Sprintf("consumer %s  at lsn %d%s", f.Name, f.LSN, state)
	case FoundTorn:
		return fmt.Sprintf("torn     %s  %d bytes behind byte %d", f.File, f.Bytes, f.Offset)
	default:
		return fmt.Sprintf("%-8s %s  at byte %d: %s", f.What, f.File, f.Offset, f.Reason)
	}
}

// Inspect calls fn with everything there is in the log in dir: segments oldest
// first, each behind its frames. It changes nothing, so that it may be used on a log that Open
// refuses; while the log is being written the end may look torn. Damage is among
// the findings and is also returned, as Open would report it. An error of fn ends
// it.
func Inspect(fsys vfs.FS, dir string, opt InspectOptions, fn func(Finding) error) error {
	found, lookErr := look(fsys, dir)
	if lookErr != nil && !errors.Is(lookErr, ErrCorrupt) {
		return fmt.Errorf("inspect log: %w", lookErr)
	}
	in := &inspection{fs: fsys, dir: dir, opt: opt, fn: fn}
	for _, f := range found.strays {
		in.tell(Finding{What: FoundStray, File: f.name, Bytes: f.size})
	}
	damage := lookErr
	for i, f := range found.chain {
		var next *file
		if i+1 < len(found.chain) {
			next = found.chain[i+1]
		}
		err := in.segment(f, next)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return fmt.Errorf("inspect log: %w", err)
		}
		damage = errors.Join(damage, err)
	}
	in.corrupt(lookErr)
	for _, s := range found.spares {
		in.tell(Finding{What: FoundSpare, File: s.name, Bytes: s.size})
	}
	if n := len(found.chain); n > 0 {
		in.consumers(found.chain[n-1].header.id)
	}
	return errors.Join(damage, in.err)
}

// inspection remembers the first error of its function.
type inspection struct {
	fs  vfs.FS
	dir string
	opt InspectOptions
	fn  func(Finding) error
	err error
}

func (in *inspection) tell(f Finding) {
	if in.err == nil {
		in.err = in.fn(f)
	}
}

func (in *inspection) corrupt(err error) {
	var c *CorruptError
	if errors.As(err, &c) {
		in.tell(Finding{What: FoundCorrupt, File: c.Segment, Offset: c.Offset, Reason: c.Reason})
	}
}

// consumers lists the places of the consumers.
func (in *inspection) consumers(id uint64) {
	places, err := readPlaces(in.fs, in.dir, id)
	if err != nil {
		in.tell(Finding{What: FoundCorrupt, File: placesName, Reason: err.Error() + "; its consumers copy the state again"})
		return
	}
	for _, p := range places {
		in.tell(Finding{What: FoundConsumer, Name: p.name, LSN: p.at, Whole: p.whole})
	}
}

// segment lists one segment; next is nil for the last.
func (in *inspection) segment(f, next *file) error {
	s := Finding{
		What: FoundSegment, File: f.name, Bytes: f.size, Log: fmt.Sprintf("%016x", f.header.id),
		After: f.header.prevEnd, Reused: f.header.reused,
	}
	err := f.with(in.fs, in.dir, func(r *reader) error {
		if next != nil {
			// What follows has failed and is nobody's business.
			r.win.size = min(r.win.size, r.offset(max(f.base, next.header.prevEnd)))
		}
		c := newCursor(r)
		for in.err == nil {
			fr, ok, err := c.next()
			if err != nil || !ok {
				s.LSN = c.end
				return err
			}
			s.Frames++
			if fr.first {
				s.Groups++
			}
			if in.opt.Frames {
				in.tell(in.frame(f, r.offset(fr.start), fr))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read segment %s: %w", f.name, err)
	}
	in.tell(s)
	if next != nil {
		err = f.verify(in.fs, in.dir, next)
	} else {
		var t tail
		t, err = f.verifyLast(in.fs, in.dir)
		if err == nil && t.torn > 0 && !f.header.reused {
			in.tell(Finding{What: FoundTorn, File: f.name, Bytes: t.torn, Offset: headerBytes + int64(t.end-f.base)})
		}
	}
	in.corrupt(err)
	return err
}

func (in *inspection) frame(f *file, offset int64, fr frame) Finding {
	out := Finding{What: FoundFrame, File: f.name, Bytes: int64(len(fr.payload)), Offset: offset, LSN: fr.end, First: fr.first}
	if in.opt.Describe != nil {
		out.Payload = in.opt.Describe(fr.payload)
	}
	return out
}
