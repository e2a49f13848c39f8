package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

func drawRow(t *rapid.T) backing.Row {
	return backing.Row{
		Key: backing.Key{
			Map:       rapid.SampledFrom([]string{"", "a", "b", "ü"}).Draw(t, "map"),
			Partition: partition.ID(rapid.IntRange(0, partition.Count-1).Draw(t, "partition")),
			Hash:      rapid.Uint32Range(0, 3).Draw(t, "hash"),
			Key:       rapid.StringN(0, 8, 20).Draw(t, "key"),
		},
		Kind: rapid.ByteRange(kept+1, 255).Draw(t, "kind"), Seq: rapid.Uint64().Draw(t, "seq"), Arrival: rapid.Uint64().Draw(t, "arrival"),
		State: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "state"),
	}
}

func drawRows(t *rapid.T, most int) []backing.Row {
	rows := rapid.SliceOfN(rapid.Custom(drawRow), 0, most).Draw(t, "rows")
	slices.SortFunc(rows, func(a, b backing.Row) int { return a.Key.Compare(b.Key) })
	return slices.CompactFunc(rows, func(a, b backing.Row) bool { return a.Key == b.Key })
}

// write makes a snapshot.
func write(tb interface{ Fatal(...any) }, h Header, rows []backing.Row, frames [][]byte, reached Positions) []byte {
	var out bytes.Buffer
	w, err := NewWriter(&out, h)
	if err != nil {
		tb.Fatal(err)
	}
	for i, f := range frames {
		if err := w.Frame(uint64(i), f); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range rows {
		if err := w.Row(&rows[i]); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := w.Close(reached, 7); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// readAll reads a snapshot to its end.
func readAll(b []byte) (rows []backing.Row, frames [][]byte, r *Reader, err error) {
	if r, err = NewReader(bytes.NewReader(b)); err != nil {
		return nil, nil, nil, err
	}
	for {
		it, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return rows, frames, r, nil
		case err != nil:
			return rows, frames, r, err
		case it.Payload != nil:
			frames = append(frames, slices.Clone(it.Payload))
		default:
			it.Row.State = slices.Clone(it.Row.State)
			rows = append(rows, it.Row)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t, 40)
		frames := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 50), 0, 5).Draw(t, "frames")
		h := Header{Format: Version, ID: "i", Log: "l", Node: "n", Created: 3}
		b := write(t, h, rows, frames, Positions{3: {Epoch: 1, Seq: 9}})
		gotRows, gotFrames, r, err := readAll(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Header(), h) {
			t.Fatalf("header %+v", r.Header())
		}
		if fmt.Sprint(gotRows) != fmt.Sprint(rows) || fmt.Sprint(gotFrames) != fmt.Sprint(frames) {
			t.Fatalf("%v %v, want %v %v", gotRows, gotFrames, rows, frames)
		}
		end, err := ReadTrailer(bytes.NewReader(b), int64(len(b)))
		if err != nil || !reflect.DeepEqual(end, r.Trailer()) || end.Reached[3].Seq != 9 || end.At != 7 {
			t.Fatalf("trailer %+v and %+v, %v", end, r.Trailer(), err)
		}
	})
}

// TestWhatFollowsASnapshotIsDamage: two that were written to one file, as by >>,
// are not the first one.
func TestWhatFollowsASnapshotIsDamage(t *testing.T) {
	b := write(t, Header{ID: "i"}, nil, nil, nil)
	for _, more := range [][]byte{{'\n'}, b} {
		b := slices.Concat(b, more)
		if _, _, _, err := readAll(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes more are read as %v", len(more), err)
		}
		if _, err := ReadTrailer(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("with %d bytes more the trailer is %v", len(more), err)
		}
	}
}

func TestRowsThatDoNotFitABlock(t *testing.T) {
	big := backing.Row{Key: backing.Key{Map: "m", Key: "k"}, Kind: 1, State: bytes.Repeat([]byte("0123456789"), flushBytes)}
	rows, _, _, err := readAll(write(t, Header{}, []backing.Row{big}, nil, nil))
	if err != nil || len(rows) != 1 || !bytes.Equal(rows[0].State, big.State) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
}

