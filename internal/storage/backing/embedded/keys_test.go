package embedded

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
)

// odd draws strings that are short, and rich in the bytes that matter.
var odd = rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 0xff, 'a', 'b', 'ÿ', '日'}), 0, 4, -1)

func drawKey(t *rapid.T) backing.Key {
	return backing.Key{
		Tenant:    rapid.Uint32().Draw(t, "tenant"),
		Map:       odd.Draw(t, "map") + rapid.SampledFrom([]string{"", "\xff", "\x00\xff"}).Draw(t, "end"),
		Partition: partition.ID(rapid.Uint16().Draw(t, "partition")),
		Hash:      rapid.Uint32().Draw(t, "hash"),
		Key:       odd.Draw(t, "key"),
	}
}

func TestKeysKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawKey(t), drawKey(t)
		if rapid.Bool().Draw(t, "same tenant") {
			b.Tenant = a.Tenant
		}
		if rapid.Bool().Draw(t, "same map") {
			b.Map = a.Map
		}
		if rapid.Bool().Draw(t, "same place") {
			b.Partition, b.Hash = a.Partition, a.Hash
		}
		if got, want := bytes.Compare(appendKey(nil, &a), appendKey(nil, &b)), a.Compare(b); got != want {
			t.Errorf("%v and %v compare as %d, encoded as %d", a, b, want, got)
		}
	})
}

func TestKeysComeBack(t *testing.T) {
	keys := backingtest.OddKeys()
	var kr keyReader
	for _, want := range keys {
		if got, err := kr.read(appendKey(nil, &want)); err != nil || got != want {
			t.Errorf("read: %v, %v, want %v", got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := drawKey(t)
		if got, err := kr.read(appendKey(nil, &want)); err != nil || got != want {
			t.Errorf("read: %v, %v, want %v", got, err, want)
		}
	})
}

// TestBytesOnDisk pins the bytes that docs/format/store.md shows.
func TestBytesOnDisk(t *testing.T) {
	key := backing.Key{Tenant: 1, Map: "a\x00b", Partition: 258, Hash: 0x0a0b0c0d, Key: "k\x00"}
	row := backing.Row{Kind: 3, Seq: 5, Arrival: 0x0102030405060708, State: []byte("state")}
	mark := backing.Mark{LSN: 7, Partitions: map[partition.ID]backing.Pos{2: {Epoch: 1, Seq: 9}, 1: {Seq: 8}}}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"key":  {appendKey(nil, &key), "02" + "00000001" + "6100ff62" + "0001" + "0102" + "0a0b0c0d" + "6b00"},
		"row":  {appendRow(nil, &row), "03" + "0000000000000005" + "0102030405060708" + "7374617465"},
		"mark": {keyMark, "016d"},
		"pos": {
			appendMark(nil, mark), "0000000000000007" + "0002" +
				"0001" + "00000000" + "0000000000000008" + "0002" + "00000001" + "0000000000000009",
		},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
	}
}

func TestMarksComeBack(t *testing.T) {
	full := backing.Mark{LSN: math.MaxUint64, Partitions: map[partition.ID]backing.Pos{}}
	for id := range partition.ID(partition.Count) {
		full.Partitions[id] = backing.Pos{Epoch: math.MaxUint32, Seq: math.MaxUint64}
	}
	for _, want := range []backing.Mark{{}, {LSN: 1}, full} {
		got, err := readMark(appendMark(nil, want))
		if err != nil || !got.Equal(want) || !maps.Equal(got.Partitions, want.Partitions) {
			t.Errorf("readMark: %v, %v, want %v", got, err, want)
		}
	}
}

// FuzzReaders feeds the decoders what a disk may hold.
func FuzzReaders(f *testing.F) {
	key := backing.Key{Map: "m\x00", Key: "k"}
	f.Add(appendKey(nil, &key))
	f.Add(appendRow(nil, &backing.Row{State: []byte("s")}))
	f.Add(appendMark(nil, backing.Mark{Partitions: map[partition.ID]backing.Pos{1: {}}}))
	f.Add([]byte{spaceRows, 0, 0, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var kr keyReader
		k, err := kr.read(b)
		if err == nil && !bytes.Equal(appendKey(nil, &k), b) {
			t.Errorf("key %x reads as %v", b, k)
		}
		row, rowErr := readRow(k, b)
		if rowErr == nil && !bytes.Equal(appendRow(nil, &row), b) {
			t.Errorf("value %x reads as %v", b, row)
		}
		_, markErr := readMark(b)
		for _, err := range []error{err, rowErr, markErr} {
			if err != nil && !errors.Is(err, backing.ErrCorrupt) {
				t.Error(err)
			}
		}
	})
}
