package log

import (
	"errors"
	"io"
	"slices"
	"testing"
)

// FuzzOpen gives Open two segments of arbitrary bytes. Each input is either
// refused by name, and then nothing has changed, or is a log: it replays, takes
// a frame, and says the same when it is opened again.
func FuzzOpen(f *testing.F) {
	d, _, _ := sample(f)
	names := d.names()
	f.Add(d[names[0]], d[names[1]])
	f.Add(d[names[1]], d[names[2]])
	f.Add(d[names[2]], []byte{})
	f.Add(header{base: 0, prevBase: noBase}.encode(), header{base: 0x600, prevBase: 0, prevEnd: 0x600}.encode())
	f.Add([]byte(headerMagic), make([]byte, 700))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := disk{names[0]: first, names[1]: second}
		fsys := d.mount(t)
		inspectErr := Inspect(fsys, testDir, io.Discard, InspectOptions{Frames: true})
		opt := Options{SegmentBytes: 4 << 10, ZeroAhead: -1, Random: newSeeded(1), Index: readPairs}
		l, err := Open(fsys, testDir, stillClock{}, opt)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("open: %v", err)
			}
			if inspectErr == nil {
				t.Errorf("inspect finds nothing, open %v", err)
			}
			for name, b := range unmount(t, fsys) {
				if !slices.Equal(b, d[name]) {
					t.Errorf("%s has changed", name)
				}
			}
			return
		}
		if inspectErr != nil {
			t.Errorf("open finds nothing, inspect %v", inspectErr)
		}
		_, oldest := l.spans()
		all := replayed(t, l, oldest)
		if !slices.IsSorted(all.lsns) {
			t.Errorf("positions %v", all.lsns)
		}
		if _, _, err := l.Seek(1, 1); err != nil {
			t.Errorf("seek: %v", err)
		}
		all.add(put(t, l, "next"), "next")
		_ = l.Close()
		l = mustOpen(t, fsys, opt)
		check(t, l, oldest, all)
	})
}
