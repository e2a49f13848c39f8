package change_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// read decodes a batch.
func read(b []byte) ([]change.Record, error) {
	var out []change.Record
	err := change.ReadBatch(b, func(r *change.Record) error {
		out = append(out, *r)
		return nil
	})
	return out, err
}

var (
	phone  = &change.Author{Origin: change.OriginSession, Principal: "ann", Device: "d1"}
	server = &change.Author{Origin: change.OriginSystem}
)

// put is a record with everything that a simple write has.
func put() change.Record {
	return change.Record{
		Pos: change.Position{Partition: 5, Epoch: 1, Seq: 300}, Map: "m", Kind: change.KindLWW, Verb: change.Put,
		Key: "k", KeyHash: hash.Key("k"), After: "new",
		Arrival: hlc.Timestamp{Millis: 1000, Counter: 2, Node: "n"}, Author: phone,
	}
}

// TestLayouts pins the bytes of docs/format/change.md: what is on disk must stay
// readable.
func TestLayouts(t *testing.T) {
	second := put()
	second.Pos.Seq, second.Key, second.KeyHash = 301, "l", hash.Key("l")
	full := put()
	full.Tenant, full.Kind, full.Verb, full.Tag = 7, change.KindOR, change.Add, "tag"
	full.Before, full.Request = "old", "r1"
	full.Original = hlc.Timestamp{Millis: 5000, Counter: 0, Node: "c"}
	full.Author = server
	edited := put()
	edited.Before, edited.After = "aaaaaaaaXbbbbbbbb", "aaaaaaaaYbbbbbbbb"
	later := second
	later.Pos.Seq = 302
	later.Arrival.Counter = 3

	const first = "0143 01 " + "05 01 ac02 " + "01 03616e6e 026431 " + "00 01 016d " + "e807 02 016e " + "016b 036e6577"
	for _, c := range []struct {
		name    string
		records []change.Record
		want    string
	}{
		{"no records", nil, "01 00"},
		{"one", []change.Record{put()}, "01 " + first},
		{
			"a second one by the same author, in the same map, at the same time",
			[]change.Record{put(), second},
			"01 02" + first[2:] + " 00 01 05 01 ad02 016c 036e6577",
		},
		{
			"a second one at another time",
			[]change.Record{put(), later},
			"01 02" + first[2:] + " 40 01 05 01 ae02 e807 03 016e 016c 036e6577",
		},
		{
			"one with everything",
			[]change.Record{full},
			"01 01 7f 03 05 01 ac02 04 00 00 07 02 016d e807 02 016e 016b 03746167 8827 00 0163 027231 036f6c64 036e6577",
		},
		{
			"one that has changed a byte of seventeen",
			[]change.Record{edited},
			"01 01c3 01 " + "05 01 ac02 " + "01 03616e6e 026431 " + "00 01 016d " + "e807 02 016e " +
				"016b 11 61616161616161615962626262626262 62 " + "09 08 08 01 58",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want, err := hex.DecodeString(strings.ReplaceAll(c.want, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if got := change.AppendBatch([]byte("before"), c.records); string(got) != "before"+string(want) {
				t.Errorf("%x, want %x", got[len("before"):], want)
			}
			got, err := read(want)
			if err != nil || !reflect.DeepEqual(got, c.records) {
				t.Errorf("%+v, %v; want %+v", got, err, c.records)
			}
		})
	}
}

// drawRecord draws a record; author, map and arrival come from a few, so that
// neighbours often share them.
func drawRecord(t *rapid.T, authors []*change.Author) change.Record {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "ключ", "\x00\xff"}), rapid.String())
	stamp := rapid.Custom(func(t *rapid.T) hlc.Timestamp {
		return hlc.Timestamp{
			Millis:  rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, math.MaxInt64)).Draw(t, "millis"),
			Counter: rapid.OneOf(rapid.Uint32Range(0, 1), rapid.Uint32()).Draw(t, "counter"),
			Node:    text.Draw(t, "node"),
		}
	})
	r := change.Record{
		Pos: change.Position{
			Partition: partition.ID(rapid.IntRange(0, partition.Count-1).Draw(t, "partition")),
			Epoch:     rapid.Uint32().Draw(t, "epoch"),
			Seq:       rapid.Uint64().Draw(t, "seq"),
		},
		Tenant:  rapid.SampledFrom([]uint32{0, 0, 1, math.MaxUint32}).Draw(t, "tenant"),
		Map:     rapid.SampledFrom([]string{"m", "n", "карта"}).Draw(t, "map"),
		Kind:    rapid.SampledFrom([]change.Kind{change.KindLWW, change.KindOR, change.KindCounter}).Draw(t, "kind"),
		Verb:    change.Verb(rapid.IntRange(1, 5).Draw(t, "verb")),
		Key:     text.Draw(t, "key"),
		Tag:     text.Draw(t, "tag"),
		Before:  text.Draw(t, "before"),
		After:   text.Draw(t, "after"),
		Request: text.Draw(t, "request"),
		Author:  rapid.SampledFrom(authors).Draw(t, "author"),
		Arrival: rapid.OneOf(rapid.Just(hlc.Timestamp{Millis: 9, Node: "n"}), stamp).Draw(t, "arrival"),
	}
	if rapid.Bool().Draw(t, "re-stamped") {
		r.Original = stamp.Draw(t, "original")
	}
	r.KeyHash = hash.Key(r.Key)
	return r
}

