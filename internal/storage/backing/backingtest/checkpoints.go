package backingtest

import (
	"context"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

func testRefused(f *fixture) {
	f.apply(at(5), put("a", "old"), put("b", "old"))
	tooLong := put("z", "")
	tooLong.Key.Key = strings.Repeat("k", backing.MaxKeyBytes+1)
	longMap := put("z", "")
	longMap.Map = strings.Repeat("m", backing.MaxMapBytes+1)
	withState := put("z", "state")
	withState.Delete = true
	for name, last := range map[string]backing.Write{
		"a key twice":              put("b", "new"),
		"keys that go down":        put("a", "new"),
		"a key that is too long":   tooLong,
		"a map name too long":      longMap,
		"a delete with a state":    withState,
		"a lower tenant's key":     {Row: backing.Row{Key: backing.Key{Map: "l", Key: "z"}}},
		"a key of a lower hash":    {Row: backing.Row{Key: backing.Key{Map: "m", Partition: 3, Hash: 1, Key: "z"}}},
		"a lower partition's key":  {Row: backing.Row{Key: backing.Key{Map: "m", Partition: 2, Key: "z"}}},
		"an empty key, out of row": {},
	} {
		rows := func(yield func(backing.Write) bool) {
			_ = yield(put("a0", "new")) && yield(put("b", "new")) && yield(last)
		}
		f.refuse(name, f.store.Apply(f.Context(), rows, at(6)), backing.ErrInvalid)
		f.check()
	}
	f.reopen()
	f.check()
}

func testCancelled(f *fixture) {
	f.apply(at(5), put("a", "old"))
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	rows := func(yield func(backing.Write) bool) {
		w := put("b", "new")
		for w.Hash = 1; w.Hash < 10_000; w.Hash++ {
			if w.Hash == 5000 {
				cancel()
			}
			if !yield(w) {
				return
			}
		}
	}
	f.refuse("Apply cancelled half way", f.store.Apply(ctx, rows, at(6)), context.Canceled)
	f.refuse("Clear", f.store.Clear(ctx, []backing.Range{{}}, at(6)), context.Canceled)
	_, err := f.store.Mark(ctx)
	f.refuse("Mark", err, context.Canceled)
	_, _, err = f.store.Load(ctx, backing.Key{})
	f.refuse("Load", err, context.Canceled)
	_, err = Collect(ctx, f.store, backing.Range{})
	f.refuse("Scan", err, context.Canceled)
	_, err = f.store.Maps(ctx)
	f.refuse("Maps", err, context.Canceled)
	f.refuse("Flush", f.store.Flush(ctx, true), context.Canceled)
	f.check()
	f.apply(at(6), put("b", "new"))
	f.check()
}

func testMarkOrder(f *fixture) {
	mark := func(lsn uint64, parts ...backing.Pos) backing.Mark {
		m := backing.Mark{LSN: lsn, Partitions: map[partition.ID]backing.Pos{}}
		for i, p := range parts {
			m.Partitions[partition.ID(i)] = p
		}
		return m
	}
	pos := func(epoch uint32, seq uint64) backing.Pos { return backing.Pos{Epoch: epoch, Seq: seq} }
	f.apply(mark(100, pos(2, 20), pos(3, 30)), put("a", "1"))
	for name, back := range map[string]backing.Mark{
		"LSN":          mark(99, pos(2, 20), pos(3, 30)),
		"seq":          mark(101, pos(2, 19), pos(3, 30)),
		"epoch":        mark(101, pos(2, 20), pos(2, 99)),
		"nothing left": mark(0),
	} {
		f.refuse(name, f.store.Apply(f.Context(), nil, back), backing.ErrStale)
		f.refuse(name, f.store.Clear(f.Context(), nil, back), backing.ErrStale)
	}
	f.check()
	f.apply(mark(100, pos(2, 20), pos(3, 30)), put("b", "the same mark"))
	f.apply(mark(100, pos(2, 21), pos(4, 0)), put("c", "one partition further, one begun anew"))
	f.apply(mark(101, pos(2, 21)), put("d", "a partition left"))
	f.apply(mark(101, pos(2, 21), pos(1, 1)), put("e", "and came back"))
	f.apply(mark(102, pos(2, 21)))
	f.check()
	f.reopen()
	f.check()
	f.refuse("LSN after reopening", f.store.Apply(f.Context(), nil, mark(101)), backing.ErrStale)
}

func testClear(f *fixture) {
	oddRows(f)
	mark := at(10)
	for i, r := range []backing.Range{
		backing.MapRange(0, "a"),
		backing.PartitionRange(0, "a\x00", 255),
		backing.HashRange(0, "m", 3, [2]uint32{0x0100_0000, 0xffff_ffff}),
		{From: backing.Key{Map: "b"}, To: backing.Key{Map: "b"}},
		{From: backing.Key{Tenant: 1}},
		{},
	} {
		mark.LSN += uint64(i)
		if err := f.store.Clear(f.Context(), []backing.Range{r}, mark); err != nil {
			f.Fatal(err)
		}
		f.model.Clear([]backing.Range{r}, mark)
		f.check()
		f.apply(mark, put("after", "a clear"))
		f.check()
	}
	oddRows0 := put("again", "1")
	mark.LSN++
	f.apply(mark, oddRows0)
	ranges := []backing.Range{
		backing.MapRange(0, "m"), backing.MapRange(0, "a"), {From: backing.Key{Map: "l"}, To: backing.Key{Map: "n"}}, {},
	}
	if err := f.store.Clear(f.Context(), ranges, mark); err != nil {
		f.Fatal(err)
	}
	f.model.Clear(ranges, mark)
	f.check()
	f.reopen()
	f.check()
}

func testReopen(f *fixture) {
	g := &Generator{Rand: fixedRand(3), Keys: 200, StateBytes: 50}
	for range 8 {
		writes, mark := g.Checkpoint(50)
		f.apply(mark, writes...)
		f.reopen()
		f.check()
	}
}

func testClosed(f *fixture) {
	f.apply(at(1), put("a", "1"))
	if err := f.store.Close(); err != nil {
		f.Fatal(err)
	}
	ctx := f.Context()
	f.refuse("Apply", f.store.Apply(ctx, nil, at(2)), backing.ErrClosed)
	f.refuse("Clear", f.store.Clear(ctx, nil, at(2)), backing.ErrClosed)
	_, err := f.store.Mark(ctx)
	f.refuse("Mark", err, backing.ErrClosed)
	_, _, err = f.store.Load(ctx, backing.Key{})
	f.refuse("Load", err, backing.ErrClosed)
	_, err = Collect(ctx, f.store, backing.Range{})
	f.refuse("Scan", err, backing.ErrClosed)
	_, err = f.store.Maps(ctx)
	f.refuse("Maps", err, backing.ErrClosed)
	f.refuse("Flush", f.store.Flush(ctx, false), backing.ErrClosed)
	f.refuse("Close", f.store.Close(), backing.ErrClosed)
	if st := f.store.Stats(); st != (backing.Stats{}) {
		f.Errorf("Stats: %+v, want zero", st)
	}
}

func testStats(f *fixture) {
	f.apply(at(1), put("a", "12345"), put("b", "12345"))
	f.apply(at(2), del("a"))
	f.refuse("Apply", f.store.Apply(f.Context(), nil, at(1)), backing.ErrStale)
	st := f.store.Stats()
	if st.Checkpoints != 2 || st.Rows != 3 || st.Bytes < 10 || st.DiskBytes < 5 || st.ReadDepth < 1 {
		f.Errorf("Stats: %+v, want 2 checkpoints, 3 rows, some bytes and a depth", st)
	}
}
