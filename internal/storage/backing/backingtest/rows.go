package backingtest

import (
	"bytes"
	"fmt"
	"math"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

func testEmpty(f *fixture) {
	f.check()
	if mark, err := f.store.Mark(f.Context()); err != nil || mark.LSN != 0 || len(mark.Partitions) != 0 {
		f.Errorf("Mark: %v, %v, want the zero mark", mark, err)
	}
	if row, found, err := f.store.Load(f.Context(), backing.Key{}); found || err != nil {
		f.Errorf("Load: %v, %v, %v, want nothing", row, found, err)
	}
	if list, err := f.store.Maps(f.Context()); len(list) != 0 || err != nil {
		f.Errorf("Maps: %v, %v, want none", list, err)
	}
	for _, hard := range []bool{false, true} {
		if err := f.store.Flush(f.Context(), hard); err != nil {
			f.Errorf("Flush(%t): %v", hard, err)
		}
	}
}

func testRoundTrip(f *fixture) {
	key := backing.Key{Tenant: 7, Map: "users", Partition: 270, Hash: 0xdead_beef, Key: "alice"}
	rows := []backing.Row{
		{Key: key, Kind: 1, Seq: 2, Arrival: 3, State: []byte("state")},
		{Key: key, Kind: math.MaxUint8, Seq: math.MaxUint64, Arrival: math.MaxUint64, State: []byte{0, 0xff}},
		{Key: key, State: nil},
		{Key: key, Kind: 1, State: []byte{}},
	}
	for i, row := range rows {
		f.apply(at(uint64(i)), backing.Write{Row: row})
		f.check()
		got, found, err := f.store.Load(f.Context(), key)
		if err != nil || !found || !same(got, row) {
			f.Errorf("Load: %s, %t, %v, want %s", describe(got), found, err, describe(row))
		}
	}
	neighbours := []backing.Key{key.Next(), {}, {Tenant: 7, Map: "users", Partition: 270, Hash: 0xdead_beef, Key: "alic"}}
	for _, k := range neighbours {
		if row, found, err := f.store.Load(f.Context(), k); found || err != nil {
			f.Errorf("Load(%v): %v, %v, %v, want nothing", k, row, found, err)
		}
	}
}

func testOverwrite(f *fixture) {
	f.apply(at(1), put("a", "1"), put("b", "1"), put("c", "1"))
	f.apply(at(2), put("b", "two"))
	f.apply(at(3), put("a", ""), put("d", "3"))
	f.check()
}

func testDelete(f *fixture) {
	f.apply(at(1), put("a", "1"), put("b", "1"), put("c", "1"))
	f.apply(at(2), del("a"), put("b", "2"), del("nobody"))
	f.check()
	f.apply(at(3), del("b"), del("c"))
	f.check()
	f.apply(at(4), put("b", "back"))
	f.check()
	if _, found, err := f.store.Load(f.Context(), put("a", "").Key); found || err != nil {
		f.Errorf("Load of a deleted row: %t, %v, want nothing", found, err)
	}
}

func testBigRows(f *fixture) {
	var writes []backing.Write
	for i := range 5 {
		w := put(fmt.Sprintf("big-%d", i), "")
		w.State = bytes.Repeat([]byte{byte(i), 0, 0xff, 'x'}, 1<<18)
		writes = append(writes, w)
	}
	f.apply(at(1), writes...)
	f.check()
	f.reopen()
	f.check()
	long := put(string(bytes.Repeat([]byte("k"), backing.MaxKeyBytes)), "state")
	f.apply(at(2), long)
	f.check()
}

func testOwnership(f *fixture) {
	buf := []byte("first")
	mark := (&Generator{Rand: fixedRand(1)}).Mark()
	rows := func(yield func(backing.Write) bool) {
		for _, key := range []string{"a", "b", "c"} {
			w := put(key, "")
			w.State = buf[:copy(buf, "st-"+key)]
			if !yield(w) {
				return
			}
			clear(buf)
		}
	}
	if err := f.store.Apply(f.Context(), rows, mark); err != nil {
		f.Fatal(err)
	}
	f.model.Apply([]backing.Write{put("a", "st-a"), put("b", "st-b"), put("c", "st-c")}, mark)
	mark.Partitions[100] = backing.Pos{Epoch: 9}
	f.check()

	row, _, err := f.store.Load(f.Context(), put("a", "").Key)
	if err != nil {
		f.Fatal(err)
	}
	clear(row.State)
	got, err := f.store.Mark(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	clear(got.Partitions)
	f.check()
}

func testCopy(f *fixture) {
	g := &Generator{Rand: fixedRand(2), Keys: 500, StateBytes: 100}
	writes, mark := g.Checkpoint(400)
	f.apply(mark, writes...)
	other := newFixture(f.T, f.place)
	rows := func(yield func(backing.Write) bool) {
		err := f.store.Scan(f.Context(), backing.Range{}, func(r backing.Row) (bool, error) {
			return yield(backing.Write{Row: r}), nil
		})
		if err != nil {
			f.Error(err)
		}
	}
	if err := other.store.Apply(f.Context(), rows, mark); err != nil {
		f.Fatal(err)
	}
	if err := f.model.Check(f.Context(), other.store); err != nil {
		f.Fatal(err)
	}
}