// TestDamageIsNoticed changes and cuts every byte of a snapshot: there is no
// place where that goes unnoticed.
func TestDamageIsNoticed(t *testing.T) {
	row := backing.Row{Key: backing.Key{Map: "m", Partition: 4, Key: "k"}, Kind: 1, State: []byte("state")}
	b := write(t, Header{ID: "i", Log: "l"}, []backing.Row{row}, [][]byte{[]byte("frame")}, Positions{4: {Epoch: 1, Seq: 1}})
	for i := range b {
		if i >= len(b)-footBytes && i < len(b)-8 {
			continue // where the trailer begins; the stream is read without it
		}
		bad := slices.Clone(b)
		bad[i] ^= 0x20
		if _, _, _, err := readAll(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Errorf("byte %d of %d changed: %v", i, len(b), err)
		}
		if _, _, _, err := readAll(b[:i]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at byte %d of %d: %v", i, len(b), err)
		}
		if _, err := ReadTrailer(bytes.NewReader(b[:i]), int64(i)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at byte %d of %d, the trailer is %v", i, len(b), err)
		}
	}
}

// TestAKeyWithoutARowNeedsABase: in a full snapshot it is a row that is lost.
func TestAKeyWithoutARowNeedsABase(t *testing.T) {
	for _, base := range []string{"", "b"} {
		var out bytes.Buffer
		w, err := NewWriter(&out, Header{ID: "i", Base: base})
		if err != nil {
			t.Fatal(err)
		}
		keep := w.Keep(backing.Key{Map: "m", Key: "k"})
		if _, err := w.Close(nil, 0); errors.Join(keep, err) != nil {
			t.Fatal(keep, err)
		}
		if _, _, _, err := readAll(out.Bytes()); errors.Is(err, ErrCorrupt) != (base == "") {
			t.Errorf("base %q: %v", base, err)
		}
	}
}

func TestRowsOutOfOrderAreRefused(t *testing.T) {
	w, err := NewWriter(io.Discard, Header{})
	if err != nil {
		t.Fatal(err)
	}
	b, a := backing.Row{Key: backing.Key{Map: "b"}}, backing.Row{Key: backing.Key{Map: "a"}}
	if err := errors.Join(w.Row(&b), w.Row(&a)); !errors.Is(err, backing.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Close(nil, 0); err == nil {
		t.Error("a snapshot that failed can be closed")
	}
}

// drawNext makes an incremental snapshot of what is behind state: of its keys some
// are kept, some are gone and some changed, and others are new.
func drawNext(t *rapid.T, h Header, state map[backing.Key]backing.Row) ([]byte, map[backing.Key]backing.Row) {
	next := map[backing.Key]backing.Row{}
	for _, r := range drawRows(t, 20) {
		next[r.Key] = r
	}
	kept := map[backing.Key]bool{}
	for _, k := range slices.SortedFunc(maps.Keys(state), backing.Key.Compare) {
		if _, changed := next[k]; !changed && rapid.Bool().Draw(t, "kept") {
			next[k], kept[k] = state[k], true
		}
	}
	var out bytes.Buffer
	w, err := NewWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.SortedFunc(maps.Keys(next), backing.Key.Compare) {
		if r := next[k]; kept[k] {
			err = errors.Join(err, w.Keep(k))
		} else {
			err = errors.Join(err, w.Row(&r))
		}
	}
	if _, end := w.Close(Positions{}, 7); errors.Join(err, end) != nil {
		t.Fatal(err, end)
	}
	return out.Bytes(), next
}

// TestChainGivesTheNewestRow compares a chain with the states that its snapshots
// are of: the newest row of each key that is still there, and nothing else.
func TestChainGivesTheNewestRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		a, err := OpenArchive(fs, "d")
		if err != nil {
			t.Fatal(err)
		}
		var state map[backing.Key]backing.Row
		base := ""
		for i := range rapid.IntRange(1, 4).Draw(t, "snapshots") {
			id := fmt.Sprint(i)
			var b []byte
			b, state = drawNext(t, Header{ID: id, Base: base, Log: "l"}, state)
			p, err := a.Create(id)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = p.Write(b)
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
			base = id
		}
		c, err := a.Latest()
		if err != nil || c.Check() != nil {
			t.Fatal(err, c.Check())
		}
		got := map[backing.Key]string{}
		var check backing.Checker
		err = c.Keys(func(f Found) error {
			if err := check.Row(&backing.Write{Row: backing.Row{Key: f.Key}}); err != nil || f.Row == nil {
				return err
			}
			k := f.Key
			k.Map, k.Key = strings.Clone(k.Map), strings.Clone(k.Key)
			got[k] = fmt.Sprint(*f.Row)
			return nil
		})
		want := map[backing.Key]string{}
		for k, r := range state {
			want[k] = fmt.Sprint(r)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v\n got %v\nwant %v", err, got, want)
		}
	})
}

