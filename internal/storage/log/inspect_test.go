package log

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func inspect(tb testing.TB, d disk, opt InspectOptions) (string, error) {
	tb.Helper()
	fsys := d.mount(tb)
	var b strings.Builder
	err := Inspect(fsys, testDir, opt, func(f Finding) error { _, err := fmt.Fprintln(&b, f); return err })
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
	want := `  + frame  lsn 76, byte 512, 60 bytes  "a"
    frame  lsn 192, byte 588, 100 bytes  "b"
  + frame  lsn 828, byte 1024, 300 bytes  "c"
segment  0000000000000000.log  2748 bytes, log f60aea522b8c7058, after 0: 3 frames in 2 groups, up to lsn 828
  + frame  lsn 1642, byte 512, 90 bytes  "d"
    frame  lsn 1678, byte 618, 20 bytes  "e"
  + frame  lsn 3564, byte 1024, 1500 bytes  "f"
segment  0000000000000600.log  2560 bytes, log f60aea522b8c7058, after 828: 3 frames in 2 groups, up to lsn 3564
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("listing is\n%s\nwant it to begin with\n%s", got, want)
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
		{"frame", d.with(places[1].file, flip(places[1])), "corrupt  " + places[1].file, ErrCorrupt},
		{"missing", d.with(names[1], nil), "corrupt  " + names[1], ErrCorrupt},
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
	if err := Inspect(vfs.NewMem(), testDir, InspectOptions{}, func(Finding) error { return nil }); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("no directory: %v", err)
	}
	d, _, _ := sample(t)
	if err := Inspect(d.mount(t), testDir, InspectOptions{Frames: true}, func(Finding) error { return errInjected }); !errors.Is(err, errInjected) {
		t.Errorf("no writer: %v", err)
	}
}

// TestInspectListsWhatIsBesideTheSegments: spares and the places of consumers.
func TestInspectListsWhatIsBesideTheSegments(t *testing.T) {
	fsys := vfs.NewMem()
	l := mustOpen(t, fsys, smallOptions())
	done, copying := mustConsumer(t, l, "done"), mustConsumer(t, l, "copying")
	done.Acknowledge(done.Restart())
	for range 30 {
		put(t, l, strings.Repeat("x", 1000))
	}
	done.Acknowledge(l.Durable())
	copying.Restart()
	if err := l.DropBefore(l.Durable()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	var consumers []Finding
	err := Inspect(fsys, testDir, InspectOptions{}, func(f Finding) error {
		found[f.What]++
		if f.What == FoundConsumer {
			consumers = append(consumers, f)
		}
		return nil
	})
	if err != nil || found[FoundSpare] != 1 || found[FoundSegment] != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	if len(consumers) != 2 || consumers[0].Name != "copying" || consumers[0].Whole || !consumers[1].Whole || consumers[1].LSN != l.Durable() {
		t.Errorf("consumers: %+v", consumers)
	}
}
