package log

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"
)

// seal makes the checksums of a segment right, so that what they would hide is
// reached: its header, and the frames that its lengths lead to.
func seal(b []byte, base LSN) []byte {
	if len(b) < headerBytes {
		return b
	}
	b = slices.Clone(b)
	copy(b, headerMagic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint64(b[24:], uint64(base))
	binary.LittleEndian.PutUint32(b[headerBytes-4:], crc32.Checksum(b[:headerBytes-4], castagnoli))
	id := binary.LittleEndian.Uint64(b[16:])
	var scratch [28]byte
	for at := headerBytes; at+frameHeaderBytes <= len(b); {
		f := b[at:]
		end := frameHeaderBytes + int(binary.LittleEndian.Uint32(f))
		if end > len(f) || binary.LittleEndian.Uint32(f[4:]) == 0 {
			at += sectorBytes - at%sectorBytes
			continue
		}
		binary.LittleEndian.PutUint32(f[8:], crc32.Checksum(f[frameHeaderBytes:end], castagnoli))
		binary.LittleEndian.PutUint32(f[12:], frameSum(&scratch, id, base+LSN(at-headerBytes), f))
		at += end
	}
	return b
}

// FuzzOpen gives Open two segments of arbitrary bytes, or of arbitrary bytes with
// their checksums set right. Each input is either
// refused by name, and then nothing has changed, or is a log: it replays, takes
// a frame, and says the same when it is opened again.
func FuzzOpen(f *testing.F) {
	d, _, _ := sample(f)
	names := d.names()
	f.Add(d[names[0]], d[names[1]], true)
	f.Add(d[names[0]], d[names[1]], false)
	f.Add(d[names[1]], d[names[2]], true)
	f.Add(d[names[2]], []byte{}, false)
	f.Add(header{base: 0, prevBase: noBase}.encode(), header{base: 0x600, prevBase: 0, prevEnd: 0x600}.encode(), true)
	f.Add([]byte(headerMagic), make([]byte, 700), true)
	f.Add([]byte{}, []byte{}, false)
	f.Fuzz(func(t *testing.T, first, second []byte, sealed bool) {
		if sealed {
			first, second = seal(first, 0), seal(second, 0x600)
		}
		d := disk{names[0]: first, names[1]: second}
		fsys := d.mount(t)
		inspectErr := Inspect(fsys, testDir, InspectOptions{Frames: true}, func(Finding) error { return nil })
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