func TestArchiveWithAHole(t *testing.T) {
	fs := vfs.NewMem()
	a, err := OpenArchive(fs, "d")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := a.Latest(); err != nil || len(c.Entries()) != 0 {
		t.Fatalf("an empty archive holds %v, %v", c.Entries(), err)
	}
	put := func(h Header, reached Positions) {
		p, err := a.Create(h.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Write(write(t, h, nil, nil, reached))
		if err := p.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	put(Header{ID: "1", Log: "l"}, Positions{1: {Epoch: 1, Seq: 5}})
	put(Header{ID: "2", Base: "1", Log: "l", Since: Positions{1: {Epoch: 1, Seq: 4}}}, nil)
	if c, err := a.Latest(); err != nil || !errors.Is(c.Check(), ErrChain) {
		t.Errorf("a snapshot that does not begin where its base ends: %v, %v", err, c.Check())
	}
	put(Header{ID: "3", Base: "gone", Log: "l"}, nil)
	if _, err := a.Latest(); !errors.Is(err, ErrChain) {
		t.Errorf("a snapshot without its base: %v", err)
	}
	if _, err := OpenFile(fs, "d/3.tgsnap"); !errors.Is(err, ErrChain) {
		t.Errorf("an incremental snapshot alone: %v", err)
	}
}

// TestTheNewestSnapshotIsFoundByItsTime, not by its file's name, which people
// choose when they keep a stream; and not before the one that it builds on.
func TestTheNewestSnapshotIsFoundByItsTime(t *testing.T) {
	a, err := OpenArchive(vfs.NewMem(), "d")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, base string
		at         int64
		newest     string
	}{
		{"now", "", 10, "now"},
		{"20260101", "now", 11, "20260101"},
		{"20250101", "20260101", 5, "20250101"}, // the clock was set back
		{"another", "", 20, "another"},
	} {
		p, err := a.Create(c.name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(p, Header{ID: c.name, Base: c.base, Log: "l"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(Positions{}, c.at); errors.Join(err, p.Commit()) != nil {
			t.Fatal(err)
		}
		chain, err := a.Latest()
		if err != nil {
			t.Fatal(err)
		}
		if got := chain.Last().Name; got != FileName(c.newest) {
			t.Errorf("with %s the newest is %s", c.name, got)
		}
	}
}

func TestAnUnfinishedSnapshotIsNone(t *testing.T) {
	fs := vfs.NewMem()
	a, err := OpenArchive(fs, "d")
	if err != nil {
		t.Fatal(err)
	}
	b := write(t, Header{ID: "1"}, nil, nil, nil)
	p, err := a.Create("1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.Write(b[:len(b)-1])
	if err := p.Commit(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an unfinished snapshot is committed: %v", err)
	}
	if p, err = a.Create("2"); err != nil {
		t.Fatal(err)
	}
	if err := p.Abandon(); err != nil {
		t.Fatal(err)
	}
	if names, err := fs.List("d"); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func FuzzReader(f *testing.F) {
	row := backing.Row{Key: backing.Key{Map: "m", Key: "k"}, Kind: 1, State: []byte("state")}
	f.Add(write(f, Header{ID: "i"}, []backing.Row{row}, [][]byte{[]byte("frame")}, Positions{1: {Epoch: 1, Seq: 2}}))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, _, err := readAll(b); err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Errorf("an error that says nothing: %v", err)
		}
		_, _ = ReadTrailer(bytes.NewReader(b), int64(len(b)))
	})
}
