package log

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func inspect(tb testing.TB, d disk, opt InspectOptions) (string, error) {
	tb.Helper()
	fsys := d.mount(tb)
	var b strings.Builder
	err := Inspect(fsys, testDir, &b, opt)
	after := unmount(tb, fsys)
	for name := range d {
		if !slices.Equal(d[name], after[name]) || len(d) != len(after) {
			tb.Errorf("inspection has changed %s", name)
		}
	}
	return b.String(), err
}

func TestInspectListsALog(t *testing.T) {
	d, _, _ := sample(t)
	got, err := inspect(t, d, InspectOptions{Frames: true, Describe: func(p []byte) string { return fmt.Sprintf("%.1q", p) }})
	if err != nil {
		t.Fatal(err)
	}
	want := `segment  0000000000000000.log  2748 bytes, log f60aea522b8c7058, after 0
  + frame  lsn 76, byte 512, 60 bytes  "a"
    frame  lsn 192, byte 588, 100 bytes  "b"
  + frame  lsn 828, byte 1024, 300 bytes  "c"
         3 frames in 2 groups, up to lsn 828
segment  0000000000000600.log  2560 bytes, log f60aea522b8c7058, after 828
  + frame  lsn 1642, byte 512, 90 bytes  "d"
    frame  lsn 1678, byte 618, 20 bytes  "e"
  + frame  lsn 3564, byte 1024, 1500 bytes  "f"
         3 frames in 2 groups, up to lsn 3564
`
	if head, _, _ := strings.Cut(got, "segment  0000000000000e00"); head != want {
		t.Errorf("listing is\n%s\nwant\n%s", head, want)
	}
	if strings.Contains(got, "torn") || strings.Contains(got, "corrupt") {
		t.Errorf("damage in a log without any:\n%s", got)
	}
}

func TestInspectShowsDamage(t *testing.T) {
	d, _, places := sample(t)
	names := d.names()
	flip := func(p place) []byte {
		b := slices.Clone(d[p.file])
		b[p.end-1] ^= 1
		return b
	}
	last := places[len(places)-1]
	tests := []struct {
		name string
		d    disk
		line string
		err  error
	}{
		{"torn", d.with(last.file, flip(last)), fmt.Sprintf("torn     %s  ", last.file), nil},
		{"stray", d.with(segmentName(1<<40), nil).with(segmentName(1<<40), []byte("x")), "stray    " + segmentName(1<<40), nil},
		{"frame", d.with(places[1].file, flip(places[1])), "corrupt  log: corrupt: segment " + places[1].file, ErrCorrupt},
		{"missing", d.with(names[1], nil), "corrupt  log: corrupt: segment " + names[1], ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := inspect(t, tt.d, InspectOptions{})
			if !errors.Is(err, tt.err) || !strings.Contains(got, tt.line) {
				t.Errorf("error %v, listing\n%s\nwant %v and %q", err, got, tt.err, tt.line)
			}
			if !strings.Contains(got, names[2]) {
				t.Errorf("the damage hides %s:\n%s", names[2], got)
			}
			_, openErr := tryOpen(t, tt.d)
			if (openErr == nil) != (err == nil) {
				t.Errorf("inspect says %v, open %v", err, openErr)
			}
		})
	}
}

func TestInspectReportsWhatItCannotDo(t *testing.T) {
	if err := Inspect(vfs.NewMem(), testDir, io.Discard, InspectOptions{}); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("no directory: %v", err)
	}
	d, _, _ := sample(t)
	if err := Inspect(d.mount(t), testDir, brokenWriter{}, InspectOptions{}); !errors.Is(err, errInjected) {
		t.Errorf("no writer: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errInjected }
