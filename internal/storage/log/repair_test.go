package log

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is a log as named bytes.
type disk map[string][]byte

func (d disk) mount(tb testing.TB) *vfs.MemFS {
	tb.Helper()
	fsys := vfs.NewMem()
	if err := fsys.MkdirAll(testDir, 0o755); err != nil {
		tb.Fatal(err)
	}
	for name, b := range d {
		f, err := fsys.Create(fsys.PathJoin(testDir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.Write(slices.Clone(b)); err != nil {
			tb.Fatal(err)
		}
		_ = f.Close()
	}
	return fsys
}

func (d disk) with(name string, b []byte) disk {
	c := disk{}
	for n := range d {
		c[n] = d[n]
	}
	c[name] = b
	if b == nil {
		delete(c, name)
	}
	return c
}

func (d disk) names() []string {
	var names []string
	for n := range d {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func unmount(tb testing.TB, fsys vfs.FS) disk {
	tb.Helper()
	names, err := fsys.List(testDir)
	if err != nil {
		tb.Fatal(err)
	}
	d := disk{}
	for _, name := range names {
		f, err := fsys.Open(fsys.PathJoin(testDir, name))
		if err != nil {
			tb.Fatal(err)
		}
		if d[name], err = io.ReadAll(f); err != nil {
			tb.Fatal(err)
		}
		_ = f.Close()
	}
	return d
}

// place is one frame in a file.
type place struct {
	file       string
	start, end int // in the file
	group      int // counted from 0 through the log
}

// sample is a log of three segments: the first ends with a failed group that did
// reach the disk, the second is full, the third ends with a group of three
// frames and zeros.
func sample(tb testing.TB) (disk, entries, []place) {
	tb.Helper()
	mem := vfs.NewMem()
	fsys := newWorld(mem)
	l := mustOpen(tb, fsys, Options{SegmentBytes: 2560, ZeroAhead: 700, Random: newSeeded(11)})
	var all entries
	var places []place
	groups := 0
	commit := func(keep bool, payloads ...string) {
		for _, p := range payloads {
			lsn := mustAppend(tb, l, p)
			if keep {
				all.add(lsn, p)
			}
		}
		_, err := l.Step()
		if (err == nil) != keep {
			tb.Fatalf("step: %v", err)
		}
		if keep {
			s := l.segments[len(l.segments)-1]
			for i, lsn := range all.lsns[len(all.lsns)-len(payloads):] {
				end := headerBytes + int(lsn-s.base)
				places = append(places, place{s.name, end - frameHeaderBytes - len(payloads[i]), end, groups})
			}
			groups++
		}
	}
	text := strings.Repeat
	commit(true, text("a", 60), text("b", 100))
	commit(true, text("c", 300))
	fsys.ask = func(k kind, _ string) verdict {
		if k == opSync {
			return pretend
		}
		return proceed
	}
	commit(false, text("X", 80), text("Y", 80))
	fsys.ask = nil
	if err := l.Recover(); err != nil {
		tb.Fatal(err)
	}
	commit(true, text("d", 90), text("e", 20))
	commit(true, text("f", 1500))
	commit(true, text("g", 700), text("h", 10)) // begins the third
	commit(true, text("i", 40), text("j", 60))
	commit(true, text("k", 400), text("l", 300), text("m", 90))
	_ = l.Close()
	d := unmount(tb, fsys)
	if len(d) != 3 || places[len(places)-1].file != d.names()[2] {
		tb.Fatalf("the sample has segments %q", d.names())
	}
	return d, all, places
}

func tryOpen(tb testing.TB, d disk) (*Log, error) {
	tb.Helper()
	return Open(d.mount(tb), testDir, stillClock{}, Options{SegmentBytes: 2560, ZeroAhead: 700, Random: newSeeded(12)})
}

func TestTornTailAtEveryByteOfTheLastGroup(t *testing.T) {
	d, all, places := sample(t)
	last := d.names()[2]
	whole := d[last]
	lastGroup := places[len(places)-1].group
	begin := 0
	for _, p := range places {
		if p.group == lastGroup && begin == 0 {
			begin = p.start
		}
	}
	for cut := begin; cut <= len(whole); cut++ {
		kept, valid := 0, begin
		for _, p := range places {
			if p.file != last || p.end <= cut {
				kept++
				if p.group == lastGroup {
					valid = p.end
				}
			}
		}
		want := entries{all.lsns[:kept], all.payloads[:kept]}
		torn := len(bytes.TrimRight(whole[valid:cut], "\x00"))
		for _, zeros := range []int{0, 1, 5000} {
			b := append(slices.Clone(whole[:cut]), make([]byte, zeros)...)
			l, err := tryOpen(t, d.with(last, b))
			if err != nil {
				t.Fatalf("cut at %d, %d zeros: %v", cut, zeros, err)
			}
			check(t, l, 0, want)
			if l.Durable() != want.lsns[kept-1] || l.Stats().TornBytes != int64(torn) {
				t.Fatalf("cut at %d, %d zeros: durable %d, %d bytes torn, want %d and %d", cut, zeros, l.Durable(), l.Stats().TornBytes, want.lsns[kept-1], torn)
			}
			want2 := entries{slices.Clone(want.lsns), slices.Clone(want.payloads)}
			want2.add(put(t, l, "more"), "more")
			check(t, mustOpen(t, l.fs, smallOptions()), 0, want2)
		}
	}
}

// TestHolesInTheLastGroup keeps any subset of its sectors.
func TestHolesInTheLastGroup(t *testing.T) {
	d, all, places := sample(t)
	last := d.names()[2]
	n := len(places)
	begin, end := places[n-3].start, places[n-1].end
	sectors := (end - begin + sectorBytes - 1) / sectorBytes
	for set := range 1 << sectors {
		b := slices.Clone(d[last])
		for i := range sectors {
			if set&(1<<i) == 0 {
				clear(b[begin+i*sectorBytes : min(begin+(i+1)*sectorBytes, len(b))])
			}
		}
		l, err := tryOpen(t, d.with(last, b))
		if err != nil {
			t.Fatalf("sectors %b: %v", set, err)
		}
		kept := n - 3
		for kept < n && bytes.Equal(b[places[kept].start:places[kept].end], d[last][places[kept].start:places[kept].end]) {
			kept++
		}
		check(t, l, 0, entries{all.lsns[:kept], all.payloads[:kept]})
	}
}

// TestEveryBitFlipIsJudgedRightly flips every bit of every file in turn.
func TestEveryBitFlipIsJudgedRightly(t *testing.T) {
	d, all, places := sample(t)
	n := len(places)
	lastGroup := places[n-1].group
	counts := map[string]int{}
	for _, name := range d.names() {
		for at := range d[name] {
			kept, corruptAt, what := n, -1, "beside the frames"
			if at < headerBytes {
				corruptAt, what = 0, "header"
			}
			for i, p := range places {
				switch {
				case p.file != name || at < p.start || at >= p.end:
				case p.group == lastGroup:
					kept, what = i, "last group"
				default:
					// The search for the next frame begins where the one before ended.
					corruptAt, what = headerBytes, "frame"
					if i > 0 && places[i-1].file == name {
						corruptAt = places[i-1].end
					}
				}
			}
			counts[what]++
			for bit := range 8 {
				if bit != at%8 && what == "beside the frames" {
					continue
				}
				b := slices.Clone(d[name])
				b[at] ^= 1 << bit
				l, err := tryOpen(t, d.with(name, b))
				var bad *CorruptError
				switch {
				case corruptAt < 0 && err != nil:
					t.Fatalf("%s, bit %d of byte %d (%s): %v", name, bit, at, what, err)
				case corruptAt < 0:
					check(t, l, 0, entries{all.lsns[:kept], all.payloads[:kept]})
				case !errors.Is(err, ErrCorrupt) || !errors.As(err, &bad):
					t.Fatalf("%s, bit %d of byte %d (%s): %v, want corruption", name, bit, at, what, err)
				case bad.Segment != name || bad.Offset != int64(corruptAt):
					t.Fatalf("%s, bit %d of byte %d (%s): found at %s %d, want %d", name, bit, at, what, bad.Segment, bad.Offset, corruptAt)
				}
			}
		}
	}
	for _, what := range []string{"header", "frame", "last group", "beside the frames"} {
		if counts[what] < 100 {
			t.Errorf("only %d bytes are %q", counts[what], what)
		}
	}
}

func TestDirectoriesThatAreNotOneLog(t *testing.T) {
	d, all, _ := sample(t)
	names := d.names()
	other := vfs.NewMem()
	l, err := Open(other, testDir, stillClock{}, Options{Random: newSeeded(99)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, "somebody else's")
	_ = l.Close()
	foreign := unmount(t, other)[names[0]]
	torn := slices.Clone(d[names[2]][:headerBytes])
	clear(torn[100:])
	torn[3] = 0
	version := header{base: 1 << 40, prevBase: noBase}.encode()
	version[8] = 2
	binary.LittleEndian.PutUint32(version[headerBytes-4:], crc32.Checksum(version[:headerBytes-4], castagnoli))
	tail := entries{all.lsns[3:], all.payloads[3:]}

	contradiction := disk{
		segmentName(512):  header{base: 512, prevBase: 0, prevEnd: 100}.encode(),
		segmentName(1024): header{base: 1024, prevBase: 512, prevEnd: 50}.encode(),
	}

	tests := []struct {
		name string
		d    disk
		from LSN
		want entries
		err  error
		at   string
	}{
		{"the whole", d, 0, all, nil, ""},
		{"other files are not its business", d.with("LOCK", []byte("x")).with("00.log", []byte("x")), 0, all, nil, ""},
		{"the oldest was dropped", d.with(names[0], nil), all.lsns[2], tail, nil, ""},
		{"one in the middle is missing", d.with(names[1], nil), 0, entries{}, ErrCorrupt, names[1]},
		{"the oldest is of another log", d.with(names[0], foreign), 0, entries{}, ErrCorrupt, names[0]},
		{"one has the name of another", d.with(names[1], d[names[2]]), 0, entries{}, ErrCorrupt, names[1]},
		{"an unused file without a header at the end", d.with(segmentName(1<<40), torn), 0, all, nil, ""},
		{"an empty file at the end", d.with(segmentName(1<<40), []byte{}), 0, all, nil, ""},
		{"a file of zeros at the end", d.with(segmentName(1<<40), make([]byte, 9000)), 0, all, nil, ""},
		{"a used file without a header at the end", d.with(segmentName(1<<40), append(torn, make([]byte, 600)...)).with(segmentName(1<<41), append(slices.Clone(torn), 1)), 0, entries{}, ErrCorrupt, segmentName(1 << 41)},
		{"an unused file between", d.with(segmentName(512), torn), 0, all, nil, ""},
		{"a used file between", d.with(segmentName(512), append(slices.Clone(torn), 1)), 0, entries{}, ErrCorrupt, segmentName(512)},
		{"a segment of a later version", d.with(segmentName(1<<40), version), 0, entries{}, ErrVersion, ""},
		{"two that do not agree on what came before", contradiction, 0, entries{}, ErrCorrupt, segmentName(1024)},
		{"an empty directory", disk{}, 0, entries{}, nil, ""},
		{"nothing but unused files", disk{segmentName(1 << 40): torn}, 0, entries{}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := tryOpen(t, tt.d)
			if !errors.Is(err, tt.err) {
				t.Fatalf("open: %v, want %v", err, tt.err)
			}
			var bad *CorruptError
			if errors.As(err, &bad) && (bad.Segment != tt.at || bad.Offset != 0) {
				t.Errorf("corrupt is %s at %d, want %s at 0", bad.Segment, bad.Offset, tt.at)
			}
			if err != nil {
				return
			}
			check(t, l, tt.from, tt.want)
			lsn := put(t, l, "next")
			for name := range tt.d {
				if base, ok := parseName(name); ok && lsn <= base {
					t.Errorf("LSN %d, but there was a file %s", lsn, name)
				}
			}
			if _, err := l.fs.Stat(l.fs.PathJoin(testDir, segmentName(512))); err == nil {
				t.Error("the unused file is still there")
			}
		})
	}
}

// TestWhatProvesCorruption damages frames of the last segment. What is lost was
// durable, and the log corrupt, if a frame is left of a group that came later.
func TestWhatProvesCorruption(t *testing.T) {
	tests := []struct {
		name   string
		groups [][]int // lengths of payloads
		flip   []int   // frames with a wrong byte, counted from 0
		wipe   []int   // frames that became zeros
		whole  int     // frames in front of the damage
		err    error
	}{
		{"the last frame", [][]int{{50, 60}, {70}, {80, 90}}, []int{4}, nil, 4, nil},
		{"the first of the last group", [][]int{{50, 60}, {70}, {80, 90}}, []int{3}, nil, 3, nil},
		{"the first of the last group is gone", [][]int{{50, 60}, {70}, {80, 90}}, nil, []int{3}, 3, nil},
		{"all of the last group", [][]int{{50, 60}, {70}, {80, 90}}, []int{3, 4}, nil, 3, nil},
		{"the first group and the first to follow it", [][]int{{50}, {60, 70}}, []int{0, 1}, nil, 0, ErrCorrupt},
		{"one that the first of a group follows", [][]int{{50, 60}, {70}}, []int{1}, nil, 1, ErrCorrupt},
		{"one is gone that the first of a group follows", [][]int{{50, 60}, {70}}, nil, []int{1}, 1, ErrCorrupt},
		{"a group, and of the last all but the first", [][]int{{50, 60}, {70}, {80, 90}}, []int{2, 4}, nil, 2, ErrCorrupt},
		{"a group, and the first of the last", [][]int{{50, 60}, {70}, {80, 90}}, []int{2, 3}, nil, 2, ErrCorrupt},
		{"a group is gone, and the first of the last", [][]int{{50, 60}, {70}, {80, 90}}, nil, []int{2, 3}, 2, ErrCorrupt},
		{"one in the sector before a group without its first", [][]int{{50, 60}, {70, 80}}, []int{1, 2}, nil, 1, ErrCorrupt},
		{"a group is gone before one that begins with a zero", [][]int{{50}, {60}, {256}}, nil, []int{1}, 1, ErrCorrupt},
		{"a group is gone before one that begins with four", [][]int{{50}, {60}, {0}}, nil, []int{1}, 1, ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := vfs.NewMem()
			l := mustOpen(t, fsys, Options{ZeroAhead: 3000})
			var all entries
			for _, group := range tt.groups {
				for _, n := range group {
					p := strings.Repeat("p", n)
					all.add(mustAppend(t, l, p), p)
				}
				mustStep(t, l)
			}
			d := unmount(t, fsys)
			file := d[segmentName(0)]
			for _, i := range tt.flip {
				file[headerBytes+all.lsns[i]-1] ^= 4
				if len(all.payloads[i]) == 0 {
					t.Fatal("flips nothing")
				}
			}
			for _, i := range tt.wipe {
				end := headerBytes + int(all.lsns[i])
				clear(file[end-len(all.payloads[i])-frameHeaderBytes : end])
			}
			l, err := tryOpen(t, d)
			if !errors.Is(err, tt.err) {
				t.Fatalf("open: %v, want %v", err, tt.err)
			}
			end := int64(headerBytes)
			if tt.whole > 0 {
				end += int64(all.lsns[tt.whole-1])
			}
			var bad *CorruptError
			switch {
			case err == nil:
				check(t, l, 0, entries{all.lsns[:tt.whole], all.payloads[:tt.whole]})
			case !errors.As(err, &bad) || bad.Offset != end:
				t.Errorf("%v, want it at byte %d", err, end)
			}
		})
	}
}

// A frame that somebody wrote into a payload, or one of another position or
// another log, must not be taken for one of this log.
func TestFramesVerifyOnlyInTheirPlace(t *testing.T) {
	d, all, places := sample(t)
	last := d.names()[2]
	n := len(places)
	donor := d[last][places[n-2].start:places[n-2].end]
	for _, at := range []int{places[n-1].start, places[n-1].end, places[n-1].end + 40, places[n-1].end - places[n-1].end%sectorBytes + sectorBytes} {
		b := append(slices.Clone(d[last]), make([]byte, 2048)...)
		clear(b[places[n-1].start:])
		copy(b[at:], donor)
		l, err := tryOpen(t, d.with(last, b))
		if err != nil {
			t.Fatalf("copy at %d: %v", at, err)
		}
		check(t, l, 0, entries{all.lsns[:n-1], all.payloads[:n-1]})
	}
}

// Replay reads what Open has verified again, and does not trust it.
func TestReplayNoticesWhatRottedSince(t *testing.T) {
	d, _, places := sample(t)
	fsys := d.mount(t)
	l, err := Open(fsys, testDir, stillClock{}, smallOptions())
	if err != nil {
		t.Fatal(err)
	}
	p := places[4]
	f, err := fsys.OpenReadWrite(fsys.PathJoin(testDir, p.file), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteAt([]byte{0}, int64(p.end-1))
	var bad *CorruptError
	err = l.Replay(0, func(LSN, []byte) error { return nil })
	if !errors.As(err, &bad) || bad.Segment != p.file || bad.Offset != int64(places[3].end) {
		t.Errorf("replay: %v, want corruption of %s at %d", err, p.file, places[3].end)
	}
}

// TestFormatIsWhatTheDocumentSays pins docs/format/log.md byte by byte.
func TestFormatIsWhatTheDocumentSays(t *testing.T) {
	h := header{id: 0x1122334455667788, base: 0x400, prevBase: 0x200, prevEnd: 0x3ab}.encode()
	const zeros = headerBytes - 48 - 4
	got := hex.EncodeToString(h[:48]) + "|" + hex.EncodeToString(h[48+zeros:])
	want := "54474c4f470d0a1a" + "01000000" + "00000000" + "8877665544332211" + "0004000000000000" + "0002000000000000" + "ab03000000000000" + "|" + "bc8bb8c0"
	if got != want || len(h) != headerBytes || len(bytes.Trim(h[48:48+zeros], "\x00")) != 0 {
		t.Errorf("header is\n%s, want\n%s", got, want)
	}
	var scratch [28]byte
	f := appendFrame(nil, &scratch, 0x1122334455667788, 0x400, firstOfGroup|5, []byte("payload"), 0x01020304)
	if got, want := hex.EncodeToString(f), "07000000"+"05000080"+"04030201"+"4638ab19"+hex.EncodeToString([]byte("payload")); got != want {
		t.Errorf("frame is\n%s, want\n%s", got, want)
	}
	if segmentName(0x400) != "0000000000000400.log" {
		t.Errorf("segment is named %s", segmentName(0x400))
	}
}