// TestBatchRoundTrip: what was written is read, record by record; neighbours
// share an author when they did, and the session of an author is not kept.
func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		authors := []*change.Author{
			{Origin: change.OriginSession, Principal: "p", Device: "d", Session: 9}, {Origin: change.OriginHTTP}, {Origin: change.OriginSync, Device: "e"},
		}
		var in []change.Record
		for range rapid.IntRange(0, 8).Draw(t, "records") {
			in = append(in, drawRecord(t, authors))
		}
		b := change.AppendBatch(nil, in)
		out, err := read(b)
		if err != nil || len(out) != len(in) {
			t.Fatalf("%d records of %d, %v", len(out), len(in), err)
		}
		for i := range in {
			want, got := in[i], out[i]
			if *got.Author != (change.Author{Origin: want.Author.Origin, Principal: want.Author.Principal, Device: want.Author.Device}) {
				t.Fatalf("record %d is by %+v, was by %+v", i, *got.Author, *want.Author)
			}
			if i > 0 && (in[i-1].Author == want.Author) != (out[i-1].Author == got.Author) {
				t.Fatalf("record %d shares its author with the one before: %t", i, out[i-1].Author == got.Author)
			}
			want.Author, got.Author = nil, nil
			if want != got {
				t.Fatalf("record %d is\n%+v\nwas\n%+v", i, got, want)
			}
		}
		// Every beginning of it is damaged, and gives whole records only.
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		short, err := read(b[:cut])
		if !errors.Is(err, change.ErrCorrupt) || len(short) > len(in) {
			t.Fatalf("the first %d bytes of %d: %d records, %v", cut, len(b), len(short), err)
		}
		for i := range short {
			short[i].Author, out[i].Author = nil, nil
			if short[i] != out[i] {
				t.Fatalf("of the first %d bytes record %d is %+v", cut, i, short[i])
			}
		}
	})
}

// TestTheFirstErrorOfTheReaderIsReturned, and nothing is read behind it.
func TestTheFirstErrorOfTheReaderIsReturned(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := change.ReadBatch(change.AppendBatch(nil, []change.Record{put(), put()}), func(*change.Record) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestDamagedBatches is the table of what is refused.
func TestDamagedBatches(t *testing.T) {
	good := change.AppendBatch(nil, []change.Record{put()})
	// change replaces the bytes at a place of a good batch.
	at := func(n int, with ...byte) []byte {
		b := append([]byte(nil), good...)
		return append(append(b[:n:n], with...), b[n+1:]...)
	}
	for name, b := range map[string][]byte{
		"nothing":                            {},
		"no count":                           {1},
		"another version":                    at(0, 2),
		"more records than bytes":            {1, 200, 1},
		"a count beyond all memory":          {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"a count that does not end":          {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"bytes behind the last record":       append(append([]byte(nil), good...), 0),
		"a first record without an author":   at(2, 0x42),
		"a first record without a map":       at(2, 0x41),
		"a first record without an arrival":  at(2, 0x03),
		"a partition that there is not":      at(4, 0x8f, 0x02), // 271
		"an epoch of more than 32 bits":      at(5, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"a principal longer than the batch":  at(9, 0x7f),
		"before written twice":               append(at(2, 0xcb), 0, 0),
		"a difference without an end":        append(at(2, 0xc3), 9, 0),
		"a difference to more than there is": append(at(2, 0xc3), 0, 4),
		"a difference that goes nowhere":     append(at(2, 0xc3), 1, 0, 0, 0),
		"a difference beyond all memory":     append(at(2, 0xc3), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0),
		"a length that overflows the buffer": at(9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
	} {
		if records, err := read(b); !errors.Is(err, change.ErrCorrupt) {
			t.Errorf("%s: %d records, %v", name, len(records), err)
		}
	}
}

// FuzzReadBatch reads anything: no bytes stop the process, what is read can be
// written, and is then read the same.
func FuzzReadBatch(f *testing.F) {
	second := put()
	second.Original, second.Before, second.Tag, second.Request = hlc.Timestamp{Millis: 1, Node: "x"}, "b", "t", "r"
	f.Add(change.AppendBatch(nil, nil))
	f.Add(change.AppendBatch(nil, []change.Record{put()}))
	f.Add(change.AppendBatch(nil, []change.Record{put(), second, second}))
	edited := put()
	edited.Before, edited.After = "aaaaaaaaXbbbbbbbb", "aaaaaaaaYbbbbbbbb"
	f.Add(change.AppendBatch(nil, []change.Record{edited}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := read(b)
		if err != nil {
			if !errors.Is(err, change.ErrCorrupt) {
				t.Fatalf("an error that is not ErrCorrupt: %v", err)
			}
			return
		}
		again, err := read(change.AppendBatch(nil, first))
		if err != nil || fmt.Sprint(len(first)) != fmt.Sprint(len(again)) {
			t.Fatalf("read %d records, wrote and read %d: %v", len(first), len(again), err)
		}
		for i := range first {
			if !reflect.DeepEqual(first[i], again[i]) {
				t.Fatalf("record %d was\n%+v\nis\n%+v", i, first[i], again[i])
			}
		}
	})
}

// TestReadingDoesNotAllocateForALie: a length is checked against what is there
// before anything is made for it.
func TestReadingDoesNotAllocateForALie(t *testing.T) {
	lie := []byte{1, 1, 0x43, 1, 5, 1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x07}
	if n := testing.AllocsPerRun(100, func() { _, _ = read(lie) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func TestNames(t *testing.T) {
	if got := (change.Position{Partition: 5, Epoch: 2, Seq: 7}).String(); got != "5/2:7" {
		t.Errorf("a position reads %s", got)
	}
	for kind, want := range map[change.Kind]string{
		change.KindNone: "no kind", change.KindLWW: "LWW map", change.KindOR: "OR map",
		change.KindCounter: "PN counter", change.KindRestamp: "re-stamp memory", 99: "no kind",
	} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d reads %s", kind, got)
		}
	}
}

func BenchmarkAppendBatch(b *testing.B) {
	b.ReportAllocs()
	records := []change.Record{put(), put(), put(), put()}
	var buf []byte
	for b.Loop() {
		buf = change.AppendBatch(buf[:0], records)
	}
}

func BenchmarkReadBatch(b *testing.B) {
	b.ReportAllocs()
	batch := change.AppendBatch(nil, []change.Record{put(), put(), put(), put()})
	for b.Loop() {
		if err := change.ReadBatch(batch, func(*change.Record) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// TestBeforeIsItsDifferenceToAfter: whatever two states have in common, both come
// back; and what is nearly the same is written in a few bytes.
func TestBeforeIsItsDifferenceToAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		after := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 60, -1).Draw(t, "after")
		b := []byte(after)
		for range rapid.IntRange(0, 4).Draw(t, "edits") {
			at := rapid.IntRange(0, len(b)).Draw(t, "at")
			cut := rapid.IntRange(0, min(9, len(b)-at)).Draw(t, "cut")
			paste := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 9, -1).Draw(t, "paste")
			b = slices.Concat(b[:at], []byte(paste), b[at+cut:])
		}
		r := put()
		r.Before, r.After = string(b), after
		got, err := read(change.AppendBatch(nil, []change.Record{r, r}))
		if err != nil || len(got) != 2 || got[1].Before != r.Before || got[1].After != r.After {
			t.Fatalf("before %q, after %q: read %+v, %v", r.Before, r.After, got, err)
		}
	})
	r := put()
	r.After = "\x10millis..cnt.\x24node-of-the-writer-of-this-record--\x82\xa4done\xc3\xa5title" + strings.Repeat("x", 90)
	long := len(change.AppendBatch(nil, []change.Record{r}))
	r.Before = strings.Replace(r.After, "done\xc3", "done\xc2", 1)
	if n := len(change.AppendBatch(nil, []change.Record{r})) - long; n > 12 {
		t.Errorf("a state of %d bytes of which one has changed takes %d bytes", len(r.Before), n)
	}
}
